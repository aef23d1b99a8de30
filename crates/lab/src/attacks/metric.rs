//! Attacks that look at one output at a time.

use super::{Attack, Border, Evidence, Need, Outputs, Scored};
use crate::LabError;
use ndarray::ArrayView1;

/// An attack by a number of a record's confidences and label alone.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) decides_by: &'static str,
    /// The number, higher for likelier members.
    pub(super) score: fn(ArrayView1<'_, f64>, usize) -> f64,
    /// [`Need::Labels`] or nothing.
    pub(super) needs: &'static [Need],
    pub(super) border: Border,
    pub(super) floor: bool,
}

impl Attack for Metric {
    fn name(&self) -> &'static str {
        self.name
    }

    fn decides_by(&self) -> &'static str {
        self.decides_by
    }

    fn needs(&self) -> &'static [Need] {
        self.needs
    }

    fn floor(&self) -> bool {
        self.floor
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let scores = |outputs: &Outputs| outputs.scores(self.score);
        Ok(Some(Scored {
            target: evidence.target.as_ref().map(scores),
            shadow: evidence.shadow.map(|own| own.as_ref().map(scores)),
            border: self.border,
        }))
    }
}
