//! What a run tells while it goes on, and what it gives in the end.

use super::answers::Sample;
use crate::report::{Report, Results};
use crate::train::{Epoch, Network};
use ndarray::Array2;
use trefoil_guard::GuardFile;

/// Three parties that answer a sample, as a check of the fixed-point answers.
pub trait Parties {
    /// The answers to the sample's queries (queries × classes).
    ///
    /// # Errors
    /// A sentence on what failed.
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String>;
}

/// What a run is doing.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A stage begins.
    Stage(&'a str),
    /// A network was trained for one more epoch.
    Epoch(&'a str, &'a Epoch),
}

/// What a run found.
pub struct Outcome {
    /// All of it.
    pub report: Report,
    /// The target network, for other programs.
    pub target: Network,
    /// The guard that was chosen.
    pub guard: GuardFile,
    /// The attacks on each way of answering.
    pub evaluations: Vec<Evaluation>,
    /// The largest difference between three parties and fixed point, if that was checked.
    pub difference: Option<f64>,
}

/// One way of answering, and the attacks on it.
pub struct Evaluation {
    /// The way of answering: `plaintext`, a softmax's name, that and `guarded`, or a defence.
    pub name: String,
    /// What the attacks reached.
    pub results: Results,
}
