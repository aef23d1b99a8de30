//! What can be wrong with a network, a key, a ciphertext or a file.

use std::path::PathBuf;
use thiserror::Error;

/// Why something cannot be fitted, compiled, encrypted, computed or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HeError {
    /// A polynomial cannot be fitted.
    #[error("no polynomial can be fitted: {problem}")]
    Fit {
        /// Why.
        problem: String,
    },
    /// A layer has no encrypted counterpart.
    #[error("node `{node}` ({layer}) cannot be computed on ciphertexts: {reason}")]
    Unsupported {
        /// The model's node.
        node: String,
        /// The layer that it became.
        layer: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The model itself cannot be compiled.
    #[error("the model cannot be compiled: {0}")]
    Model(String),
    /// Parameters that are no parameters, or not secure.
    #[error("parameters refused: {problem}")]
    Parameters {
        /// Which rule they break.
        problem: String,
    },
    /// A result could leave the plaintext moduli's range: it would decrypt to another number.
    #[error(
        "node `{node}` can reach values of {bits:.1} bits, the largest parameters hold {limit:.1}: use fewer bits for weights or inputs, \
         lower degrees, or narrower input ranges"
    )]
    Overflow {
        /// The first layer whose values do not fit.
        node: String,
        /// Bits of its largest value, with the sign.
        bits: f64,
        /// Bits that fit.
        limit: f64,
    },
    /// Noise would drown the result.
    #[error(
        "node `{node}` runs out of noise budget: its ciphertexts can carry {noise:.0} bits of noise, {limit:.0} can be decrypted; lower the \
         degree or the depth"
    )]
    Noise {
        /// The first layer that is too noisy.
        node: String,
        /// Bits of noise, at most.
        noise: f64,
        /// Bits that still decrypt, less the margin.
        limit: f64,
    },
    /// Inputs that the plan is not made for.
    #[error("input refused: {problem}")]
    Input {
        /// What is wrong.
        problem: String,
    },
    /// Keys, ciphertexts or plans of other parameters or of another key.
    #[error("{what} does not belong here: {problem}")]
    Foreign {
        /// Which object.
        what: &'static str,
        /// What differs.
        problem: String,
    },
    /// Bytes that are not what they should be.
    #[error("no usable {what}: {problem}")]
    Damaged {
        /// Which kind of file was expected.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The library of the scheme refused an operation.
    #[error("encrypted computation failed: {0}")]
    Scheme(String),
}

impl From<fhe::Error> for HeError {
    fn from(error: fhe::Error) -> Self {
        Self::Scheme(error.to_string())
    }
}

impl From<fhe_math::Error> for HeError {
    fn from(error: fhe_math::Error) -> Self {
        Self::Scheme(error.to_string())
    }
}
