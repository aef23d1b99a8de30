//! Layout: orders of axes and shapes that follow each other become one, or none.

use crate::operators::layer_graph::LayerGraph;
use crate::operators::{Layer, Reshape, Transpose};
use crate::value::ValueId;
use std::collections::HashMap;

/// Join every `Transpose` with the `Transpose` before it, every `Reshape` with the `Reshape` before it, and drop those
/// that change nothing. Exporters from channels-last frameworks wrap each layer in a pair.
pub(super) fn join(network: &mut LayerGraph) {
    let mut producers: HashMap<ValueId, usize> = HashMap::new();
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    for index in network.walk() {
        for id in &mut network.nodes[index].inputs {
            *id = same.get(id).copied().unwrap_or(*id);
        }
        let node = &network.nodes[index];
        let before = node.inputs.first().and_then(|id| producers.get(id));
        let before = before.map(|&producer| &network.nodes[producer]);
        let joined = match (&node.layer, before.map(|before| &before.layer)) {
            (Layer::Transpose(outer), Some(Layer::Transpose(inner))) => {
                let axes = outer.axes.iter().map(|&axis| inner.axes[axis]).collect();
                Some(Transpose { axes }.into())
            }
            (Layer::Reshape(outer), Some(Layer::Reshape(_))) => {
                let shape = outer.shape.clone();
                Some(Reshape { shape }.into())
            }
            _ => None,
        };
        if let (Some(layer), Some(before)) = (joined, before) {
            let inputs = before.inputs.clone();
            let node = &mut network.nodes[index];
            (node.layer, node.inputs) = (layer, inputs);
        }
        let node = &network.nodes[index];
        let idle = match &node.layer {
            Layer::Transpose(transpose) => {
                transpose.axes.iter().copied().eq(0..transpose.axes.len())
            }
            Layer::Reshape(reshape) => network.shape(node.inputs[0]) == reshape.shape,
            _ => false,
        };
        if idle {
            same.insert(node.output, node.inputs[0]);
        } else {
            producers.insert(node.output, index);
        }
    }
    for (_, id) in &mut network.outputs {
        *id = same.get(id).copied().unwrap_or(*id);
    }
    network
        .nodes
        .retain(|node| !same.contains_key(&node.output));
}
