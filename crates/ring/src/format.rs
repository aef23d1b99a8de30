//! FixedPoint-point numbers: a real `v` stands for the ring element `round(v * 2^fraction_bits)`.

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
pub struct FixedPoint {
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

/// `2^exponent`, exact on every machine.
///
/// # Panics
/// If it is no normal number: `exponent` outside `-1022 ..= 1023`.
pub fn power_of_two(exponent: i32) -> f64 {
    assert!(
        (-1022..=1023).contains(&exponent),
        "2^{exponent} is no normal number"
    );
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

impl FixedPoint {
    /// The format with `fraction_bits` bits after the point.
    pub const fn new(fraction_bits: u32) -> Self {
        Self { fraction_bits }
    }

    /// The value of one unit in the last place.
    pub fn ulp(self) -> f64 {
        power_of_two(-(self.fraction_bits as i32))
    }

    /// The magnitude that values must stay below in the ring `R`.
    pub fn limit<R: Ring>(self) -> f64 {
        power_of_two(R::BITS as i32 - 2 - self.fraction_bits as i32)
    }

    /// Encode one value whose range the caller has checked (a constant, say).
    pub fn encode<R: Ring>(self, value: f64) -> R {
        R::from_i64((value * power_of_two(self.fraction_bits as i32)).round() as i64)
    }

    /// Decode one value.
    pub fn decode<R: Ring>(self, value: R) -> f64 {
        value.to_i64() as f64 * self.ulp()
    }

    /// Encode a tensor, checking every element.
    ///
    /// # Errors
    /// [`FormatError`] with the position of the first element that is not finite or does not fit.
    // Views are small and meant to be passed by value.
    #[allow(clippy::needless_pass_by_value)]
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
    #[allow(clippy::needless_pass_by_value)]
    pub fn decode_all<R: Ring>(self, values: ArrayViewD<'_, R>) -> ArrayD<f64> {
        values.map(|&v| self.decode(v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Z32, Z64};
    use ndarray::{arr0, array};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn error_is_half_a_unit(value in -8000.0..8000.0_f64, fraction_bits in 0_u32..18) {
            let format = FixedPoint::new(fraction_bits);
            let half = format.ulp() / 2.0;
            prop_assert!((format.decode(format.encode::<Z32>(value)) - value).abs() <= half);
            prop_assert!((format.decode(format.encode::<Z64>(value)) - value).abs() <= half);
        }

        #[test]
        fn decoding_is_the_inverse(value in -(1_i64 << 52)..1 << 52, fraction_bits in 0_u32..40) {
            let format = FixedPoint::new(fraction_bits);
            let element = Z64::from_i64(value);
            prop_assert_eq!(format.encode::<Z64>(format.decode(element)), element);
        }
    }

    #[test]
    fn ties_round_away_from_zero() {
        let format = FixedPoint::new(1);
        for (value, units) in [
            (0.25, 1),
            (-0.25, -1),
            (0.75, 2),
            (-0.75, -2),
            (0.24, 0),
            (-1.26, -3),
        ] {
            assert_eq!(format.encode::<Z32>(value).to_i64(), units, "{value}");
        }
    }

    #[test]
    fn shape_and_order_are_kept() {
        let values = array![[1.0, -2.0, 0.5], [0.0, 3.25, -0.75]];
        let format = FixedPoint::new(8);
        // A transposed view: the result is in standard layout all the same.
        let encoded = format.encode_all::<Z64>(values.t().into_dyn()).unwrap();
        assert!(encoded.is_standard_layout());
        assert_eq!(format.decode_all(encoded.view()), values.t().into_dyn());
        let scalar = format
            .encode_all::<Z32>(arr0(1.5).view().into_dyn())
            .unwrap();
        assert_eq!(scalar[[]].to_i64(), 384);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let format = FixedPoint::new(16);
        let limit = format.limit::<Z32>();
        assert!((limit - 16384.0).abs() < f64::EPSILON);
        let encode = |value: f64| format.encode_all::<Z32>(array![0.0, value].view().into_dyn());
        assert!(encode(limit - format.ulp()).is_ok());
        for value in [limit, -limit, 1e300] {
            let error = encode(value).unwrap_err();
            let (fraction_bits, ring_bits) = (16, 32);
            assert_eq!(
                error,
                FormatError::OutOfRange {
                    index: 1,
                    value,
                    limit,
                    fraction_bits,
                    ring_bits
                }
            );
        }
        let error = encode(limit).unwrap_err().to_string();
        assert_eq!(
            error,
            "element 1 is 16384, outside ±16384 of 16 fraction bits in a ring of 32 bits"
        );
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = encode(value).unwrap_err();
            assert!(
                matches!(error, FormatError::NotFinite { index: 1, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn a_value_just_below_the_limit_stays_in_its_ring() {
        for fraction_bits in [0, 5, 16, 30] {
            let format = FixedPoint::new(fraction_bits);
            // Floats near 2^62 lie 512 apart; the one below 2^30 rounds up to it, and no further.
            let value = format.limit::<Z64>().next_down();
            assert_eq!(format.encode::<Z64>(value).to_i64(), (1 << 62) - 512);
            let value = format.limit::<Z32>().next_down();
            assert_eq!(format.encode::<Z32>(-value).to_i64(), -(1 << 30));
        }
    }
}
