//! Fixed-point numbers: a real `v` stands for the ring element `round(v * 2^fraction_bits)`.

use crate::Ring;
use ndarray::{ArrayD, ArrayViewD};
use serde::{Deserialize, Serialize};

/// A signed fixed-point format with `fraction_bits` bits after the point.
///
/// # Range
/// In a ring of `k` bits a value must satisfy `|v| < 2^(k - 2 - fraction_bits)`; a product
/// before its truncation, at twice the fraction bits, `|v| < 2^(k - 2 - 2 fraction_bits)`.
/// Encoding rounds to nearest, ties away from zero: error at most half a unit in the last place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fixed {
    /// Bits after the binary point.
    pub fraction_bits: u32,
}

/// A value that a format cannot hold.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// NaN or infinite.
    #[error("element {index} is {value}, not a finite number")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f64,
    },
    /// Too large for the format.
    #[error(
        "element {index} is {value}, outside ±{limit} of {fraction_bits} fraction bits in a ring of {ring_bits} bits"
    )]
    OutOfRange {
        /// Position in row-major order.
        index: usize,
        /// The value.
        value: f64,
        /// The largest magnitude that fits.
        limit: f64,
        /// The format's fraction bits.
        fraction_bits: u32,
        /// The ring's bits.
        ring_bits: u32,
    },
}

impl Fixed {
    /// The format with `fraction_bits` bits after the point.
    pub const fn new(fraction_bits: u32) -> Self {
        Self { fraction_bits }
    }

    /// The value of one unit in the last place.
    pub fn ulp(self) -> f64 {
        (-f64::from(self.fraction_bits)).exp2()
    }

    /// The magnitude that values must stay below in the ring `R`.
    pub fn limit<R: Ring>(self) -> f64 {
        (f64::from(R::BITS) - 2.0 - f64::from(self.fraction_bits)).exp2()
    }

    /// Encode one value whose range the caller has checked (a constant, say).
    pub fn encode<R: Ring>(self, value: f64) -> R {
        R::from_i64((value * f64::from(self.fraction_bits).exp2()).round() as i64)
    }

    /// Decode one value.
    pub fn decode<R: Ring>(self, value: R) -> f64 {
        value.to_i64() as f64 * self.ulp()
    }

    /// Encode a tensor, checking every element.
    ///
    /// # Errors
    /// [`FormatError`] with the position of the first element that is not finite or does not fit.
    pub fn encode_all<R: Ring>(
        self,
        values: ArrayViewD<'_, f64>,
    ) -> Result<ArrayD<R>, FormatError> {
        let limit = self.limit::<R>();
        for (index, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Err(FormatError::NotFinite { index, value });
            }
            if value.abs() >= limit {
                let (fraction_bits, ring_bits) = (self.fraction_bits, R::BITS);
                return Err(FormatError::OutOfRange {
                    index,
                    value,
                    limit,
                    fraction_bits,
                    ring_bits,
                });
            }
        }
        Ok(values
            .map(|&v| self.encode(v))
            .as_standard_layout()
            .into_owned())
    }

    /// Decode a tensor.
    pub fn decode_all<R: Ring>(self, values: ArrayViewD<'_, R>) -> ArrayD<f64> {
        values.map(|&v| self.decode(v))
    }
}
