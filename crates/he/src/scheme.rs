//! Encrypted arithmetic on vectors of integers: what the executor asks, and BFV behind it.
//!
//! A ciphertext holds a vector of [`Parameters::slots`] integers; every operation acts on all slots at once. Numbers wider than a plaintext
//! modulus are split by the Chinese remainder theorem (`CryptoNets`, Gilad-Bachrach et al. 2016, section 3.2): one [`Channel`]
//! for each modulus, each an independent computation on a core of its own.

mod bfv;
mod check;
mod crt;
mod keys;
mod linear;
mod parameters;
mod slots;

pub use bfv::{Channel, Cipher, Server};
pub use crt::Residues;
pub use keys::{EvaluationKey, KeyId, SecretKey, generate, generate_with};
pub use parameters::{Parameters, SECURITY_TABLE};
pub use slots::Encoded;

use crate::HeError;

/// What a network is computed with: sums and products. Implemented by ciphertexts ([`Server`]), by integers in the clear
/// ([`crate::Exact`]), by intervals and by noise bounds, so that one text of the executor computes, checks and foresees.
pub trait Arithmetic: Sync {
    /// A value, or a vector of them.
    type Value: Clone + Send + Sync;

    /// `Σ weight · value + constant`.
    fn combine(
        &self,
        terms: &[(&Self::Value, i128)],
        constant: i128,
    ) -> Result<Self::Value, HeError>;

    /// `x · y`.
    fn multiply(&self, x: &Self::Value, y: &Self::Value) -> Result<Self::Value, HeError>;

    /// `x` in the form that products and the result need, see [`Server`]; nothing for most.
    fn settle(&self, x: Self::Value) -> Result<Self::Value, HeError> {
        Ok(x)
    }

    /// `x^d + c_{d-1} x^{d-1} + … + c_0`, where `d` is the number of `coefficients` (at least 2), lowest first. Powers by halving, so
    /// that the depth is `⌈log2 d⌉`.
    fn polynomial(&self, x: &Self::Value, coefficients: &[i128]) -> Result<Self::Value, HeError> {
        let degree = coefficients.len();
        let mut powers: Vec<Self::Value> = vec![self.settle(x.clone())?];
        for power in 2..=degree {
            let product = self.multiply(&powers[power.div_ceil(2) - 1], &powers[power / 2 - 1])?;
            // The highest power is used in no product.
            powers.push(if power < degree {
                self.settle(product)?
            } else {
                product
            });
        }
        let weights = coefficients.iter().skip(1).copied().chain([1]);
        let terms: Vec<_> = powers
            .iter()
            .zip(weights)
            .filter(|(_, weight)| *weight != 0)
            .collect();
        self.combine(&terms, coefficients.first().copied().unwrap_or(0))
    }
}

/// Operations on single slots of a value's first row, which single packing takes beside [`Arithmetic`].
pub trait Slots: Arithmetic {
    /// Constants of all slots, made ready.
    type Vector: Send + Sync;

    /// Slots of a row.
    fn slots(&self) -> usize;

    /// `Σ vector ⊙ value`, slot by slot. The values are settled.
    fn weigh(&self, terms: &[(&Self::Value, &Self::Vector)]) -> Result<Self::Value, HeError>;

    /// `x + constants`, slot by slot.
    fn add(&self, x: Self::Value, constants: &Self::Vector) -> Result<Self::Value, HeError>;

    /// Slot `i` of the result is slot `i + by` of `x`, which is settled, modulo the slots of a row.
    fn rotate(&self, x: &Self::Value, by: usize) -> Result<Self::Value, HeError>;
}
