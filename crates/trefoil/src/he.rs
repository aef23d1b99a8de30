//! One encrypted server in the place of three: the same ONNX models, computed on ciphertexts (see docs/he.md).
//!
//! The owner compiles a model to a plan, which she keeps, and a program, which the server gets; she makes keys, encrypts samples and decrypts
//! answers. The server computes with the program and the evaluation key alone. Each step goes from file to file; no file is ever replaced.

mod backends;
mod compare;
mod report;
mod verify;

pub use backends::{Alternative, AlternativeCost, Priced, backends};
pub use compare::{Comparison, compare, scores};
pub use report::{ActivationReport, LayerReport, Report};
pub use verify::{EncryptedServer, InIntegers, Probes};

pub use trefoil_he::poly::{Interval, Method, Polynomial};
pub use trefoil_he::steps::{Keys, Written};
pub use trefoil_he::{
    Activation, Answer, Compiled, Forecast, HeError, Options, Packing, Plan, Program, Query, Sizes,
};

use crate::data::{self, Preparation};
use crate::{Error, Samples, Source};
use ndarray::{Array2, ArrayD};
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::Path;
use trefoil_he::IntegerLayer;
use trefoil_he::scheme::Cipher;
use trefoil_nn::graph::Dimension;

impl From<HeError> for Error {
    fn from(error: HeError) -> Self {
        let help = match &error {
            HeError::Overflow { .. } => {
                "lower --weight-bits, --input-bits or --degree, or state a narrower --input-range"
            }
            HeError::Noise { .. } => "lower --degree, or train a network of fewer layers",
            HeError::Foreign { .. } => {
                "use the plan, the program, the keys and the files of one compilation together"
            }
            HeError::Damaged { .. } => "copy the file again, or make it again",
            HeError::File { source, .. } if source.kind() == ErrorKind::AlreadyExists => {
                "files of encrypted inference are never replaced: remove it, or name another"
            }
            HeError::File { source, .. } if source.kind() == ErrorKind::NotFound => {
                "check the path; it is relative to this folder"
            }
            _ => return Self::new(error),
        };
        Self::new(error).with_help(help)
    }
}

/// The samples' tensor, of a model of one input.
fn values(samples: &Samples) -> Result<&ArrayD<f64>, Error> {
    match samples.inputs.as_slice() {
        [values] => Ok(values),
        inputs => Err(Error::new(format!(
            "the model takes {} inputs, one is supported on one encrypted server",
            inputs.len()
        ))
        .with_help("export a model of one input, or use three servers (trefoil infer)")),
    }
}

/// Compile `source` for samples like `calibration`. Nothing is written yet, see [`save`].
///
/// # Errors
/// A layer without an encrypted counterpart, or values or noise that no parameters can carry, with the layer; samples of another shape or
/// outside the stated range.
pub fn compile(
    source: &Source,
    calibration: &Samples,
    options: &Options,
) -> Result<Compiled, Error> {
    Ok(trefoil_he::compile(
        source.graph(),
        values(calibration)?,
        options,
    )?)
}

/// Write a plan, which the owner keeps, and its program, which the server gets: both or none.
///
/// # Errors
/// Files that exist or cannot be written.
pub fn save(compiled: &Compiled, plan: &Path, program: &Path) -> Result<(), Error> {
    Ok(trefoil_he::steps::save(compiled, plan, program)?)
}

/// Read samples for a plan, prepared as those that it was calibrated with.
///
/// # Errors
/// If the file cannot be read, or holds samples of another shape.
pub fn samples(plan: &Plan, path: &Path, preparation: &Preparation) -> Result<ArrayD<f64>, Error> {
    let own = plan.input_shape.iter().skip(1);
    let axes: Vec<Dimension> = std::iter::once(Dimension::Free("N".to_owned()))
        .chain(own.map(|&size| Dimension::Fixed(size)))
        .collect();
    Ok(data::samples(path, preparation, &axes, &plan.program.network.name)?.values)
}

/// Make the owner's keys for a plan.
///
/// # Errors
/// A plan that cannot be read; files that exist or cannot be written.
pub fn keygen(plan: &Path, secret: &Path, evaluation: &Path) -> Result<Keys, Error> {
    Ok(trefoil_he::steps::keygen(plan, secret, evaluation)?)
}

/// Encrypt samples (samples, …) for a plan.
///
/// # Errors
/// Samples outside the range, or that lead an activation outside of the interval that its polynomial is fitted on; files that cannot be
/// read, exist, or cannot be written.
pub fn encrypt(
    plan: &Plan,
    secret: &Path,
    samples: &ArrayD<f64>,
    query: &Path,
    threads: NonZeroUsize,
) -> Result<Written, Error> {
    Ok(trefoil_he::steps::encrypt(
        plan, secret, samples, query, threads,
    )?)
}

/// Compute on a query: the server's step, which takes no secret. `watch` is told how many layers of how many are done, and the last one's
/// name.
///
/// # Errors
/// Files that cannot be read, do not belong together, exist, or cannot be written.
pub fn infer(
    program: &Program,
    evaluation: &Path,
    query: &Path,
    answer: &Path,
    threads: NonZeroUsize,
    watch: &mut (dyn FnMut(usize, usize, &str) + Send),
) -> Result<Written, Error> {
    let all = program.network.layers.len() * program.parameters.plain_moduli().len();
    let mut done = 0;
    let mut each = |_: usize, layer: &IntegerLayer, _: &[Cipher]| {
        done += 1;
        // In single packing every further sample does as much again.
        watch(done, all.max(done), &layer.name);
        Ok(())
    };
    Ok(trefoil_he::steps::infer(
        program, evaluation, query, answer, threads, &mut each,
    )?)
}

/// Decrypt an answer to the model's outputs: (samples, outputs).
///
/// # Errors
/// Files that cannot be read or do not belong together.
pub fn decrypt(plan: &Plan, secret: &Path, answer: &Path) -> Result<Array2<f64>, Error> {
    Ok(trefoil_he::steps::decrypt(plan, secret, answer)?)
}
