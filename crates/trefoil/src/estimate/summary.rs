//! A prediction beside what was measured, for programs that read it.

use super::Estimate;
use crate::forecast::Machine;
use crate::model::Model;
use serde::Serialize;

/// What was predicted, and measured if it was.
#[derive(Clone, Debug, Serialize)]
pub struct EstimateSummary {
    /// Samples at once.
    pub batch: usize,
    /// Bits of the ring.
    pub ring: u32,
    /// Bits after the binary point.
    pub fraction_bits: u32,
    /// The network between the parties.
    pub network: String,
    /// How fast this machine computes.
    pub machine_seconds: Machine,
    /// Whether the model ran without a network for the prediction.
    pub rehearsed: bool,
    /// Its steps, in order.
    pub steps: Vec<EstimatedStep>,
    /// Rounds of a batch.
    pub rounds: u32,
    /// Payload bytes that each party sends for a batch.
    pub bytes_sent_per_party: [u64; 3],
    /// Predicted seconds of a batch.
    pub predicted_s: f64,
    /// The fastest run.
    pub measured: Option<MeasuredRun>,
    /// How far the prediction is above what was measured, relative to it.
    pub relative_error: Option<f64>,
}

/// A step of a model.
#[derive(Clone, Debug, Serialize)]
pub struct EstimatedStep {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub layer: &'static str,
    /// Rounds.
    pub rounds: u32,
    /// Payload bytes that each party sends.
    pub bytes_sent_per_party: [u64; 3],
    /// Predicted seconds.
    pub predicted_s: f64,
    /// Measured seconds.
    pub measured_s: Option<f64>,
}

/// A run that was measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MeasuredRun {
    /// Seconds.
    pub wall_s: f64,
    /// Rounds.
    pub rounds: u32,
    /// Payload bytes that each party sent.
    pub bytes_sent_per_party: [u64; 3],
}

impl Estimate {
    /// All of it for `model`, whose estimate this is.
    pub fn summary(&self, model: &Model) -> EstimateSummary {
        let cost = model.cost();
        let steps = self.steps.iter().zip(&self.predicted);
        let steps = steps.zip(self.measured_steps());
        EstimateSummary {
            batch: model.plan.batch,
            ring: model.plan.ring_bits,
            fraction_bits: model.plan.fraction_bits,
            network: self.network.to_string(),
            machine_seconds: self.machine,
            rehearsed: self.rehearsal.is_some(),
            steps: steps
                .map(|((step, &predicted_s), measured_s)| EstimatedStep {
                    name: step.name.clone(),
                    layer: step.layer,
                    rounds: step.rounds,
                    bytes_sent_per_party: step.bytes_sent_per_party,
                    predicted_s,
                    measured_s,
                })
                .collect(),
            rounds: cost.rounds,
            bytes_sent_per_party: cost.bytes,
            predicted_s: self.seconds(),
            measured: self.measured.as_ref().map(|report| MeasuredRun {
                wall_s: report.wall_s,
                rounds: report.rounds,
                bytes_sent_per_party: report.bytes_sent_per_party,
            }),
            relative_error: self.error(),
        }
    }
}
