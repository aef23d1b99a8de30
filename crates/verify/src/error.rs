//! What can be wrong with a plan, a public set, a fingerprint or a run.

use std::path::PathBuf;
use thiserror::Error;

/// Why something cannot be planned, asked or checked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Numbers that make no sense.
    #[error("{0}")]
    Demand(String),
    /// No mix within the limits is sound enough.
    #[error("{wanted} cannot be reached: {reason}")]
    Unreachable {
        /// What was demanded.
        wanted: String,
        /// Why not, and what would do.
        reason: String,
    },
    /// The public set cannot carry the accuracy test.
    #[error(
        "{public} public samples cannot tell an accuracy of {claimed} from {reject_below} with error rates of {alpha} and {beta}: {suffices}"
    )]
    TooFewForAccuracy {
        /// Public samples allowed.
        public: usize,
        /// The claimed accuracy.
        claimed: f64,
        /// The accuracy to be rejected.
        reject_below: f64,
        /// Demanded rate of false rejections.
        alpha: f64,
        /// Demanded rate of false acceptances.
        beta: f64,
        /// What would do.
        suffices: String,
    },
    /// Fewer unused public samples than the plan mixes in.
    #[error(
        "the plan mixes in {needed} public samples, but only {unused} of the {all} given were never sent before; {suffices}"
    )]
    TooFewPublic {
        /// What the plan needs.
        needed: usize,
        /// Different samples that were never sent.
        unused: usize,
        /// Samples given.
        all: usize,
        /// What would do.
        suffices: String,
    },
    /// The plan promises less than it demands for this many queries.
    #[error(
        "for {queries} queries, {copies} copies and {public} public samples give a soundness of {bits:.2} bits, the plan demands {demanded}; {suffices}"
    )]
    TooWeak {
        /// Queries asked.
        queries: usize,
        /// Copies of each.
        copies: usize,
        /// Public samples.
        public: usize,
        /// What that gives.
        bits: f64,
        /// What the plan demands.
        demanded: f64,
        /// What would do.
        suffices: String,
    },
    /// The plan or the fingerprint was made for another model.
    #[error(
        "{what} was made for a model with digest {expected}, this model has {actual}: its layers, shapes or number format differ; make it again for this model, or use the model it was made for"
    )]
    OtherModel {
        /// `the verification plan` or `the fingerprint`.
        what: String,
        /// Digest it names.
        expected: String,
        /// Digest of the model at hand.
        actual: String,
    },
    /// Samples, labels or answers of wrong shapes.
    #[error("{what} has shape {actual:?}, expected {expected}")]
    Shape {
        /// What.
        what: String,
        /// What would fit.
        expected: String,
        /// What was given.
        actual: Vec<usize>,
    },
    /// A layer whose gradient is not known.
    #[error(
        "step `{step}` ({layer}) has no gradient here; sensitive samples and derived tolerances need models of {supported}"
    )]
    NoGradient {
        /// The step.
        step: String,
        /// Its layer.
        layer: String,
        /// Layers that have one.
        supported: String,
    },
    /// A file that is not what it should be.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The store of spent samples cannot be used.
    #[error("the store of spent public samples, {}: {problem}", path.display())]
    Store {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A batch that cannot be replayed.
    #[error("batch {batch} was not answered for a replay")]
    NotRecorded {
        /// Its number.
        batch: usize,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Random(String),
    /// The servers did not answer. Nothing is accepted; public samples that were sent stay spent.
    #[error("the servers did not answer: {0}")]
    Servers(Box<dyn std::error::Error + Send + Sync>),
}
