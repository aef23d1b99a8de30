//! From an ONNX graph to a plan of encrypted inference.

mod calibrate;
mod choose;
mod quantise;

use crate::lower::lower;
use crate::network::{IntegerLayer, IntegerOperation, Network, Ranges};
use crate::poly::{Fit, Histogram, Interval, Method};
use crate::{HeError, Parameters};
use ndarray::{ArrayD, Axis};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use trefoil_nn::Graph;

/// How a model is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Degree of the polynomials in the place of activation functions.
    pub degree: usize,
    /// How they are fitted.
    pub method: Method,
    /// By how much the calibrated interval of each activation is widened: 1 for not at all.
    pub widen: f64,
    /// The range of input values; others are refused at encryption.
    pub input_range: Interval,
    /// Bits of an input value, without its sign.
    pub input_bits: u32,
    /// Bits of a weight, with its sign.
    pub weight_bits: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            degree: 2,
            method: Method::LeastSquares,
            widen: 1.5,
            input_range: Interval {
                low: 0.0,
                high: 1.0,
            },
            input_bits: 8,
            weight_bits: 8,
        }
    }
}

/// An activation function and the polynomial in its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The model's node.
    pub node: String,
    /// The polynomial and its errors.
    pub fit: Fit,
    /// Where its inputs were, on calibration samples.
    pub histogram: Histogram,
}

/// What the owner compiles and the server runs: the network in integers, parameters, and what the owner needs to encode inputs and to
/// read results. It holds the weights: encryption here hides the queries and the answers, not the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scheme's parameters.
    pub parameters: Parameters,
    /// The network.
    pub network: Network,
    /// Shape of a sample, with a leading 1.
    pub input_shape: Vec<usize>,
    /// Shape of a result, with a leading 1.
    pub output_shape: Vec<usize>,
    /// The range of input values.
    pub input_range: Interval,
    /// The number that an integer counts, for each value of the network; may be negative.
    pub steps: Vec<f64>,
    /// The activations, one for each layer of the network, `None` for layers that are none.
    pub activations: Vec<Option<Activation>>,
    /// For each layer: bits of the largest integer that any input in the range can lead to, with the sign.
    pub value_bits: Vec<f64>,
    /// For each layer: bits of noise, at most.
    pub noise_bits: Vec<f64>,
}

/// A compiled model: the plan, and the same network in floats, before it became one of integers.
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    lowered: crate::lower::Lowered,
    activations: Vec<Option<Activation>>,
}

impl Compiled {
    /// The model as it was, in floats: (samples, …) to (samples, outputs).
    pub fn original(&self, samples: &ArrayD<f64>) -> ndarray::Array2<f64> {
        let none = vec![None; self.lowered.nodes.len()];
        self.each(samples, &none)
    }

    /// The model with polynomials for its activations, in floats.
    pub fn replaced(&self, samples: &ArrayD<f64>) -> ndarray::Array2<f64> {
        self.each(samples, &self.activations)
    }

    fn each(
        &self,
        samples: &ArrayD<f64>,
        activations: &[Option<Activation>],
    ) -> ndarray::Array2<f64> {
        let outputs = self.lowered.output_shape.iter().product();
        let mut all = ndarray::Array2::zeros((samples.len_of(Axis(0)), outputs));
        for (sample, mut row) in samples.outer_iter().zip(all.outer_iter_mut()) {
            let x: Vec<f64> = sample.iter().copied().collect();
            let made = self.lowered.run(&x, activations);
            row.iter_mut()
                .zip(made)
                .for_each(|(slot, value)| *slot = value);
        }
        all
    }
}

/// Compile `graph` with polynomials fitted on `calibration` (samples, …), which are the owner's and stay with her: of them the plan
/// holds intervals and histograms.
///
/// # Errors
/// An operator without an encrypted counterpart, with its node; values or noise that no parameters can carry, with the layer;
/// calibration samples of another shape or outside the input range.
pub fn compile(
    graph: &Graph,
    calibration: &ArrayD<f64>,
    options: &Options,
) -> Result<Compiled, HeError> {
    if !(2..=16).contains(&options.weight_bits)
        || !(1..=16).contains(&options.input_bits)
        || !(1.0..=100.0).contains(&options.widen)
    {
        return Err(HeError::Input {
            problem: format!(
                "{} bits for weights, {} for inputs, intervals widened {} times; 2 to 16, 1 to 16 and 1 to 100 are supported",
                options.weight_bits, options.input_bits, options.widen
            ),
        });
    }
    let lowered = lower(graph)?;
    let samples = check_samples(calibration, &lowered.input_shape, options.input_range)?;
    let activations = calibrate::fit_all(&lowered, &samples, options)?;
    let quantised = quantise::quantise(&lowered, &activations, options)?;
    let network = quantised.network;
    network.check()?;
    let value_bits = value_bits(&network, options.input_range, quantised.steps[0])?;
    let (parameters, noise_bits) = choose::parameters(&network, &value_bits)?;
    let plan = Plan {
        parameters,
        network,
        input_shape: lowered.input_shape.clone(),
        output_shape: lowered.output_shape.clone(),
        input_range: options.input_range,
        steps: quantised.steps,
        activations: activations.clone(),
        value_bits,
        noise_bits,
    };
    Ok(Compiled {
        plan,
        lowered,
        activations,
    })
}

