//! What there is to tell about a compiled model: for people as text, for programs as JSON.

use super::Comparison;
use crate::{Error, text};
use serde::Serialize;
use std::fmt;
use trefoil_he::{Compiled, Packing, Sizes};

/// All that [`super::compile`] found out. Prints as lines for people.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Degree of the scheme's ring.
    pub degree: usize,
    /// Bits of security against classical attacks, by the public table.
    pub security_bits: u32,
    /// Bits of the ciphertext modulus.
    pub cipher_bits: f64,
    /// Primes of the ciphertext modulus.
    pub cipher_primes: usize,
    /// The plaintext moduli.
    pub plain_moduli: Vec<u64>,
    /// How samples lie in ciphertexts.
    pub packing: Packing,
    /// Samples in a query, at most.
    pub samples: usize,
    /// Products in a row.
    pub depth: u32,
    /// Bytes of the secret key.
    pub secret_key_bytes: u64,
    /// Bytes of the evaluation key.
    pub evaluation_key_bytes: u64,
    /// Bytes of a query; in single packing of one sample.
    pub query_bytes: u64,
    /// Bytes of an answer.
    pub answer_bytes: u64,
    /// The most memory that computing takes.
    pub memory_bytes: u64,
    /// The layers, in order.
    pub layers: Vec<LayerReport>,
    /// The polynomials in the place of activations.
    pub activations: Vec<ActivationReport>,
    /// Accuracies before and after.
    pub comparison: Comparison,
    /// The plan's own lines.
    #[serde(skip)]
    lines: String,
}

/// A layer of integers.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// The model's node.
    pub name: String,
    /// Bits of its largest value, with the sign and one to spare.
    pub value_bits: f64,
    /// Bits of noise in its ciphertexts, at most.
    pub noise_bits: f64,
}

/// A polynomial in the place of an activation.
#[derive(Clone, Debug, Serialize)]
pub struct ActivationReport {
    /// The model's node.
    pub node: String,
    /// The function.
    pub function: String,
    /// The polynomial, lowest power first.
    pub coefficients: Vec<f64>,
    /// The interval that it is fitted on.
    pub interval: [f64; 2],
    /// The largest error on it.
    pub max_error: f64,
    /// The root of the mean squared error, weighted by where calibration samples are.
    pub weighted_error: f64,
}

impl Report {
    /// Of a compiled model and its comparison with the model as it was.
    ///
    /// # Errors
    /// The scheme's, if its tables cannot be made.
    pub fn of(compiled: &Compiled, comparison: Comparison) -> Result<Self, Error> {
        let plan = &compiled.plan;
        let program = &plan.program;
        let parameters = &program.parameters;
        let Sizes {
            secret_key,
            evaluation_key,
            query,
            answer,
            memory,
        } = program.sizes()?;
        let bits = plan.value_bits.iter().zip(&program.noise_bits);
        let layers = program.network.layers.iter().zip(bits);
        let layers = layers.map(|(layer, (&value_bits, &noise_bits))| LayerReport {
            name: layer.name.clone(),
            value_bits,
            noise_bits,
        });
        let activations = plan.activations.iter().flatten();
        let activations = activations.map(|activation| ActivationReport {
            node: activation.node.clone(),
            function: activation.fit.function.clone(),
            coefficients: activation.fit.polynomial.coefficients.clone(),
            interval: [activation.fit.interval.low, activation.fit.interval.high],
            max_error: activation.fit.max_error,
            weighted_error: activation.fit.weighted_error,
        });
        Ok(Self {
            degree: parameters.degree(),
            security_bits: parameters.security_bits(),
            cipher_bits: parameters.cipher_bits(),
            cipher_primes: parameters.cipher_moduli().len(),
            plain_moduli: parameters.plain_moduli().to_vec(),
            packing: program.packing,
            samples: program.most_samples(),
            depth: program.network.depth(),
            secret_key_bytes: secret_key,
            evaluation_key_bytes: evaluation_key,
            query_bytes: query,
            answer_bytes: answer,
            memory_bytes: memory,
            layers: layers.collect(),
            activations: activations.collect(),
            comparison,
            lines: plan.to_string(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.lines)?;
        let (packing, each) = match self.packing {
            Packing::Batch => ("a slot each", ""),
            Packing::Single => ("ciphertexts of their own each", " for each sample"),
        };
        writeln!(
            f,
            "depth {} products; {} samples in a query at most, {packing}",
            self.depth, self.samples
        )?;
        writeln!(
            f,
            "secret key {}, evaluation key {}, query {}, answer {}{each}; computing takes {} of memory at most",
            text::bytes(self.secret_key_bytes),
            text::bytes(self.evaluation_key_bytes),
            text::bytes(self.query_bytes),
            text::bytes(self.answer_bytes),
            text::bytes(self.memory_bytes)
        )?;
        write!(f, "{}", self.comparison)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(original), Some(polynomials), Some(integers)) = (
            self.accuracy_original,
            self.accuracy_polynomials,
            self.accuracy_integers,
        ) {
            writeln!(
                f,
                "accuracy {original:.4}, with polynomials {polynomials:.4}, in the integers that are encrypted {integers:.4}"
            )?;
        }
        write!(
            f,
            "{} of {} compared: the same class as the model as it was for {:.2} %, outputs at most {:.3e} from those of the polynomials in floats",
            self.samples - self.outside,
            text::count(self.samples, "sample"),
            100.0 * self.label_agreement,
            self.max_abs_error
        )?;
        if self.outside > 0 {
            write!(
                f,
                "\n{} would be refused, because an activation leaves its fitted interval: calibrate with samples like them, or raise --widen",
                text::count(self.outside, "sample")
            )?;
        }
        Ok(())
    }
}
