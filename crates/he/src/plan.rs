//! What the owner keeps: the server's program, and how to encode inputs, to check them, and to read results.

use crate::batch::Batch;
use crate::network::{
    Exact, IntegerLayer, IntegerOperation, Network, NoiseBound, Ranges, in_parallel,
};
use crate::poly::{Fit, Histogram, Interval};
use crate::program::differ;
use crate::scheme::{Residues, SecretKey};
use crate::{Answer, HeError, Packing, Program, Query};
use ndarray::{Array2, ArrayD, Axis};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroUsize;

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

/// What the owner compiles and keeps. The server gets the [`Program`] in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the server computes.
    pub program: Program,
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
    /// For each layer: bits of the largest integer that any input in the range can lead to, with the sign and one to spare.
    pub value_bits: Vec<f64>,
    /// The weights of an encrypted model, which are encrypted behind each sample; empty otherwise.
    pub weights: Vec<i128>,
}

impl Plan {
    /// The integers that stand for samples, each followed by the weights of an encrypted model: (samples, elements).
    ///
    /// # Errors
    /// Samples of another shape, or outside the input range.
    pub fn encode(&self, samples: &ArrayD<f64>) -> Result<Array2<i128>, HeError> {
        let rows = check_samples(samples, &self.input_shape, self.input_range)?;
        let (count, width) = (rows.len(), self.program.network.inputs);
        let whole = |row: &Vec<f64>| {
            let own = row.iter().map(|x| (x / self.steps[0]).round() as i128);
            own.chain(self.weights.iter().copied()).collect::<Vec<_>>()
        };
        let whole = rows.iter().flat_map(whole).collect();
        Array2::from_shape_vec((count, width), whole).map_err(|error| HeError::Input {
            problem: error.to_string(),
        })
    }

    /// The numbers that integers of the result stand for.
    pub fn decode(&self, integers: &Array2<i128>) -> Array2<f64> {
        integers.mapv(|integer| integer as f64 * self.steps[self.program.network.output])
    }

    /// What the network computes from encoded samples, in the clear: exactly what the encrypted one decrypts to. The owner's check of inputs
    /// as well.
    ///
    /// # Errors
    /// The first sample that leads an activation outside of the interval that its polynomial was fitted on, with the node: there
    /// the polynomial is nothing like the function.
    pub fn exact(&self, encoded: &Array2<i128>) -> Result<Array2<i128>, HeError> {
        let mut all = Array2::zeros((encoded.nrows(), self.program.network.outputs()));
        for (sample, (x, mut row)) in encoded.outer_iter().zip(all.outer_iter_mut()).enumerate() {
            let mut values: Vec<Vec<i128>> = vec![x.to_vec()];
            let mut watch = |index: usize, layer: &IntegerLayer, made: &[i128]| {
                if let Some(activation) = &self.activations[index] {
                    let from = layer.inputs[0];
                    self.check_fitted(sample, &values[from], self.steps[from], activation)?;
                }
                values.push(made.to_vec());
                Ok(())
            };
            let made =
                self.program
                    .network
                    .run(&Exact, x.to_vec(), NonZeroUsize::MIN, &mut watch)?;
            row.iter_mut()
                .zip(made)
                .for_each(|(slot, value)| *slot = value);
        }
        Ok(all)
    }

    fn check_fitted(
        &self,
        sample: usize,
        inputs: &[i128],
        step: f64,
        activation: &Activation,
    ) -> Result<(), HeError> {
        let interval = activation.fit.interval;
        let outside = inputs
            .iter()
            .map(|&x| x as f64 * step)
            .find(|x| !interval.contains(*x));
        match outside {
            None => Ok(()),
            Some(x) => Err(HeError::Input {
                problem: format!(
                    "sample {sample} leads to {x:.4} at node `{}` of {}, outside the interval {interval} that its polynomial is fitted on: \
                     calibrate with samples like it, or widen the intervals",
                    activation.node, self.program.network.name
                ),
            }),
        }
    }

    /// Encrypt samples (samples, …), as many as there are slots at most.
    ///
    /// # Errors
    /// Samples that do not fit, that lie outside the input range, or that lead an activation outside of its interval
    /// ([`Plan::exact`]); a key of other parameters.
    pub fn encrypt(
        &self,
        key: &SecretKey,
        samples: &ArrayD<f64>,
        threads: NonZeroUsize,
    ) -> Result<Query, HeError> {
        let Program {
            parameters,
            packing,
            ..
        } = &self.program;
        self.program.fits("secret key", key.parameters())?;
        let encoded = self.encode(samples)?;
        let most = self.program.most_samples();
        if encoded.nrows() > most {
            return Err(HeError::Input {
                problem: format!(
                    "{} samples for a query of {most} slots at most",
                    encoded.nrows()
                ),
            });
        }
        self.exact(&encoded)?;
        let residues = Residues::new(parameters.plain_moduli())?;
        let vectors: Vec<Vec<i128>> = match packing {
            Packing::Batch => {
                let columns = encoded.columns().into_iter();
                columns.map(|column| column.to_vec()).collect()
            }
            Packing::Single => {
                let packed = self.program.packed()?;
                let samples = encoded.outer_iter();
                samples
                    .flat_map(|sample| packed.arrange(&sample.to_vec()))
                    .collect()
            }
        };
        let mut channels = Vec::new();
        for (at, channel) in parameters.channels()?.iter().enumerate() {
            channels.push(in_parallel(vectors.len(), threads, |vector| {
                let vector = vectors[vector].iter();
                let vector: Vec<u64> = vector.map(|&x| residues.residue(x, at)).collect();
                channel.encrypt(key, &vector)
            })?);
        }
        Ok(Query(Batch {
            key: key.id(),
            program: self.program.digest(),
            samples: encoded.nrows(),
            channels,
        }))
    }

