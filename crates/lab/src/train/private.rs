//! Differentially private training: DP-SGD (Abadi et al., CCS 2016).

use super::accountant::Accountant;
use super::architecture::Layer;
use super::examples::Examples;
use super::fit::{Epoch, Loss};
use super::network::{Network, numbers, vector};
use super::pass::{Mode, Pass, Tap};
use super::sgd::Sgd;
use super::value::Value;
use crate::LabError;
use crate::random::Stream;
use burn_tensor::Tensor;
use burn_tensor::module::unfold4d;
use burn_tensor::ops::UnfoldOptions;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Added to the square of a gradient's norm, so that a gradient of 0 has one.
const LEAST: f64 = 1e-12;

/// How a network is trained with differential privacy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateFit {
    /// Epochs: `records / batch` steps each, rounded up.
    pub epochs: usize,
    /// Examples in a batch, on average.
    pub batch: usize,
    /// The optimiser.
    pub sgd: Sgd,
    /// The norm to which each example's gradient is clipped.
    pub clip: f64,
    /// Standard deviation of the noise, in units of `clip`.
    pub noise: f64,
    /// Draws batches and noise. The guarantee holds for whom does not know it.
    pub seed: u64,
}

/// Train `network` so that one record more or less changes little, and give the accountant of
/// what was spent.
///
/// Each example's gradient is clipped to the norm `clip`, the sum of a batch gets Gaussian noise.
/// Batches take each example with probability `batch / examples`, as the accountant assumes.
/// Gradients per example are not computed one by one: a layer's is an outer product of what goes
/// into it and the gradient of what comes out, whose norm and weighted sum follow from the batch.
///
/// # Errors
/// If the examples do not fit the network, it has batch normalisation (which mixes examples), the
/// options make no sense, or the device fails.
pub fn fit_privately(
    network: &mut Network,
    examples: &Examples<'_>,
    options: &PrivateFit,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<Accountant, LabError> {
    network.check_inputs(examples.inputs.ncols())?;
    options.check(network, examples)?;
    let sampling = (options.batch as f64 / examples.len() as f64).min(1.0);
    let steps = examples.len().div_ceil(options.batch);
    let mut draws = Stream::new(options.seed, "batches of private training");
    let mut noise = Stream::new(options.seed, "noise of private training");
    let mut velocity = Vec::new();
    for epoch in 0..options.epochs {
        let start = Instant::now();
        let rate = options.sgd.rate_at(epoch);
        let (mut sum, mut seen) = (0.0, 0);
        for _ in 0..steps {
            let chosen: Vec<usize> = (0..examples.len())
                .filter(|_| draws.unit() < sampling)
                .collect();
            let (loss, sums) = clipped(network, examples, &chosen, options.clip)?;
            let deviation = options.noise * options.clip;
            let gradients = sums.into_iter().map(|gradient| {
                let [count] = gradient.dims();
                let drawn = (0..count)
                    .map(|_| (noise.normal() * deviation) as f32)
                    .collect();
                (gradient + vector(drawn, &network.device)) / options.batch as f64
            });
            let gradients = gradients.collect();
            options
                .sgd
                .step(rate, &mut network.parameters, gradients, &mut velocity);
            sum += loss;
            seen += chosen.len();
        }
        if !sum.is_finite() {
            let problem = format!(
                "the loss became {sum} in epoch {}; lower the rate",
                epoch + 1
            );
            return Err(LabError::Model(problem));
        }
        let elapsed = start.elapsed();
        progress(&Epoch {
            number: epoch + 1,
            of: options.epochs,
            loss: sum / seen.max(1) as f64,
            rate,
            elapsed,
            throughput: seen as f64 / elapsed.as_secs_f64().max(1e-9),
        });
    }
    Ok(Accountant {
        noise: options.noise,
        sampling,
        steps: steps * options.epochs,
    })
}

impl PrivateFit {
    fn check(&self, network: &Network, examples: &Examples<'_>) -> Result<(), LabError> {
        let refuse = |problem: String| Err(LabError::input("private training", problem));
        let architecture = network.architecture();
        if !architecture.statistics()?.is_empty() {
            return refuse(format!(
                "{} has batch normalisation, which mixes examples; take an MLP, LeNet or AlexNet",
                architecture.name
            ));
        }
        let positive = |value: f64| value > 0.0 && value.is_finite();
        if !positive(self.clip) || !positive(self.sgd.rate) || self.batch == 0 {
            return refuse("clip, rate and batch must be above 0".into());
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return refuse(format!("noise {} is negative", self.noise));
        }
        let outputs = architecture.outputs()?;
        match examples.labels.iter().max() {
            Some(&most) if most >= outputs => refuse(format!(
                "label {most}, but the network tells {outputs} classes apart"
            )),
            _ => Ok(()),
        }
    }
}

/// The sum of the chosen examples' losses, and for each parameter the sum of their gradients, each
/// example's clipped to the norm `clip` over all parameters.
fn clipped(
    network: &Network,
    examples: &Examples<'_>,
    chosen: &[usize],
    clip: f64,
) -> Result<(f64, Vec<Tensor<1>>), LabError> {
    if chosen.is_empty() {
        let zero = |p: &Tensor<1>| p.clone() * 0.0;
        return Ok((0.0, network.parameters.iter().map(zero).collect()));
    }
    let device = network.device.clone().autodiff();
    let input = network.batch(examples.rows(chosen), chosen.len(), &device);
    let parameters: Vec<_> = network
        .parameters
        .iter()
        .map(|p| p.clone().autodiff())
        .collect();
    let mut pass = Pass::new(network, &parameters, Mode::Tap);
    let outputs = pass.run(input);
    let taps = pass.taps;
    let loss = Loss::CrossEntropy.of(outputs, examples, chosen);
    let value = numbers(&loss)?.iter().map(|&v| f64::from(v)).sum();
    let gradients = loss.backward();
    let missing = || LabError::Model("a layer has no gradient".into());
    let layers: Vec<PerExample> = taps
        .into_iter()
        .map(|tap| {
            let out = match &tap.zeros {
                Value::Rows(x) => x.grad(&gradients).map(Value::Rows),
                Value::Pictures(x) => x.grad(&gradients).map(Value::Pictures),
            };
            Ok(PerExample::new(tap, out.ok_or_else(missing)?))
        })
        .collect::<Result<_, LabError>>()?;
    let count = chosen.len();
    let zero = Tensor::<1>::zeros([count], &network.device);
    let squares = layers
        .iter()
        .fold(zero, |sum, layer| sum + layer.squared_norms());
    // min(1, clip / norm) for each example.
    let factors = (squares + LEAST)
        .sqrt()
        .recip()
        .mul_scalar(clip)
        .clamp_max(1.0);
    let sums = layers
        .iter()
        .flat_map(|layer| layer.weighted_sums(&factors));
    Ok((value, sums.collect()))
}

/// What the gradients of one layer's weights follow from, example by example.
struct PerExample {
    /// What went in (examples, inputs, places); a linear layer has one place.
    input: Tensor<3>,
    /// The gradient of what came out (examples, outputs, places).
    output: Tensor<3>,
    /// Whether there is a bias.
    bias: bool,
    /// Whether weights are kept as inputs × outputs, rather than outputs × inputs.
    inputs_first: bool,
}

impl PerExample {
    fn new(tap: Tap, output: Value) -> Self {
        match (tap.layer, tap.input, output) {
            (
                Layer::Conv {
                    kernel,
                    stride,
                    padding,
                    bias,
                    ..
                },
                Value::Pictures(x),
                Value::Pictures(g),
            ) => {
                let [n, c, h, w] = g.dims();
                let options = UnfoldOptions::new([stride; 2], [padding; 2], [1, 1]);
                Self {
                    input: unfold4d(x, [kernel; 2], options),
                    output: g.reshape([n, c, h * w]),
                    bias,
                    inputs_first: false,
                }
            }
            (_, x, g) => Self {
                input: x.rows().unsqueeze_dim(2),
                output: g.rows().unsqueeze_dim(2),
                bias: true,
                inputs_first: true,
            },
        }
    }

    /// The square of each example's norm, of shape (examples).
    fn squared_norms(&self) -> Tensor<1> {
        let [n, _, _] = self.input.dims();
        let square = |x: Tensor<3>| (x.clone() * x).sum_dims(&[1, 2]).reshape([n]);
        let weights = if self.inputs_first {
            // ‖a gᵀ‖² = ‖a‖² ‖g‖².
            square(self.input.clone()) * square(self.output.clone())
        } else {
            square(
                self.output
                    .clone()
                    .matmul(self.input.clone().swap_dims(1, 2)),
            )
        };
        if self.bias {
            weights + square(self.output.clone().sum_dim(2))
        } else {
            weights
        }
    }

    /// The sums of the examples' gradients, each times its factor: of the weights, and of the bias.
    fn weighted_sums(&self, factors: &Tensor<1>) -> Vec<Tensor<1>> {
        let [n, inputs, places] = self.input.dims();
        let [_, outputs, _] = self.output.dims();
        let weighted = self.output.clone() * factors.clone().reshape([n, 1, 1]);
        let flat = |x: Tensor<3>, rows: usize| x.permute([1, 0, 2]).reshape([rows, n * places]);
        let (g, a) = (
            flat(weighted.clone(), outputs),
            flat(self.input.clone(), inputs),
        );
        let weights = if self.inputs_first {
            a.matmul(g.transpose())
        } else {
            g.matmul(a.transpose())
        };
        let mut sums = vec![weights.reshape([inputs * outputs])];
        if self.bias {
            sums.push(weighted.sum_dims(&[0, 2]).reshape([outputs]));
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Architecture, accuracy};
    use ndarray::Array2;

    /// A network with convolutions and linear layers, and examples for it.
    fn small() -> (Network, Array2<f32>, Vec<usize>) {
        let layers = vec![
            Layer::Conv {
                channels: 3,
                kernel: 3,
                stride: 2,
                padding: 1,
                bias: true,
            },
            Layer::Relu,
            Layer::MaxPool { size: 2 },
            Layer::Flatten,
            Layer::Linear { outputs: 4 },
        ];
        let architecture = Architecture {
            name: "small".into(),
            input: vec![2, 8, 8],
            layers,
        };
        let network = Network::new(&architecture, 3).unwrap();
        let mut stream = Stream::new(4, "examples");
        let inputs = Array2::from_shape_simple_fn((6, 128), || stream.normal() as f32);
        (network, inputs, vec![0, 1, 2, 3, 0, 1])
    }

    fn sums(network: &Network, examples: &Examples<'_>, chosen: &[usize], clip: f64) -> Vec<f32> {
        let (_, sums) = clipped(network, examples, chosen, clip).unwrap();
        sums.iter().flat_map(|sum| numbers(sum).unwrap()).collect()
    }

    fn norm(gradient: &[f32]) -> f64 {
        gradient
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    #[test]
    fn clipped_sums_are_those_of_examples_one_by_one() {
        let (network, inputs, labels) = small();
        let examples = Examples::new(inputs.view(), &labels, 4).unwrap();
        let all: Vec<usize> = (0..6).collect();
        let single: Vec<Vec<f32>> = all
            .iter()
            .map(|&one| sums(&network, &examples, &[one], 1e9))
            .collect();
        let norms: Vec<f64> = single.iter().map(|gradient| norm(gradient)).collect();
        let clip = f64::midpoint(
            norms.iter().copied().fold(f64::INFINITY, f64::min),
            norms.iter().copied().fold(0.0, f64::max),
        );
        let together = sums(&network, &examples, &all, clip);
        for (index, &ours) in together.iter().enumerate() {
            let theirs: f64 = single
                .iter()
                .zip(&norms)
                .map(|(gradient, norm)| f64::from(gradient[index]) * (clip / norm).min(1.0))
                .sum();
            assert!(
                (f64::from(ours) - theirs).abs() < 1e-4,
                "{index}: {ours} {theirs}"
            );
        }
        // One alone has the norm of the clip, or its own.
        for (one, &own) in norms.iter().enumerate() {
            let alone = norm(&sums(&network, &examples, &[one], clip));
            assert!((alone - own.min(clip)).abs() < 1e-4 * clip);
        }
    }

    #[test]
    fn without_clipping_and_noise_it_is_the_gradient() {
        let (network, inputs, labels) = small();
        let examples = Examples::new(inputs.view(), &labels, 4).unwrap();
        let all: Vec<usize> = (0..6).collect();
        let ours = sums(&network, &examples, &all, 1e9);
        let device = network.device.clone().autodiff();
        let track = |p: &Tensor<1>| p.clone().autodiff().require_grad();
        let leaves: Vec<Tensor<1>> = network.parameters.iter().map(track).collect();
        let input = network.batch(examples.rows(&all), 6, &device);
        let outputs = Pass::new(&network, &leaves, Mode::Train).run(input);
        let gradients = Loss::CrossEntropy.of(outputs, &examples, &all).backward();
        let theirs: Vec<f32> = leaves
            .iter()
            .flat_map(|leaf| numbers(&leaf.grad(&gradients).unwrap()).unwrap())
            .collect();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-4, "{ours} {theirs}");
        }
    }

    #[test]
    fn private_training_learns_what_is_common_and_says_its_price() {
        let mut stream = Stream::new(8, "examples");
        let labels: Vec<usize> = (0..200).map(|row| row % 2).collect();
        let inputs = Array2::from_shape_fn((200, 4), |(row, _)| {
            stream.normal() as f32 * 0.5 + if labels[row] == 0 { 1.0 } else { -1.0 }
        });
        let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
        let mut network = Network::new(&Architecture::mlp(4, &[8], 2), 1).unwrap();
        let options = PrivateFit {
            epochs: 5,
            batch: 40,
            sgd: Sgd {
                rate: 0.5,
                ..Sgd::default()
            },
            clip: 1.0,
            noise: 1.0,
            seed: 2,
        };
        let spent = fit_privately(&mut network, &examples, &options, &mut |_| {}).unwrap();
        assert_eq!((spent.steps, spent.sampling), (25, 0.2));
        assert!(spent.epsilon(1e-5) < 10.0 && spent.epsilon(1e-5) > 2.0);
        let right = accuracy(network.outputs(inputs.view()).unwrap().view(), &labels);
        assert!(right > 0.95, "{right}");
    }

    #[test]
    fn batch_normalisation_is_refused() {
        let mut network = Network::new(&Architecture::resnet18([1, 8, 8], 2, 2), 0).unwrap();
        let inputs = Array2::zeros((2, 64));
        let labels = [0, 1];
        let examples = Examples::new(inputs.view(), &labels, 2).unwrap();
        let options = PrivateFit {
            epochs: 1,
            batch: 2,
            sgd: Sgd::default(),
            clip: 1.0,
            noise: 1.0,
            seed: 0,
        };
        let error = fit_privately(&mut network, &examples, &options, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("batch normalisation"), "{error}");
    }
}
