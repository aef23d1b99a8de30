//! What the client concludes.

use ndarray::ArrayViewD;
use serde::Serialize;
use std::fmt;

/// Whether the answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Verdict {
    /// All copies agree, and enough public samples are answered rightly.
    #[serde(rename = "accepted")]
    Accepted,
    /// Copies of one query were answered differently.
    #[serde(rename = "copies disagree")]
    CopiesDisagree,
    /// Too many public samples were answered wrongly.
    #[serde(rename = "accuracy too low")]
    AccuracyTooLow,
    /// A probe of the model's fingerprint was answered differently.
    #[serde(rename = "model differs")]
    ModelDiffers,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::CopiesDisagree => "copies disagree",
            Self::AccuracyTooLow => "accuracy too low",
            Self::ModelDiffers => "model differs",
        })
    }
}

/// The numbers behind a verdict. They stay with the client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What follows from the rest.
    pub verdict: Verdict,
    /// Runs sent.
    pub runs: usize,
    /// Runs for each query.
    pub runs_per_query: f64,
    /// A cheating server passes at most once in 2 to this power.
    pub soundness_bits: f64,
    /// How far answers to copies may differ.
    pub tolerance: f64,
    /// How far they do, at most.
    pub largest_difference: f64,
    /// Queries whose copies differ by more.
    pub disagreeing: usize,
    /// Queries whose copies agree, but whose two largest scores are closer than the tolerance, so that copies
    /// have different labels.
    pub ties: usize,
    /// Public samples sent.
    pub public: usize,
    /// Of them, answered wrongly.
    pub wrong: usize,
    /// That many may be.
    pub tolerated: usize,
    /// Probes of the fingerprint sent.
    pub probes: usize,
    /// Of them, answered differently.
    pub probes_differing: usize,
}

/// The class that an answer names: the place of its largest score, the first of equal ones. An answer of a
/// single number is the class itself. `None` if it names none.
pub(crate) fn label(answer: &ArrayViewD<'_, f64>) -> Option<usize> {
    if answer.iter().any(|score| !score.is_finite()) {
        return None;
    }
    if answer.len() == 1 {
        let class = answer.iter().next()?.round();
        return (class >= 0.0).then_some(class as usize);
    }
    let mut best: Option<(usize, f64)> = None;
    for (index, &score) in answer.iter().enumerate() {
        if best.is_none_or(|(_, most)| score > most) {
            best = Some((index, score));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn an_answer_names_its_largest_score_or_is_a_class() {
        let named = |scores: Vec<f64>| label(&ndarray::Array1::from(scores).into_dyn().view());
        assert_eq!(named(vec![0.1, 0.7, 0.7]), Some(1));
        assert_eq!(named(vec![-3.0, -1.0]), Some(1));
        assert_eq!(named(vec![6.0002]), Some(6));
        assert_eq!(named(vec![-2.0]), None);
        assert_eq!(named(vec![0.0, f64::NAN]), None);
        assert_eq!(label(&array![[[0.0]], [[2.0]]].into_dyn().view()), Some(1));
    }
}