    /// Decrypt an answer to the result's integers: (samples, outputs).
    ///
    /// # Errors
    /// An answer of another plan, or made with another key.
    pub fn decrypt(&self, key: &SecretKey, answer: &Answer) -> Result<Array2<i128>, HeError> {
        let parameters = &self.program.parameters;
        self.program.fits("secret key", key.parameters())?;
        let outputs = self.program.network.outputs();
        let batch = &answer.0;
        let (_, ciphers) = self.program.ciphers(batch.samples);
        batch.belongs("answer", &self.program, key.id(), ciphers)?;
        let residues = Residues::new(parameters.plain_moduli())?;
        let library = parameters.channels()?;
        let mut all = Array2::zeros((batch.samples, outputs));
        // A column of the result for each ciphertext, or a row.
        let axis = match self.program.packing {
            Packing::Batch => Axis(1),
            Packing::Single => Axis(0),
        };
        for (at, mut line) in all.axis_iter_mut(axis).enumerate() {
            let parts = library.iter().zip(&batch.channels);
            let vectors = parts.map(|(channel, ciphers)| channel.decrypt(key, &ciphers[at]));
            let vectors = vectors.collect::<Result<Vec<_>, _>>()?;
            for (place, slot) in line.iter_mut().enumerate() {
                let each: Vec<u64> = vectors.iter().map(|vector| vector[place]).collect();
                *slot = residues.integer(&each);
            }
        }
        Ok(all)
    }

    /// Check what encrypting, computing and decrypting rely on. The bounds are computed again, not believed.
    ///
    /// # Errors
    /// What contradicts itself; values or noise beyond the parameters.
    pub fn check(&self) -> Result<(), HeError> {
        let network = &self.program.network;
        network.check()?;
        let wrong = |problem: &str| {
            Err(HeError::Damaged {
                what: "plan",
                problem: problem.to_owned(),
            })
        };
        let layers = network.layers.len();
        let step = |step: &f64| step.is_finite() && *step != 0.0;
        if self.steps.len() != layers + 1 || !self.steps.iter().all(step) {
            return wrong("its steps do not fit its layers");
        }
        if self.activations.len() != layers {
            return wrong("its activations do not fit its layers");
        }
        let fits = network.layers.iter().zip(&self.activations);
        let mut fits = fits.map(|(layer, activation)| match layer.operation {
            IntegerOperation::Polynomial(_) => activation.is_some(),
            _ => activation.is_none() || layer.inputs.len() == 1,
        });
        if !fits.all(|fits| fits) {
            return wrong("a polynomial has no interval, or a layer that is none has one");
        }
        let Interval { low, high } = self.input_range;
        Interval::new(low, high)?;
        let elements = |shape: &[usize]| {
            let mut sizes = shape.iter();
            sizes.try_fold(1_usize, |all, &size| all.checked_mul(size))
        };
        let own = network.inputs.checked_sub(self.weights.len());
        if own.is_none()
            || elements(&self.input_shape) != own
            || elements(&self.output_shape) != Some(network.outputs())
            || self.input_shape.first() != Some(&1)
            || self.output_shape.first() != Some(&1)
        {
            return wrong("its shapes do not fit its network");
        }
        let value_bits = value_bits(network, self.input_range, self.steps[0], &self.weights)?;
        crate::choose::fits(network, &self.program.parameters, &value_bits)?;
        if differ(&self.value_bits, &value_bits) {
            return wrong("its bits of values are not those of its network");
        }
        self.program.check()
    }
}

/// The report of a compilation: parameters, layers, fits.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program {
            parameters,
            network,
            noise_bits,
            ..
        } = &self.program;
        writeln!(f, "{}: {parameters}", network.name)?;
        let limit = NoiseBound::new(parameters).limit_bits(parameters);
        writeln!(
            f,
            "the result needs {:.0} of {:.0} bits of plaintext moduli; noise of {limit:.0} bits still decrypts",
            self.value_bits.last().copied().unwrap_or(0.0),
            parameters.plain_bits()
        )?;
        let bits = self.value_bits.iter().zip(noise_bits);
        let rows = network.layers.iter().zip(&self.activations).zip(bits);
        for ((layer, activation), (values, noise)) in rows {
            writeln!(
                f,
                "  {:<16} values of {values:5.1} bits, noise of {noise:5.1} bits at most",
                layer.name
            )?;
            if let Some(activation) = activation {
                writeln!(f, "    {}", activation.fit)?;
            }
        }
        Ok(())
    }
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

/// For each layer, bits of the largest integer that a sample in `range` can lead to, with the sign and one bit to spare. `weights` are the last
/// elements of the input.
pub(crate) fn value_bits(
    network: &Network,
    range: Interval,
    step: f64,
    weights: &[i128],
) -> Result<Vec<f64>, HeError> {
    let (low, high) = (range.low / step, range.high / step);
    let own = network.inputs.saturating_sub(weights.len());
    let samples = std::iter::repeat_n([low.floor(), high.ceil()], own);
    let weights = weights.iter().map(|&weight| [weight as f64; 2]);
    let inputs = samples.chain(weights).collect();
    let mut bits = Vec::new();
    let mut watch = |_: usize, _: &IntegerLayer, values: &[[f64; 2]]| {
        let largest = values.iter().flatten().map(|v| v.abs()).fold(1.0, f64::max);
        bits.push(largest.log2() + 2.0);
        Ok(())
    };
    network.run(&Ranges, inputs, NonZeroUsize::MIN, &mut watch)?;
    Ok(bits)
}
