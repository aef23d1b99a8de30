//! What is in a model, what it costs and how far its numbers reach.

use crate::known::{RangeReport, StepReport};
use crate::model::Model;
use serde::Serialize;
use trefoil_nn::StepPrice;

/// A model, looked at before anything runs.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Samples at once.
    pub batch: usize,
    /// Bits of the ring.
    pub ring: u32,
    /// Bits after the binary point.
    pub fraction_bits: u32,
    /// The distance of neighbouring numbers.
    pub unit: f64,
    /// Bound of inputs, weights and values.
    pub value_limit: f64,
    /// Bound of a sum of products before it is rounded.
    pub product_limit: f64,
    /// How far its numbers reach, where that is known.
    pub ranges: Option<RangeReport>,
    /// Its steps, in order.
    pub steps: Vec<InspectedStep>,
    /// Elements of all weights.
    pub parameters: u64,
    /// Products that are summed.
    pub multiply_accumulates: u64,
    /// Rounds of a batch.
    pub rounds: u32,
    /// Payload bytes that each party sends for a batch.
    pub bytes_sent_per_party: [u64; 3],
    /// The most bytes of shares that a party holds at once.
    pub memory_bytes: u64,
}

/// A step of a model.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedStep {
    /// What it costs.
    #[serde(flatten)]
    pub price: StepPrice,
    /// How far its numbers reach, where that is known.
    #[serde(flatten)]
    pub range: Option<StepReport>,
}

impl Model {
    /// What is in it, what it costs and how far its numbers reach.
    pub fn inspection(&self) -> Inspection {
        let (limits, cost) = (self.limits(), self.cost());
        let steps = self.steps().into_iter().zip(self.step_ranges());
        Inspection {
            batch: self.plan.batch,
            ring: self.plan.ring_bits,
            fraction_bits: self.plan.fraction_bits,
            unit: limits.unit,
            value_limit: limits.value,
            product_limit: limits.product,
            ranges: self.known.as_ref().map(|known| known.report(&self.plan)),
            steps: steps
                .map(|(price, range)| InspectedStep { price, range })
                .collect(),
            parameters: self.parameters(),
            multiply_accumulates: self.multiply_accumulates(),
            rounds: cost.rounds,
            bytes_sent_per_party: cost.bytes,
            memory_bytes: self.memory_bytes(),
        }
    }

    /// How far the numbers of each step reach; nothing where that is not known.
    pub fn step_ranges(&self) -> Vec<Option<StepReport>> {
        match &self.known {
            Some(known) => known.steps(&self.plan).into_iter().map(Some).collect(),
            None => vec![None; self.plan.steps.len()],
        }
    }
}
