//! The network in the clear, in the integers that are encrypted.

use crate::HeError;
use crate::scheme::Arithmetic;

/// Integers in the clear: what ciphertexts must decrypt to, digit by digit.
pub struct Exact;

impl Arithmetic for Exact {
    type Value = i128;

    fn combine(&self, terms: &[(&i128, i128)], constant: i128) -> Result<i128, HeError> {
        terms.iter().try_fold(constant, |sum, &(&value, weight)| {
            value
                .checked_mul(weight)
                .and_then(|product| sum.checked_add(product))
                .ok_or_else(wide)
        })
    }

    fn multiply(&self, x: &i128, y: &i128) -> Result<i128, HeError> {
        x.checked_mul(*y).ok_or_else(wide)
    }

    /// Horner's rule: another way than the encrypted one, so that a comparison says something.
    fn polynomial(&self, x: &i128, coefficients: &[i128]) -> Result<i128, HeError> {
        coefficients.iter().rev().try_fold(1_i128, |value, &c| {
            value
                .checked_mul(*x)
                .and_then(|product| product.checked_add(c))
                .ok_or_else(wide)
        })
    }
}

fn wide() -> HeError {
    HeError::Input {
        problem: "a value exceeds 128 bits: the input is outside the plan's range".into(),
    }
}
