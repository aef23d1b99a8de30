//! Where precision goes: the error of every layer, for `trefoil infer --check --layers`.

use crate::local::SEED;
use crate::model::{Model, Pictures, wider};
use crate::{Failure, precision, print, summary};
use serde::Serialize;
use trefoil_nn::{InputError, LayerError, layer_errors};

/// How far a layer in fixed point is from the one in 64-bit floats.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LayerCheck {
    /// The model's node.
    name: String,
    /// What is computed.
    layer: &'static str,
    /// The largest difference of an element.
    max_abs_error: f64,
    /// The mean difference.
    mean_abs_error: f64,
    /// The largest element.
    max_abs: f64,
}

/// Run the model in fixed point and in floats, side by side, and compare every layer.
///
/// # Errors
/// If a picture or a weight does not fit the plan's numbers.
pub(crate) fn compare(model: &Model, pictures: &Pictures) -> Result<Vec<LayerCheck>, Failure> {
    let plan = &model.plan;
    let mut errors = vec![LayerError::default(); plan.steps.len()];
    precision::batches(plan, pictures, "comparing layers", |input, observer| {
        let more = layer_errors(plan, &model.weights, &input, SEED, observer)?;
        for (error, more) in errors.iter_mut().zip(more) {
            *error = error.and(more);
        }
        Ok(())
    })
    .map_err(|error: InputError| {
        Failure::new(error).help(format!("use {}", wider(plan.ring_bits)))
    })?;
    let told = plan
        .steps
        .iter()
        .zip(errors)
        .map(|(step, error)| LayerCheck {
            name: step.name.clone(),
            layer: step.layer.name(),
            max_abs_error: error.largest,
            mean_abs_error: error.mean(),
            max_abs: error.magnitude,
        });
    Ok(told.collect())
}

/// Print a table for people.
///
/// # Errors
/// If standard output is closed.
pub(crate) fn print(layers: &[LayerCheck]) -> Result<(), Failure> {
    let header = [
        "step",
        "layer",
        "largest error",
        "mean error",
        "largest value",
    ];
    let mut table = summary::table(&header);
    for layer in layers {
        table.add_row([
            layer.name.clone(),
            layer.layer.to_owned(),
            format!("{:.2e}", layer.max_abs_error),
            format!("{:.2e}", layer.mean_abs_error),
            print::number(layer.max_abs),
        ]);
    }
    print::line(
        "errors of every layer, fixed point against 64-bit floats (nothing is opened for it)",
    )?;
    print::line(table.trim_fmt())?;
    print::line("")
}
