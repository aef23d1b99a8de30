//! How many pictures a batch may hold, so that memory stays bounded whatever the number of pictures.

use crate::price::price;
use trefoil_nn::Plan;

/// Bytes that a party may hold for a batch, beside the weights, where the user does not choose the batch.
pub(crate) const BATCH_BYTES: u64 = 1 << 30;

/// What a step makes on the way, in bytes for each byte that party 0 sends in it: tables dealt and received,
/// copies in tiles. Measured on the networks of `examples/torchvision`: 1.5 to 2.3.
const WORK: f64 = 2.5;

/// Bytes of shares and messages that a party holds at most for one batch of `plan`, without the weights.
///
/// The shares that are alive, what the largest step makes on the way, and all that party 0 sends: it may be
/// ahead by a whole batch, and its messages then wait at party 2.
pub(crate) fn batch_bytes(plan: &Plan) -> u64 {
    let steps = price(plan);
    let weights = plan.weights.iter().map(|port| plan.shape(port.value));
    let weights: u64 = weights
        .map(|shape| shape.iter().product::<usize>() as u64)
        .sum();
    let weights = weights * 2 * u64::from(plan.ring_bits / 8);
    let prepared = |step: &crate::price::StepPrice| step.bytes_sent_per_party[0];
    let ahead: u64 = steps.iter().map(prepared).sum();
    let step = steps.iter().map(|step| {
        step.memory_bytes.saturating_sub(weights) + (WORK * prepared(step) as f64) as u64
    });
    step.max().unwrap_or(0) + ahead
}

/// The largest batch, up to that of `plan`, that is expected to take at most [`BATCH_BYTES`]; at least 1.
pub(crate) fn fitting_batch(plan: &Plan) -> usize {
    let each = batch_bytes(plan).div_ceil(plan.batch as u64).max(1);
    plan.batch.min((BATCH_BYTES / each) as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_nn::{Graph, Options};

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
