//! Max-pooling before activation: the maximum first, then the function of fewer elements.

use crate::network::{LayerNode, Network};
use crate::operators::Layer;

/// Swap every monotone function with the `MaxPool` that alone uses it:
/// `max(f(x)) = f(max(x))`.
pub(super) fn reorder(network: &mut Network) {
    let mut pool = 0;
    while pool < network.nodes.len() {
        if let Some(function) = function_before(network, pool) {
            swap(network, function, pool);
        }
        pool += 1;
    }
}

/// The monotone function whose output nothing but the pool at `pool` uses.
fn function_before(network: &Network, pool: usize) -> Option<usize> {
    let Layer::MaxPool(_) = network.nodes[pool].layer else {
        return None;
    };
    let id = network.nodes[pool].inputs[0];
    let function = network.nodes[..pool]
        .iter()
        .position(|node| node.output == id)?;
    let monotone = matches!(
        network.nodes[function].layer,
        Layer::Relu(_) | Layer::Sigmoid(_) | Layer::Tanh(_)
    );
    (monotone && network.uses()[id] == 1).then_some(function)
}

/// Before: x → function → y → pool → z. After: x → pool → new → function → z.
fn swap(network: &mut Network, function: usize, pool: usize) {
    let pooled = network.values.len();
    let result = network.nodes[pool].output;
    let mut value = network.values[result].clone();
    value.name.clone_from(&network.nodes[pool].name);
    network.values.push(value);
    let LayerNode {
        name,
        layer,
        inputs,
        ..
    } = network.nodes.remove(function);
    let pool = pool - 1;
    network.nodes[pool].inputs = inputs;
    network.nodes[pool].output = pooled;
    let after = LayerNode {
        name,
        layer,
        inputs: vec![pooled],
        output: result,
    };
    network.nodes.insert(pool + 1, after);
}
