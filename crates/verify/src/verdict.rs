//! What the client concludes.

use crate::Replays;
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
    /// In a replayed batch, somebody deviated.
    #[serde(rename = "a server deviated")]
    ServerDeviated,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::CopiesDisagree => "copies disagree",
            Self::AccuracyTooLow => "accuracy too low",
            Self::ModelDiffers => "model differs",
            Self::ServerDeviated => "a server deviated",
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
    /// A server that corrupts selected runs, without knowing what they are, passes at most once in 2 to this power.
    /// These bits say nothing of one that deviates in the same way in every run: see `passes_often`.
    pub soundness_bits: f64,
    /// The largest share of wrong answers, alike in all runs, that passes the public samples with 95 %.
    pub passes_often: f64,
    /// The share of wrong answers above which a server passes the public samples with less than 5 %.
    pub passes_seldom: f64,
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
    /// Which public samples were answered wrongly.
    pub failed: Vec<FailedSample>,
    /// Probes of the fingerprint sent.
    pub probes: usize,
    /// Of them, answered differently.
    pub probes_differing: usize,
    /// What replays found, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replays: Option<Replays>,
}

/// A public sample that was answered wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FailedSample {
    /// Its place in the public set, counted from 0.
    pub place: usize,
    /// The class that it is said to have.
    pub label: usize,
    /// The class that was answered; none if the answer names none.
    pub answered: Option<usize>,
}
