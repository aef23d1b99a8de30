//! Guards of models' answers: their files, and the logits that they take.

use crate::Error;
use crate::data::{array, regular};
use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};
use std::path::Path;
use trefoil_guard::{Guard, GuardError};
use trefoil_nn::Plan;

/// The guard of a file.
///
/// # Errors
/// If it cannot be read, or is no guard.
pub fn load(path: &Path) -> Result<Guard, Error> {
    regular(path)?;
    Guard::load(path)
        .map_err(|error| Error::new(error).with_help("make a guard with: trefoil guard train"))
}

/// The guard in the number format of a plan that it is to guard.
///
/// # Errors
/// If it is for another number of classes, or does not fit the format.
pub fn fitted(guard: Guard, plan: &Plan) -> Result<Guard, GuardError> {
    let guard = guard.with_fraction_bits(plan.fraction_bits)?;
    trefoil_serve::check_guard(&guard.settings(), plan)?;
    Ok(guard)
}

/// Read logits, N rows, as a guard takes them that takes them up to `limit`.
///
/// # Errors
/// Another shape, a value that is not finite or out of range: with its place.
pub fn logits(path: &Path, limit: f64) -> Result<Array2<f64>, Error> {
    let array = array(path, &["logits"])?;
    let shape = array.shape().to_vec();
    let mut logits = matrix(array).ok_or_else(|| {
        Error::new(format!("{} has shape {shape:?}", path.display())).with_help(
            "logits are a matrix: one row a query, one column a class, or the logit of the second of two classes",
        )
    })?;
    if logits.ncols() == 1 {
        logits = paired(&logits, |z| [0.0, z]);
    }
    let wrong = logits
        .indexed_iter()
        .find(|(_, v)| !v.is_finite() || v.abs() > limit);
    if let Some(((row, column), &value)) = wrong {
        let error = GuardError::Logit {
            row,
            column,
            value,
            limit,
        };
        return Err(Error::new(format!("{}: {error}", path.display()))
            .with_help("give the numbers before the softmax; if they are that large, divide all logits by a temperature, as in training"));
    }
    Ok(logits)
}

/// An array as rows; a single axis is one column. Nothing for other arrays.
pub fn matrix(array: ArrayD<f64>) -> Option<Array2<f64>> {
    match array.ndim() {
        1 => {
            let column = array.into_dimensionality::<Ix1>().ok()?;
            Some(column.insert_axis(Axis(1)))
        }
        _ => array.into_dimensionality::<Ix2>().ok(),
    }
}

/// The single scores of rows as pairs, of the first and the second of two classes.
pub fn paired(scores: &Array2<f64>, pair: impl Fn(f64) -> [f64; 2]) -> Array2<f64> {
    Array2::from_shape_fn((scores.nrows(), 2), |(row, class)| {
        pair(scores[[row, 0]])[class]
    })
}

/// How many rows of guarded confidences differ from the softmax of their logits by more than 0.01 in sum, and how many have the label of
/// their logits.
pub fn changes(logits: &Array2<f64>, answers: &ArrayD<f64>) -> (usize, usize) {
    let (mut changed, mut kept) = (0, 0);
    for (z, s) in logits.rows().into_iter().zip(answers.rows()) {
        let first = |v: &dyn Fn(usize) -> f64| {
            (1..z.len()).fold(0, |best, i| if v(i) > v(best) { i } else { best })
        };
        kept += usize::from(first(&|i| z[i]) == first(&|i| s[i]));
        let top = z.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = z.iter().map(|v| (v - top).exp()).sum();
        let distance: f64 = z
            .iter()
            .zip(s)
            .map(|(z, s)| ((z - top).exp() / sum - s).abs())
            .sum();
        changed += usize::from(distance > 0.01);
    }
    (changed, kept)
}
