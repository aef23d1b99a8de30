//! Encrypted inference from file to file, for command lines: each step reads what it needs, writes what it makes, and returns what there
//! is to print. No file is ever replaced; a step that fails leaves none of its own behind.
//!
//! | step | by | reads | writes |
//! |---|---|---|---|
//! | [`compile()`] | owner | ONNX model, calibration samples | plan (kept), program (for the server) |
//! | [`keygen`] | owner | plan | secret key (kept), evaluation key (for the server) |
//! | [`encrypt`] | owner | plan, secret key, samples | query |
//! | [`infer`] | server | program, evaluation key, query | answer |
//! | [`decrypt`] | owner | plan, secret key, answer | |

use crate::network::Watch;
use crate::scheme::{Cipher, EvaluationKey, KeyId, SecretKey, generate_with};
use crate::{Answer, Compiled, HeError, Options, Plan, Program, Query};
use ndarray::{Array2, ArrayD};
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use trefoil_nn::Graph;

/// What [`keygen`] made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keys {
    /// Names the key.
    pub id: KeyId,
    /// Bytes of the secret key's file.
    pub secret: u64,
    /// Bytes of the evaluation key's file.
    pub evaluation: u64,
}

/// A file of samples or answers that a step wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written {
    /// Samples in it.
    pub samples: usize,
    /// Its bytes.
    pub bytes: u64,
}

/// Compile a model for samples like `calibration` (samples, …). [`Compiled::plan`] prints as a report.
///
/// # Errors
/// As [`crate::compile()`]; a model that cannot be read; files that exist or cannot be written.
pub fn compile(
    model: &Path,
    calibration: &ArrayD<f64>,
    options: &Options,
    plan: &Path,
    program: &Path,
) -> Result<Compiled, HeError> {
    let graph = Graph::load(model).map_err(|error| HeError::Model(error.to_string()))?;
    let compiled = crate::compile(&graph, calibration, options)?;
    save(&compiled, plan, program)?;
    Ok(compiled)
}

/// Write what was compiled: the plan and the program, or none of them.
///
/// # Errors
/// Files that exist or cannot be written.
pub fn save(compiled: &Compiled, plan: &Path, program: &Path) -> Result<(), HeError> {
    both(
        plan,
        |path| compiled.plan.save(path),
        || compiled.plan.program.save(program),
    )
}

/// Make the owner's keys for a plan.
///
/// # Errors
/// A plan that cannot be read; files that exist or cannot be written.
pub fn keygen(plan: &Path, secret: &Path, evaluation: &Path) -> Result<Keys, HeError> {
    let plan = Plan::load(plan)?;
    let (own, public) = generate_with(&plan.program.parameters, &plan.program.rotations()?)?;
    both(secret, |path| own.save(path), || public.save(evaluation))?;
    Ok(Keys {
        id: own.id(),
        secret: size(secret)?,
        evaluation: size(evaluation)?,
    })
}

/// Encrypt samples (samples, …).
///
/// # Errors
/// As [`Plan::encrypt`]; files that cannot be read, exist, or cannot be written.
pub fn encrypt(
    plan: &Plan,
    secret: &Path,
    samples: &ArrayD<f64>,
    query: &Path,
    threads: NonZeroUsize,
) -> Result<Written, HeError> {
    let secret = SecretKey::load(secret)?;
    let made = plan.encrypt(&secret, samples, threads)?;
    made.save(query, &plan.program)?;
    Ok(Written {
        samples: made.samples(),
        bytes: size(query)?,
    })
}

/// Compute on a query: the server's step, which takes no secret. `watch` is told of each layer, once for each plaintext modulus; `&mut ()`
/// looks away.
///
/// # Errors
/// As [`Program::infer`]; files that cannot be read, exist, or cannot be written.
pub fn infer(
    program: &Program,
    evaluation: &Path,
    query: &Path,
    answer: &Path,
    threads: NonZeroUsize,
    watch: &mut (dyn Watch<Cipher> + Send),
) -> Result<Written, HeError> {
    let evaluation = EvaluationKey::load(evaluation)?;
    let query = Query::load(query, program)?;
    let made = program.infer(&evaluation, query, threads, watch)?;
    made.save(answer, program)?;
    Ok(Written {
        samples: made.samples(),
        bytes: size(answer)?,
    })
}

/// Decrypt an answer to the model's outputs: (samples, outputs).
///
/// # Errors
/// As [`Plan::decrypt`]; files that cannot be read.
pub fn decrypt(plan: &Plan, secret: &Path, answer: &Path) -> Result<Array2<f64>, HeError> {
    let secret = SecretKey::load(secret)?;
    let answer = Answer::load(answer, &plan.program)?;
    Ok(plan.decode(&plan.decrypt(&secret, &answer)?))
}

/// Write two files or none.
fn both(
    path: &Path,
    first: impl FnOnce(&Path) -> Result<(), HeError>,
    second: impl FnOnce() -> Result<(), HeError>,
) -> Result<(), HeError> {
    first(path)?;
    second().inspect_err(|_| {
        // It was written just now; half of a pair is of no use.
        let _ = fs::remove_file(path);
    })
}

fn size(path: &Path) -> Result<u64, HeError> {
    let found = fs::metadata(path).map_err(|source| HeError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(found.len())
}
