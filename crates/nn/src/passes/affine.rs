//! Scales and shifts of channels (batch normalisation, biases, normalised inputs) folded into the
//! weights of a convolution or a matrix product beside them.

use crate::graph::Element;
use crate::operators::Layer;
use crate::operators::layer_graph::LayerGraph;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use std::collections::HashMap;

/// Fold `Mul` and `Add` of constants, one for each channel, into the convolution or product that
/// makes their other operand.
pub(super) fn fold_into_producer(network: &mut LayerGraph) {
    let mut producers: HashMap<ValueId, usize> = HashMap::new();
    // What stands for the output of a folded layer: its producer's output, which is never folded itself.
    let mut same: HashMap<ValueId, ValueId> = HashMap::new();
    let mut folded = vec![false; network.nodes.len()];
    let mut uses = network.uses();
    for index in network.walk() {
        for id in &mut network.nodes[index].inputs {
            *id = same.get(id).copied().unwrap_or(*id);
        }
        let found = channelwise(network, index).and_then(|step| {
            let &producer = producers.get(&step.operand)?;
            let linear = Linear::of(network, producer).filter(|_| uses[step.operand] == 1)?;
            let values = linear.outputs(network, &step)?;
            Some((producer, linear, step.kind, values))
        });
        let Some((producer, linear, kind, values)) = found else {
            producers.insert(network.nodes[index].output, index);
            continue;
        };
        let before = network.nodes[producer].inputs.clone();
        linear.apply(network, producer, kind, &values);
        network.renew(&mut uses, &before, producer);
        // The producer takes the place of the folded layer.
        let (old, new) = (network.nodes[index].output, network.nodes[producer].output);
        same.insert(old, new);
        uses[new] = uses[old];
        network.nodes[index].inputs.clear();
        folded[index] = true;
    }
    for (_, id) in &mut network.outputs {
        *id = same.get(id).copied().unwrap_or(*id);
    }
    remove(network, &folded);
}

/// Fold `Mul` by constants, one for each channel, into the only convolution or product that uses
/// the result; `Add` too, where no padding keeps its border apart.
pub(super) fn fold_into_consumer(network: &mut LayerGraph) {
    let mut folded = vec![false; network.nodes.len()];
    let mut uses = network.uses();
    // The layer whose first operand a value is: its consumer, where it has but one use.
    let mut consumers: HashMap<ValueId, usize> = HashMap::new();
    for index in network.walk() {
        if let Some(&first) = network.nodes[index].inputs.first() {
            consumers.insert(first, index);
        }
    }
    // Backwards: of a shift before a scale, the scale is folded first.
    for index in network.walk().rev() {
        let Some(step) = channelwise(network, index) else {
            continue;
        };
        let output = network.nodes[index].output;
        if uses[output] != 1 {
            continue;
        }
        let Some(&consumer) = consumers.get(&output) else {
            continue;
        };
        let Some(linear) = Linear::of(network, consumer) else {
            continue;
        };
        let Some(values) = linear.inputs(network, &step) else {
            continue;
        };
        let before = network.nodes[consumer].inputs.clone();
        match step.kind {
            Kind::Scale => linear.scale_inputs(network, consumer, &values),
            Kind::Shift if linear.padded => continue,
            Kind::Shift => linear.shift_inputs(network, consumer, &values),
        }
        network.nodes[consumer].inputs[0] = step.operand;
        network.renew(&mut uses, &before, consumer);
        // The folded layer's use of its operand has become the consumer's.
        uses[step.operand] -= 1;
        consumers.insert(step.operand, consumer);
        network.nodes[index].inputs.clear();
        folded[index] = true;
    }
    remove(network, &folded);
}

#[derive(Clone, Copy)]
enum Kind {
    Scale,
    Shift,
}

/// A `Mul` or `Add` of a value and a constant.
struct Channelwise {
    kind: Kind,
    operand: ValueId,
    constant: ValueId,
}

fn channelwise(network: &LayerGraph, index: usize) -> Option<Channelwise> {
    let node = &network.nodes[index];
    let kind = match node.layer {
        Layer::Mul(_) => Kind::Scale,
        Layer::Add(_) => Kind::Shift,
        _ => return None,
    };
    let &[x, y] = node.inputs.as_slice() else {
        return None;
    };
    let (operand, constant) = if network.constant_of(y).is_some() {
        (x, y)
    } else {
        (y, x)
    };
    network.constant_of(constant)?;
    let same = network.shape(operand) == network.shape(node.output);
    same.then_some(Channelwise {
        kind,
        operand,
        constant,
    })
}

/// A convolution or a product with constant weights and bias.
struct Linear {
    weights: ValueId,
    bias: Option<ValueId>,
    /// Of the output.
    channels: usize,
    /// Axis of the output's channels, and of the input's.
    axis: usize,
    /// Axis of the output's channels among the weights'.
    weights_axis: usize,
    groups: usize,
    padded: bool,
}

impl Linear {
    fn of(network: &LayerGraph, index: usize) -> Option<Self> {
        let node = &network.nodes[index];
        let (&weights, bias) = (node.inputs.get(1)?, node.inputs.get(2).copied());
        network.constant_of(weights)?;
        if let Some(bias) = bias {
            network.constant_of(bias)?;
        }
        let rank = network.shape(node.output).len();
        let shape = network.shape(weights);
        Some(match &node.layer {
            Layer::Conv(conv) => {
                let (channels, padded) = (shape[0], conv.pads != [0; 4]);
                Self {
                    weights,
                    bias,
                    channels,
                    axis: 1,
                    weights_axis: 0,
                    groups: conv.groups,
                    padded,
                }
            }
            Layer::MatMul(_) => {
                let (channels, axis) = (shape[1], rank - 1);
                Self {
                    weights,
                    bias,
                    channels,
                    axis,
                    weights_axis: 1,
                    groups: 1,
                    padded: false,
                }
            }
            _ => return None,
        })
    }

