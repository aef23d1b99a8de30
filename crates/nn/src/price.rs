//! What each step of a plan costs, and how many samples a batch may hold, so that memory stays bounded whatever the number of
//! samples.

use crate::Cost;
use crate::backend::Priced;
use crate::executor::steps;
use crate::plan::Plan;
use crate::ready::ready;
use serde::Serialize;
use std::time::Duration;
use trefoil_ring::{Ring, Z32, Z64};

/// A step of a plan with its price for one batch.
#[derive(Clone, Debug, Serialize)]
pub struct StepPrice {
    /// The model's node.
    pub name: String,
    /// What is computed.
    pub layer: &'static str,
    /// The output's shape.
    pub shape: Vec<usize>,
    /// Elements of weights that the step uses.
    pub parameters: u64,
    /// Products that are summed.
    pub multiply_accumulates: u64,
    /// Logical rounds.
    pub rounds: u32,
    /// Payload bytes that each party sends; party 0's are preprocessing.
    pub bytes_sent_per_party: [u64; 3],
    /// Bytes of the shares that each party holds while the step runs.
    pub memory_bytes: u64,
}

/// What each step of `plan` costs for one batch, in the order of [`Plan::steps`].
///
/// # Panics
/// If the plan is not checked.
pub fn step_costs(plan: &Plan) -> Vec<Cost> {
    match plan.ring_bits {
        32 => step_costs_in::<Z32>(plan),
        _ => step_costs_in::<Z64>(plan),
    }
}

fn step_costs_in<R: Ring>(plan: &Plan) -> Vec<Cost> {
    let shapes = |ports: &[crate::Port]| -> Vec<Vec<usize>> {
        let shape = |port: &crate::Port| plan.shape(port.value).to_vec();
        ports.iter().map(shape).collect()
    };
    let backend = Priced::<R>::new(plan.format());
    let mut costs = Vec::with_capacity(plan.steps.len());
    let mut observer = |_: usize, _: &str, _: Duration| costs.push(backend.take());
    let (weights, inputs) = (shapes(&plan.weights), shapes(&plan.inputs));
    let Ok(_) = ready(steps(plan, &backend, &weights, inputs, &mut observer));
    costs
}

/// Every step of a plan with its price.
pub fn price(plan: &Plan) -> Vec<StepPrice> {
    let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
    let is_weight = |value: usize| plan.weights.iter().any(|port| port.value == value);
    let memory = live_elements(plan);
    plan.steps
        .iter()
        .zip(step_costs(plan))
        .zip(memory)
        .map(|((step, cost), live)| StepPrice {
            name: step.name.clone(),
            layer: step.layer.name(),
            shape: plan.shape(step.output).to_vec(),
            parameters: step
                .inputs
                .iter()
                .filter(|&&value| is_weight(value))
                .map(|&value| size(value))
                .sum(),
            multiply_accumulates: plan.multiply_accumulates(step),
            rounds: cost.rounds,
            bytes_sent_per_party: cost.bytes,
            // Each party holds two components of each element.
            memory_bytes: live * 2 * u64::from(plan.ring_bits / 8),
        })
        .collect()
}

/// Elements of all values that are held while each step runs: the weights always, others from the step that
/// makes them to the last that uses them.
fn live_elements(plan: &Plan) -> Vec<u64> {
    let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
    let mut last = vec![0; plan.shapes.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        for &value in step.inputs.iter().chain([&step.output]) {
            last[value] = index;
        }
    }
    for port in plan.outputs.iter().chain(&plan.weights) {
        last[port.value] = usize::MAX;
    }
    let given = plan.inputs.iter().chain(&plan.weights);
    let mut live: Vec<usize> = given.map(|port| port.value).collect();
    let mut held = Vec::with_capacity(plan.steps.len());
    for (index, step) in plan.steps.iter().enumerate() {
        live.push(step.output);
        held.push(live.iter().map(|&value| size(value)).sum());
        live.retain(|&value| last[value] > index);
    }
    held
}

/// Bytes that a party may hold for a batch, beside the weights, where the user does not choose the batch.
pub const BATCH_BYTES: u64 = 1 << 30;

/// What a step makes on the way, in bytes for each byte that party 0 sends in it: tables dealt and received,
/// copies in tiles. Measured on the networks of `examples/torchvision`: 1.5 to 2.3.
const WORK: f64 = 2.5;

/// Bytes of shares and messages that a party holds at most for one batch of `plan`, without the weights.
///
/// The shares that are alive, what the largest step makes on the way, and all that party 0 sends: it may be
/// ahead by a whole batch, and its messages then wait at party 2.
pub fn batch_bytes(plan: &Plan) -> u64 {
    let steps = price(plan);
    let weights = plan.weights.iter().map(|port| plan.shape(port.value));
    let weights: u64 = weights
        .map(|shape| shape.iter().product::<usize>() as u64)
        .sum();
    let weights = weights * 2 * u64::from(plan.ring_bits / 8);
    let prepared = |step: &StepPrice| step.bytes_sent_per_party[0];
    let ahead: u64 = steps.iter().map(prepared).sum();
    let step = steps.iter().map(|step| {
        step.memory_bytes.saturating_sub(weights) + (WORK * prepared(step) as f64) as u64
    });
    step.max().unwrap_or(0) + ahead
}

/// The largest batch, up to that of `plan`, that is expected to take at most [`BATCH_BYTES`]; at least 1.
pub fn fitting_batch(plan: &Plan) -> usize {
    let each = batch_bytes(plan).div_ceil(plan.batch as u64).max(1);
    plan.batch.min((BATCH_BYTES / each) as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Graph, Options};

    #[test]
    fn memory_holds_the_weights_and_what_is_still_needed() {
        let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").unwrap();
        let (plan, weights) = Plan::compile(&graph, &Options::ring(64)).unwrap();
        let weights: u64 = weights.iter().map(|w| w.len() as u64).sum();
        let live = live_elements(&plan);
        let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
        // A chain: each step holds its operand and its output.
        for (step, live) in plan.steps.iter().zip(live) {
            let operands = step.inputs.iter().chain([&step.output]);
            let operands =
                operands.filter(|&&value| plan.weights.iter().all(|port| port.value != value));
            assert_eq!(live, weights + operands.map(|&v| size(v)).sum::<u64>());
        }
    }

    fn at(batch: usize) -> Plan {
        let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").unwrap();
        let options = Options {
            batch: Some(batch),
            ..Options::ring(64)
        };
        Plan::compile(&graph, &options).unwrap().0
    }

    #[test]
    fn memory_grows_with_the_batch_and_bounds_it() {
        assert_eq!(fitting_batch(&at(1)), 1);
        assert_eq!(fitting_batch(&at(64)), 64, "{} bytes", batch_bytes(&at(64)));
        let (small, large) = (at(64), at(6400));
        let ratio = batch_bytes(&large) as f64 / batch_bytes(&small) as f64;
        assert!((90.0..110.0).contains(&ratio), "{ratio}");
        let fitting = fitting_batch(&large);
        assert!((65..6400).contains(&fitting), "{fitting}");
        assert!(batch_bytes(&at(fitting)) <= BATCH_BYTES);
        assert!(batch_bytes(&at(2 * fitting)) > BATCH_BYTES);
    }
}
