//! How numbers are represented, and how large they become.

use crate::Failure;
use clap::Args;
use std::path::PathBuf;
use trefoil::{NumberFormat, Preparation, Ranging, Source};

/// How numbers are represented.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Numbers")]
pub struct NumberOptions {
    /// Bits of the ring
    #[arg(long, value_name = "BITS", default_value = "64", value_parser = ring)]
    pub ring: u32,
    /// Bits after the binary point [default: 20 in the ring of 64 bits, 10 in that of 32]
    #[arg(long, value_name = "F")]
    pub fraction_bits: Option<u32>,
}

impl NumberOptions {
    /// For the library.
    pub fn format(self) -> NumberFormat {
        NumberFormat {
            ring: self.ring,
            fraction_bits: self.fraction_bits,
        }
    }
}

fn ring(text: &str) -> Result<u32, String> {
    match text {
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err("rings of 32 and 64 bits are supported".to_owned()),
    }
}

/// Options about the sizes of numbers.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ranges of numbers")]
pub struct RangeOptions {
    /// Calibration samples, prepared as the others are: measure how far every layer reaches, refuse what the ring cannot
    /// hold, and refuse samples outside their range, widened by an eighth on either side
    #[arg(long, value_name = "X.npy")]
    calibrate: Option<PathBuf>,
    /// The least and the greatest number of inputs: others are refused, and without --calibrate the worst case for
    /// every layer is computed
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true)]
    input_range: Option<[f64; 2]>,
    /// Choose the fraction bits by those ranges: as many as leave room, at most 20 (ring of 32 bits: 13). They become
    /// public with the plan
    #[arg(long, conflicts_with = "fraction_bits")]
    auto_fraction_bits: bool,
    /// Leave what scales the model's input to the client: constants that are added, multiplied or divided by before the
    /// first layer, and a power of two for each feature whose weights in the first layer are small. Servers never see
    /// them; whoever asks does, so say so only if they are public
    #[arg(long, conflicts_with = "input_range")]
    pub public_scaling: bool,
}

impl RangeOptions {
    /// The file that ranges are measured on.
    pub fn file(&self) -> Option<&PathBuf> {
        self.calibrate.as_ref()
    }

    /// For the library; samples are read for `source`.
    ///
    /// # Errors
    /// If they cannot be.
    pub fn ranging(&self, source: &Source, preparation: &Preparation) -> Result<Ranging, Failure> {
        let calibrate = self.calibrate.as_deref();
        let calibrate = calibrate.map(|path| source.samples(path, preparation));
        Ok(Ranging {
            calibrate: calibrate.transpose()?,
            input_range: self.input_range,
            auto_fraction_bits: self.auto_fraction_bits,
        })
    }
}

/// Two numbers, as a user writes them.
fn range(text: &str) -> Result<[f64; 2], String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let ends = text.split_once(',').map(|(a, b)| [number(a), number(b)]);
    match ends {
        Some([Some(low), Some(high)]) if low <= high => Ok([low, high]),
        _ => Err("two numbers are expected, the least and the greatest, such as 0,255".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_two_numbers_in_order() {
        assert_eq!(range("-2.5, 3"), Ok([-2.5, 3.0]));
        for wrong in ["", "3", "3,1", "0,nan", "0,inf", "a,b", "1,2,3"] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }
}