    /// The constant's value for each output channel, if it has but one for each.
    fn outputs(&self, network: &LayerGraph, step: &Channelwise) -> Option<Vec<f64>> {
        per_channel(network, step, self.axis, self.channels)
    }

    /// The constant's value for each input channel, if it has but one for each.
    fn inputs(&self, network: &LayerGraph, step: &Channelwise) -> Option<Vec<f64>> {
        let channels = network.shape(step.operand)[self.axis];
        per_channel(network, step, self.axis, channels)
    }

    /// Scale or shift the outputs.
    fn apply(&self, network: &mut LayerGraph, index: usize, kind: Kind, values: &[f64]) {
        let bias = self.bias.and_then(|id| network.constant_of(id).cloned());
        let each = |f: &dyn Fn(f64, f64) -> f64| -> Vec<f64> {
            let old = bias
                .as_ref()
                .map_or_else(|| vec![0.0; self.channels], |b| b.iter().copied().collect());
            old.iter()
                .zip(values)
                .map(|(&old, &value)| f(old, value))
                .collect()
        };
        match kind {
            Kind::Scale => {
                self.map_weights(network, index, |channel, _| values[channel]);
                if self.bias.is_some() {
                    self.put_bias(network, index, each(&|old, scale| old * scale));
                }
            }
            Kind::Shift => self.put_bias(network, index, each(&|old, shift| old + shift)),
        }
    }

    /// Let the weights do what a scale of the inputs did.
    fn scale_inputs(&self, network: &mut LayerGraph, index: usize, values: &[f64]) {
        self.map_weights(network, index, |_, input| values[input]);
    }

    /// Let the bias do what a shift of the inputs did.
    fn shift_inputs(&self, network: &mut LayerGraph, index: usize, values: &[f64]) {
        let Some(weights) = network.constant_of(self.weights).cloned() else {
            return;
        };
        let mut bias = match self.bias.and_then(|id| network.constant_of(id)) {
            Some(bias) => bias.iter().copied().collect(),
            None => vec![0.0; self.channels],
        };
        for (at, &weight) in weights.indexed_iter() {
            let (channel, input) = self.channels_at(&weights, ndarray::Dimension::slice(&at));
            bias[channel] += weight * values[input];
        }
        self.put_bias(network, index, bias);
    }

    /// Multiply each weight by `factor(output channel, input channel)`.
    fn map_weights(
        &self,
        network: &mut LayerGraph,
        index: usize,
        factor: impl Fn(usize, usize) -> f64,
    ) {
        let Some(old) = network.constant_of(self.weights).cloned() else {
            return;
        };
        let mut weights = ArrayD::clone(&old);
        for (at, weight) in weights.indexed_iter_mut() {
            let (channel, input) = self.channels_at(&old, ndarray::Dimension::slice(&at));
            *weight *= factor(channel, input);
        }
        let name = network.values[self.weights].name.clone();
        network.nodes[index].inputs[1] = network.constant(&name, weights, Element::Float);
    }

    /// The output and the input channel that the weight at `at` joins.
    fn channels_at(&self, weights: &ArrayD<f64>, at: &[usize]) -> (usize, usize) {
        let channel = at[self.weights_axis];
        let (inner, depth) = (
            at[1 - self.weights_axis],
            weights.shape()[1 - self.weights_axis],
        );
        let group = channel / (self.channels / self.groups);
        (channel, group * depth + inner)
    }

    fn put_bias(&self, network: &mut LayerGraph, index: usize, bias: Vec<f64>) {
        let array = ArrayD::from_shape_vec(IxDyn(&[bias.len()]), bias).unwrap_or_default();
        let name = match self.bias {
            Some(id) => network.values[id].name.clone(),
            None => format!("{}.bias", network.nodes[index].name),
        };
        let bias = network.constant(&name, array, Element::Float);
        network.nodes[index].inputs.truncate(2);
        network.nodes[index].inputs.push(bias);
    }
}

/// The constant of `step` as one value for each of `channels` on `axis` of its operand; `None` if
/// its shape has other axes.
fn per_channel(
    network: &LayerGraph,
    step: &Channelwise,
    axis: usize,
    channels: usize,
) -> Option<Vec<f64>> {
    let rank = network.shape(step.operand).len();
    let constant = network.constant_of(step.constant)?;
    let missing = rank.checked_sub(constant.ndim())?;
    let other = |(i, &size): (usize, &usize)| i + missing == axis || size == 1;
    if !constant.shape().iter().enumerate().all(other) {
        return None;
    }
    match constant.len() {
        1 => Some(constant.iter().copied().cycle().take(channels).collect()),
        len if len == channels => Some(constant.iter().copied().collect()),
        _ => None,
    }
}

/// Remove the nodes that are folded.
fn remove(network: &mut LayerGraph, folded: &[bool]) {
    let mut folded = folded.iter();
    network
        .nodes
        .retain(|_| !folded.next().copied().unwrap_or(false));
}
