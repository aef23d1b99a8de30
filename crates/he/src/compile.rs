//! From an ONNX graph to a plan of encrypted inference.

mod calibrate;
mod hide;
mod quantise;

use crate::choose;
use crate::lower::lower;
use crate::plan::{check_samples, value_bits};
use crate::poly::{Interval, Method, Polynomial};
use crate::{Activation, HeError, Packing, Plan, Program};
use hide::{Hidden, hide};
use ndarray::{ArrayD, Axis};
use quantise::Quantised;
use std::collections::BTreeMap;
use trefoil_nn::Graph;

/// How a model is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Degree of the polynomials in the place of activation functions.
    pub degree: usize,
    /// The largest error that a polynomial may have on its interval: the lowest degree that reaches it is taken, [`Options::degree`] at
    /// most.
    pub error: Option<f64>,
    /// Polynomials that are not fitted but given, by the name of the activation's node: those that the model was fine-tuned with.
    pub polynomials: BTreeMap<String, Polynomial>,
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
    /// Whether the weights are encrypted with every query: the server learns the network's structure and its polynomials alone. For very
    /// small networks: each weight is a ciphertext, and each of its products one of ciphertexts.
    pub encrypted_model: bool,
    /// How samples lie in ciphertexts.
    pub packing: Packing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            degree: 2,
            error: None,
            polynomials: BTreeMap::new(),
            method: Method::LeastSquares,
            widen: 1.5,
            input_range: Interval {
                low: 0.0,
                high: 1.0,
            },
            input_bits: 8,
            weight_bits: 8,
            encrypted_model: false,
            packing: Packing::Batch,
        }
    }
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
    if options.encrypted_model && options.packing == Packing::Single {
        return Err(HeError::Input {
            problem: "an encrypted model takes throughput packing, since each weight is an element of its input".into(),
        });
    }
    let lowered = lower(graph)?;
    let known = |name: &String| lowered.nodes.iter().any(|node| node.name == *name);
    if let Some(name) = options.polynomials.keys().find(|name| !known(name)) {
        return Err(HeError::Input {
            problem: format!(
                "a polynomial is given for node `{name}`, which the model does not have"
            ),
        });
    }
    let samples = check_samples(calibration, &lowered.input_shape, options.input_range)?;
    let activations = calibrate::fit_all(&lowered, &samples, options)?;
    let quantised = quantise::quantise(&lowered, &activations, options)?;
    let plain = Hidden {
        quantised,
        activations: activations.clone(),
        weights: Vec::new(),
    };
    let made = if options.encrypted_model {
        hide(plain.quantised, plain.activations)
    } else {
        plain
    };
    let Quantised { network, steps } = made.quantised;
    network.check()?;
    let value_bits = value_bits(&network, options.input_range, steps[0], &made.weights)?;
    let (parameters, noise_bits) = choose::parameters(&network, &value_bits, options.packing)?;
    let plan = Plan {
        program: Program {
            parameters,
            network,
            packing: options.packing,
            noise_bits,
        },
        input_shape: lowered.input_shape.clone(),
        output_shape: lowered.output_shape.clone(),
        input_range: options.input_range,
        steps,
        activations: made.activations,
        value_bits,
        weights: made.weights,
    };
    Ok(Compiled {
        plan,
        lowered,
        activations,
    })
}
