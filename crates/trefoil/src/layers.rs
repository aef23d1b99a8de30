//! Where precision goes: the error of every layer, for `trefoil infer --check --layers`.

use crate::local::SEED;
use crate::model::{Model, wider};
use crate::samples::Samples;
use crate::watch::Watch;
use crate::{Error, precision};
use serde::Serialize;
use trefoil_nn::{InputError, LayerError, layer_errors};

/// How far a layer in fixed point is from the one in 64-bit floats.
#[derive(Clone, Debug, Serialize)]
pub struct LayerCheck {
    /// The model's node.
    pub name: String,
    /// What is computed.
    pub layer: &'static str,
    /// The largest difference of an element.
    pub max_abs_error: f64,
    /// The mean difference.
    pub mean_abs_error: f64,
    /// The largest element.
    pub max_abs: f64,
}

/// Run the model in fixed point and in floats, side by side, and compare every layer.
///
/// # Errors
/// If a picture or a weight does not fit the plan's numbers.
pub fn compare(
    model: &Model,
    samples: &Samples,
    watch: &mut Watch<'_>,
) -> Result<Vec<LayerCheck>, Error> {
    let plan = &model.plan;
    let mut errors = vec![LayerError::default(); plan.steps.len()];
    precision::batches(
        plan,
        samples,
        "comparing layers",
        watch,
        |input, observer| {
            let more = layer_errors(plan, &model.weights, &input, SEED, observer)?;
            for (error, more) in errors.iter_mut().zip(more) {
                *error = error.and(more);
            }
            Ok(())
        },
    )
    .map_err(|error: InputError| {
        Error::new(error).with_help(format!("use {}", wider(plan.ring_bits)))
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
