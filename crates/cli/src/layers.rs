//! Where precision goes: the error of every layer, for `trefoil infer --check --layers`.

use crate::local::{SEED, filled};
use crate::model::{Model, Pictures, wider};
use crate::progress::Bar;
use crate::{Failure, print, summary};
use serde::Serialize;
use std::time::Duration;
use trefoil_nn::{LayerError, layer_errors};
use trefoil_serve::Progress;

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
    let bar = Bar::new("comparing layers");
    let (steps, batches) = (plan.steps.len(), pictures.len().div_ceil(plan.batch));
    let mut errors = vec![LayerError::default(); steps];
    for batch in 0..batches {
        let mut observer = |index: usize, name: &str, _: Duration| {
            bar.show(Progress::Step {
                batch,
                batches,
                index,
                steps,
                name: name.to_owned(),
            });
        };
        let input = filled(pictures, batch * plan.batch, plan.batch);
        let more = layer_errors(plan, &model.weights, &input, SEED, &mut observer);
        let more = more
            .map_err(|error| Failure::new(error).help(format!("use {}", wider(plan.ring_bits))))?;
        for (error, more) in errors.iter_mut().zip(more) {
            *error = error.and(more);
        }
    }
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
