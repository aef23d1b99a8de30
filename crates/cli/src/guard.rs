//! `trefoil guard`: make, tune and apply the guard of a model's answers.

mod apply;
mod train;
mod tune;

use crate::{Failure, inputs};
use clap::{Args, Subcommand};
use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};
use std::path::Path;
use trefoil_guard::{Guard as AnyGuard, GuardError};
use trefoil_nn::Plan;

/// Options of `trefoil guard`.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(subcommand)]
    command: GuardCommand,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Train a guard: a membership classifier to deceive, or a table of average answers
    Train(train::Train),
    /// Choose number and length of SIGuard's steps on a grid, in fixed point
    Tune(tune::Tune),
    /// Turn logits into guarded confidences: in the clear, in fixed point, or on three parties
    Apply(apply::Apply),
}

/// Do what was asked.
pub(crate) fn run(arguments: &Guard, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        GuardCommand::Train(train) => train::run(train, json),
        GuardCommand::Tune(tune) => tune::run(tune, json),
        GuardCommand::Apply(apply) => apply::run(apply, json),
    }
}

/// The guard of a file.
///
/// # Errors
/// If it cannot be read, or is no guard.
pub(crate) fn load(path: &Path) -> Result<AnyGuard, Failure> {
    inputs::regular(path)?;
    AnyGuard::load(path)
        .map_err(|error| Failure::new(error).help("make a guard with: trefoil guard train"))
}

/// The guard in the number format of a plan that it is to guard.
///
/// # Errors
/// If it is for another number of classes, or does not fit the format.
pub(crate) fn fitted(guard: AnyGuard, plan: &Plan) -> Result<AnyGuard, GuardError> {
    let guard = guard.with_fraction_bits(plan.fraction_bits)?;
    trefoil_serve::check_guard(&guard.settings(), plan)?;
    Ok(guard)
}

/// An array as rows; a single axis is one column. Nothing for other arrays.
fn matrix(array: ArrayD<f64>) -> Option<Array2<f64>> {
    match array.ndim() {
        1 => {
            let column = array.into_dimensionality::<Ix1>().ok()?;
            Some(column.insert_axis(Axis(1)))
        }
        _ => array.into_dimensionality::<Ix2>().ok(),
    }
}

/// The single scores of rows as pairs, of the first and the second of two classes.
fn paired(scores: &Array2<f64>, pair: impl Fn(f64) -> [f64; 2]) -> Array2<f64> {
    Array2::from_shape_fn((scores.nrows(), 2), |(row, class)| {
        pair(scores[[row, 0]])[class]
    })
}
