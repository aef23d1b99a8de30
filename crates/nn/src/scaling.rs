//! Scaling at a model's input, apart from the rest: the client applies it before anything is shared.

use crate::backend::Clear;
use crate::batch::filled;
use crate::executor::run;
use crate::graph::Element;
use crate::operators::layer_graph::{LayerGraph, LayerNode};
use crate::operators::{Layer, Mul};
use crate::plan::{Plan, Weights};
use crate::ready::ready;
use crate::value::ValueId;
use ndarray::{ArrayD, Axis, IxDyn};

/// What is done to a model's input in the clear, by whoever asks.
///
/// **Secrecy.** It holds constants of the model, and for each feature a power of two that tells the size of the first
/// layer's weights. They are for clients, never for servers; whether clients may know them is the owner's choice.
#[derive(Clone)]
pub struct Scaling {
    pub(crate) plan: Plan,
    pub(crate) weights: Weights,
}

impl Scaling {
    /// Names of the layers that are applied, in order.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.plan.steps.iter().map(|step| step.name.as_str())
    }

    /// The scaled inputs (N, …) of samples (N, …), for any N.
    ///
    /// # Errors
    /// If a sample has another shape than the model's input.
    pub fn apply(&self, samples: &ArrayD<f64>) -> Result<ArrayD<f64>, ndarray::ShapeError> {
        let count = samples.len_of(Axis(0));
        let batch = self.plan.batch;
        let mut parts = Vec::with_capacity(count.div_ceil(batch));
        for start in (0..count).step_by(batch) {
            let input = filled(samples, start, batch);
            let Ok(mut scaled) = ready(run(
                &self.plan,
                &Clear,
                self.weights.clear(),
                vec![input],
                &mut (),
            ));
            parts.extend(scaled.pop());
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let mut all = ndarray::concatenate(Axis(0), &views)?;
        all.slice_axis_inplace(Axis(0), (..count).into());
        Ok(all.as_standard_layout().into_owned())
    }
}

/// Take the leading scaling out of `network`, which begins behind it then; none if it begins with something else or
/// has several inputs.
pub(crate) fn take(network: &mut LayerGraph) -> Option<LayerGraph> {
    let &[input] = &network.inputs[..] else {
        return None;
    };
    let mut taken = Vec::new();
    let mut kept = (0, input);
    let mut current = input;
    let users = Users::of(network);
    while let Some(node) = users.only(current) {
        let (affine, moves) = kind(network, &network.nodes[node], current);
        let output = network.nodes[node].output;
        let batched = network.values[output].batched;
        if !(affine || moves) || !batched {
            break;
        }
        taken.push(node);
        current = output;
        if affine {
            // Layers that only move elements are taken where an affine one follows.
            kept = (taken.len(), current);
        }
    }
    taken.truncate(kept.0);
    let end = kept.1;
    let mut scaling = LayerGraph {
        values: network.values.clone(),
        inputs: vec![input],
        rebatched: network.rebatched,
        folding: network.folding,
        ..LayerGraph::default()
    };
    let mut index = 0;
    let (before, behind): (Vec<LayerNode>, Vec<LayerNode>) = std::mem::take(&mut network.nodes)
        .into_iter()
        .partition(|_| {
            index += 1;
            taken.contains(&(index - 1))
        });
    (scaling.nodes, network.nodes) = (before, behind);
    let name = network.values[input].name.clone();
    scaling.outputs = vec![(name.clone(), end)];
    network.inputs = vec![end];
    network.values[end].name = name;
    Some(scaling)
}

/// Take a power of two for each feature out of the first layer's weights where they are small, and let the scaling do
/// it. To be called when the network is optimised.
///
/// # Errors
/// If a layer does not fit, which the shapes rule out.
pub(crate) fn balance(network: &mut LayerGraph, scaling: &mut LayerGraph) -> Result<(), String> {
    let &[input] = &network.inputs[..] else {
        return Ok(());
    };
    let users = Users::of(network);
    let Some(place) = users.only(input) else {
        return Ok(());
    };
    let node = &network.nodes[place];
    let (axis, weights_axis) = match &node.layer {
        Layer::MatMul(_) => (network.shape(input).len() - 1, 0),
        Layer::Conv(conv) if conv.groups == 1 => (1, 1),
        _ => return Ok(()),
    };
    let &[first, weights, ..] = &node.inputs[..] else {
        return Ok(());
    };
    let (Some(values), 1) = (network.constant_of(weights).cloned(), users.uses[weights]) else {
        return Ok(());
    };
    let channels = network.shape(input)[axis];
    if first != input || values.shape()[weights_axis] != channels {
        return Ok(());
    }
    let factors: Vec<f64> = values
        .axis_iter(Axis(weights_axis))
        .map(|channel| channel.iter().fold(0.0_f64, |most, v| most.max(v.abs())))
        .map(|most| {
            // Small weights become such between one half and 1; others stay.
            let small = most > 0.0 && most < 0.5;
            if small {
                most.log2().floor().exp2() * 2.0
            } else {
                1.0
            }
        })
        .collect();
    if factors.iter().all(|&factor| factor >= 1.0) {
        return Ok(());
    }
    let mut scaled = ArrayD::clone(&values);
    for (mut channel, factor) in scaled.axis_iter_mut(Axis(weights_axis)).zip(&factors) {
        channel.mapv_inplace(|v| v / factor);
    }
    let name = network.values[weights].name.clone();
    let larger = network.constant(&name, scaled, Element::Float);
    network.nodes[place].inputs[1] = larger;
    let mut shape = vec![1; network.shape(input).len() - axis];
    shape[0] = channels;
    let array = ArrayD::from_shape_vec(IxDyn(&shape), factors).unwrap_or_default();
    let factors = scaling.constant("feature scales", array, Element::Float);
    let (name, end) = scaling.outputs[0].clone();
    let end = scaling.layer("feature scales", Mul {}.into(), &[end, factors])?;
    scaling.outputs = vec![(name, end)];
    Ok(())
}

/// Who uses a network's values.
struct Users {
    /// How often each value is used.
    uses: Vec<usize>,
    /// A node that uses it.
    node: Vec<Option<usize>>,
}

impl Users {
    fn of(network: &mut LayerGraph) -> Self {
        let uses = network.uses();
        let mut node = vec![None; uses.len()];
        for place in network.walk() {
            for &id in &network.nodes[place].inputs {
                node[id] = Some(place);
            }
        }
        Self { uses, node }
    }

    /// The only node that uses `value`, which uses it once; none for outputs.
    fn only(&self, value: ValueId) -> Option<usize> {
        if self.uses[value] == 1 {
            self.node[value]
        } else {
            None
        }
    }
}

/// Whether a node scales or shifts `value` by constants, and whether it only moves its elements.
fn kind(network: &LayerGraph, node: &LayerNode, value: ValueId) -> (bool, bool) {
    let others = node.inputs.iter().filter(|&&id| id != value);
    let constant = others.clone().all(|&id| network.constant_of(id).is_some());
    let same = network.shape(node.output) == network.shape(value);
    match &node.layer {
        Layer::Mul(_) | Layer::Add(_) | Layer::Sub(_) => (constant && same, false),
        Layer::Scale(_) | Layer::Offset(_) => (true, false),
        Layer::Reshape(_) | Layer::Transpose(_) => (false, true),
        _ => (false, false),
    }
}
