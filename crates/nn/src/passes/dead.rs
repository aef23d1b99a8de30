//! Layers whose values nobody uses.

use crate::operators::layer_graph::LayerGraph;

/// Remove every layer that contributes to no output.
pub(super) fn remove(network: &mut LayerGraph) {
    let mut needed = vec![false; network.values.len()];
    for (_, id) in &network.outputs {
        needed[*id] = true;
    }
    for index in network.walk().rev() {
        let node = &network.nodes[index];
        if needed[node.output] {
            for &id in &node.inputs {
                needed[id] = true;
            }
        }
    }
    network.nodes.retain(|node| needed[node.output]);
}
