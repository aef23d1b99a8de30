//! Common subexpressions: a layer that is there twice is computed once.

use crate::operators::layer_graph::LayerGraph;
use crate::value::ValueId;
use std::collections::HashMap;

/// Let every layer with the parameters and operands of an earlier one give that one's value.
///
/// Operands are equal if they are the same value of the network: two weights that happen to hold the same numbers stay
/// two, so that no plan tells of it.
pub(super) fn merge(network: &mut LayerGraph) {
    let mut first: HashMap<(Vec<u8>, Vec<ValueId>), ValueId> = HashMap::new();
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    for index in network.walk() {
        let node = &mut network.nodes[index];
        for id in &mut node.inputs {
            *id = same.get(id).copied().unwrap_or(*id);
        }
        // Layers are plain data; their encoding tells all that they do.
        let Ok(layer) = postcard::to_allocvec(&node.layer) else {
            continue;
        };
        let key = (layer, node.inputs.clone());
        if let Some(&earlier) = first.get(&key) {
            same.insert(node.output, earlier);
        } else {
            first.insert(key, node.output);
        }
    }
    for (_, id) in &mut network.outputs {
        *id = same.get(id).copied().unwrap_or(*id);
    }
    network
        .nodes
        .retain(|node| !same.contains_key(&node.output));
}
