//! What stages find.

use super::outcome::Evaluation;
use super::tables::ModelRow;
use crate::report::Histogram;

/// What a run found.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) evaluations: Vec<Evaluation>,
    pub(super) models: Vec<ModelRow>,
    /// Steps that `MemGuard` takes in the clear.
    pub(super) histogram: Option<Histogram>,
    /// Labels that the guard changed.
    pub(super) changed: usize,
    /// The largest difference between three parties and fixed point, if that was checked.
    pub(super) difference: Option<f64>,
}

/// An evaluation, and what else came of it.
pub(super) struct Evaluated {
    pub(super) evaluation: Evaluation,
    /// The model that answered, if it was trained for this.
    pub(super) model: Option<ModelRow>,
    /// Steps that the defence took.
    pub(super) histogram: Option<Histogram>,
    /// Labels that the defence changed.
    pub(super) changed: usize,
}

impl From<Evaluation> for Evaluated {
    fn from(evaluation: Evaluation) -> Self {
        Self {
            evaluation,
            model: None,
            histogram: None,
            changed: 0,
        }
    }
}
