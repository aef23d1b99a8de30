//! Max-pooling before activation: the maximum first, then the function of fewer elements.

use crate::operators::Layer;
use crate::operators::layer_graph::{LayerGraph, LayerNode};
use crate::value::ValueId;
use std::collections::HashMap;

/// Swap every monotone function with the `MaxPool` that alone uses it:
/// `max(f(x)) = f(max(x))`.
pub(super) fn reorder(network: &mut LayerGraph) {
    let uses = network.uses();
    let mut producers: HashMap<ValueId, usize> = HashMap::new();
    for pool in network.walk() {
        if let Some(function) = function_before(network, &producers, &uses, pool) {
            let pooled = swap(network, function, pool);
            producers.insert(pooled, function);
        }
        producers.insert(network.nodes[pool].output, pool);
    }
}

/// The monotone function whose output nothing but the pool at `pool` uses.
fn function_before(
    network: &LayerGraph,
    producers: &HashMap<ValueId, usize>,
    uses: &[usize],
    pool: usize,
) -> Option<usize> {
    let Layer::MaxPool(_) = network.nodes[pool].layer else {
        return None;
    };
    let id = network.nodes[pool].inputs[0];
    let &function = producers.get(&id)?;
    let monotone = matches!(
        network.nodes[function].layer,
        Layer::Relu(_) | Layer::Sigmoid(_) | Layer::Tanh(_)
    );
    // Values that this pass has made are used once.
    (monotone && uses.get(id).is_none_or(|&uses| uses == 1)).then_some(function)
}

/// Before: x → function → y → pool → z. After: x → pool → new → function → z. Each takes the other's place in the
/// order: what the pool needs is there where the function was, and nothing between them uses y. Returns the new value.
fn swap(network: &mut LayerGraph, function: usize, pool: usize) -> ValueId {
    let pooled = network.values.len();
    let result = network.nodes[pool].output;
    let mut value = network.values[result].clone();
    value.name.clone_from(&network.nodes[pool].name);
    network.values.push(value);
    network.nodes.swap(function, pool);
    let [first, second] = [function, pool];
    let inputs = std::mem::replace(&mut network.nodes[second].inputs, vec![pooled]);
    let LayerNode {
        inputs: operands,
        output,
        ..
    } = &mut network.nodes[first];
    (*operands, *output) = (inputs, pooled);
    network.nodes[second].output = result;
    pooled
}
