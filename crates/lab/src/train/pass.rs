//! One way through a network.

use super::architecture::Layer;
use super::network::Network;
use super::value::Value;
use burn_tensor::Tensor;
use burn_tensor::activation::relu;
use burn_tensor::module::{
    adaptive_avg_pool2d, avg_pool2d, batch_norm, batch_norm_train, conv2d, linear, max_pool2d,
};
use burn_tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};

/// Added to variances before their root, as everyone does.
pub(super) const EPSILON: f64 = 1e-5;

/// What the way is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To use the network: batch normalisation takes its running statistics.
    Evaluate,
    /// To train it: batch normalisation takes the batch's, and they are kept.
    Train,
    /// To see each example's gradient: every layer with weights gets a tap.
    Tap,
}

/// Zeros added to a layer's output. Their gradient is that of each example's output, from which
/// each example's gradient of the weights follows without running examples one by one.
#[derive(Debug, Clone)]
pub(super) struct Tap {
    /// What went into the layer.
    pub(super) input: Value,
    /// The zeros.
    pub(super) zeros: Value,
    /// The layer.
    pub(super) layer: Layer,
}

/// One way through a network.
pub(super) struct Pass<'a> {
    network: &'a Network,
    parameters: &'a [Tensor<1>],
    mode: Mode,
    next_parameter: usize,
    next_statistics: usize,
    /// Mean and biased variance of the batch at each batch normalisation, with how many numbers
    /// they are taken over.
    pub(super) seen: Vec<(Tensor<1>, Tensor<1>, usize)>,
    /// The taps, first layer first.
    pub(super) taps: Vec<Tap>,
}

impl<'a> Pass<'a> {
    /// A way with these parameters, which may be tracked copies of the network's.
    pub(super) fn new(network: &'a Network, parameters: &'a [Tensor<1>], mode: Mode) -> Self {
        Self {
            network,
            parameters,
            mode,
            next_parameter: 0,
            next_statistics: 0,
            seen: Vec::new(),
            taps: Vec::new(),
        }
    }

    /// From inputs to outputs (examples, outputs).
    pub(super) fn run(&mut self, input: Value) -> Tensor<2> {
        let layers = &self.network.architecture.layers;
        self.layers(layers, input).rows()
    }

    fn layers(&mut self, layers: &[Layer], mut value: Value) -> Value {
        for layer in layers {
            value = self.layer(layer, value);
        }
        value
    }

    fn layer(&mut self, layer: &Layer, value: Value) -> Value {
        match layer {
            Layer::Linear { .. } => {
                let x = value.rows();
                let (weight, bias) = (self.parameter::<2>(), self.parameter::<1>());
                let out = linear(x.clone(), weight, Some(bias));
                self.tapped(layer, Value::Rows(x), Value::Rows(out))
            }
            &Layer::Conv {
                stride,
                padding,
                bias,
                ..
            } => {
                let x = value.pictures();
                let weight = self.parameter::<4>();
                let bias = bias.then(|| self.parameter::<1>());
                let options = ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
                let out = conv2d(x.clone(), weight, bias, options);
                self.tapped(layer, Value::Pictures(x), Value::Pictures(out))
            }
            Layer::BatchNorm => Value::Pictures(self.batch_norm(value.pictures())),
            Layer::Relu => value.map(relu, relu),
            &Layer::MaxPool { size } => {
                let options = MaxPoolOptions::new([size; 2]).with_stride([size; 2]);
                Value::Pictures(max_pool2d(value.pictures(), options))
            }
            &Layer::AveragePool { size } => {
                let options = AvgPoolOptions::new([size; 2]).with_stride([size; 2]);
                Value::Pictures(avg_pool2d(value.pictures(), options))
            }
            Layer::GlobalAveragePool => {
                Value::Rows(adaptive_avg_pool2d(value.pictures(), [1, 1]).flatten(1, 3))
            }
            Layer::Flatten => match value {
                Value::Pictures(x) => Value::Rows(x.flatten(1, 3)),
                rows @ Value::Rows(_) => rows,
            },
            Layer::Residual { body, shortcut } => {
                let long = self.layers(body, value.clone());
                let short = self.layers(shortcut, value);
                match (long, short) {
                    (Value::Rows(x), Value::Rows(y)) => Value::Rows(x + y),
                    (x, y) => Value::Pictures(x.pictures() + y.pictures()),
                }
            }
        }
    }

    fn batch_norm(&mut self, x: Tensor<4>) -> Tensor<4> {
        let (scale, shift) = (self.parameter::<1>(), self.parameter::<1>());
        let index = self.next_statistics;
        self.next_statistics += 1;
        if self.mode == Mode::Train {
            let [n, _, h, w] = x.dims();
            let out = batch_norm_train(x, scale, shift, EPSILON);
            self.seen
                .push((out.mean.inner(), out.variance.inner(), n * h * w));
            out.output
        } else {
            let (mean, variance) = self.network.statistics[index].clone();
            batch_norm(x, scale, shift, mean, variance, EPSILON)
        }
    }

    /// The next parameter in its shape.
    fn parameter<const D: usize>(&mut self) -> Tensor<D> {
        let index = self.next_parameter;
        self.next_parameter += 1;
        let shape = &self.network.specification[index].shape;
        let mut sizes = [0; D];
        sizes.copy_from_slice(shape);
        self.parameters[index].clone().reshape(sizes)
    }

    /// `out`, plus a tap if that is wanted.
    fn tapped(&mut self, layer: &Layer, input: Value, out: Value) -> Value {
        if self.mode != Mode::Tap {
            return out;
        }
        let device = self.network.device.clone().autodiff();
        let zeros = out.zeros(&device);
        let sum = match (out, zeros.clone()) {
            (Value::Rows(x), Value::Rows(y)) => Value::Rows(x + y),
            (x, y) => Value::Pictures(x.pictures() + y.pictures()),
        };
        self.taps.push(Tap {
            input: input.map(Tensor::inner, Tensor::inner),
            zeros,
            layer: layer.clone(),
        });
        sum
    }
}