/// Samples as vectors, if they have the shape and lie in the range.
pub(crate) fn check_samples(
    samples: &ArrayD<f64>,
    shape: &[usize],
    range: Interval,
) -> Result<Vec<Vec<f64>>, HeError> {
    let refuse = |problem: String| Err(HeError::Input { problem });
    if samples.ndim() != shape.len()
        || samples.shape().get(1..) != shape.get(1..)
        || samples.is_empty()
    {
        return refuse(format!(
            "samples of shape {:?} for inputs of shape {shape:?}",
            samples.shape()
        ));
    }
    if let Some((at, value)) = samples
        .indexed_iter()
        .find(|(_, value)| !range.contains(**value))
    {
        let at = ndarray::Dimension::slice(&at);
        return refuse(format!(
            "element {at:?} is {value}, outside the declared range {range}"
        ));
    }
    Ok(samples
        .outer_iter()
        .map(|sample| sample.iter().copied().collect())
        .collect())
}

/// For each layer, bits of the largest integer that an input in `range` can lead to, with the sign and one bit to spare.
pub(crate) fn value_bits(
    network: &Network,
    range: Interval,
    step: f64,
) -> Result<Vec<f64>, HeError> {
    let ends = [(range.low / step).floor(), (range.high / step).ceil()];
    let inputs = vec![ends; network.inputs];
    let mut bits = Vec::new();
    let mut watch = |_: usize, _: &IntegerLayer, values: &[[f64; 2]]| {
        let largest = values.iter().flatten().map(|v| v.abs()).fold(1.0, f64::max);
        bits.push(largest.log2() + 2.0);
        Ok(())
    };
    network.run(&Ranges, inputs, NonZeroUsize::MIN, &mut watch)?;
    Ok(bits)
}

impl Plan {
    /// Check what running and decrypting rely on, the bounds included: they are computed again, not believed.
    ///
    /// # Errors
    /// What contradicts itself; values or noise beyond the parameters.
    pub fn check(&self) -> Result<(), HeError> {
        self.network.check()?;
        let wrong = |problem: &str| {
            Err(HeError::Damaged {
                what: "plan",
                problem: problem.to_owned(),
            })
        };
        let layers = self.network.layers.len();
        let elements = |shape: &[usize]| {
            shape
                .iter()
                .try_fold(1_usize, |all, &size| all.checked_mul(size))
        };
        if self.steps.len() != layers + 1
            || self
                .steps
                .iter()
                .any(|step| !step.is_finite() || *step == 0.0)
        {
            return wrong("its steps do not fit its layers");
        }
        if self.activations.len() != layers
            || self.value_bits.len() != layers
            || self.noise_bits.len() != layers
        {
            return wrong("its reports do not fit its layers");
        }
        let polynomial =
            |layer: &IntegerLayer| matches!(layer.operation, IntegerOperation::Polynomial(_));
        let fits = self.network.layers.iter().zip(&self.activations);
        if fits
            .into_iter()
            .any(|(layer, fit)| polynomial(layer) && fit.is_none())
        {
            return wrong("a polynomial has no interval");
        }
        let Interval { low, high } = self.input_range;
        Interval::new(low, high)?;
        if elements(&self.input_shape) != Some(self.network.inputs)
            || elements(&self.output_shape) != Some(self.network.outputs())
            || self.input_shape.first() != Some(&1)
            || self.output_shape.first() != Some(&1)
        {
            return wrong("its shapes do not fit its network");
        }
        let value_bits = value_bits(&self.network, self.input_range, self.steps[0])?;
        choose::check(&self.network, &self.parameters, &value_bits)?;
        Ok(())
    }

    /// What tells plans apart: BLAKE3 of the encoding.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil he plan");
        hasher.update(&postcard::to_stdvec(self).unwrap_or_default());
        *hasher.finalize().as_bytes()
    }
}
