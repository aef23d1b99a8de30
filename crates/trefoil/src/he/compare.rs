//! What polynomials and integers cost in accuracy.

use super::values;
use crate::{Error, Samples, labels};
use ndarray::{Array2, Axis};
use serde::Serialize;
use trefoil_he::{Compiled, Plan};
use trefoil_nn::Scores;

/// A model before and after its activations became polynomials and its numbers integers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Samples compared.
    pub samples: usize,
    /// Those that lead an activation outside of the interval of its polynomial: they would be refused at encryption, and count for
    /// nothing below.
    pub outside: usize,
    /// Share of right labels of the model as it was; none without labels.
    pub accuracy_original: Option<f64>,
    /// The same with polynomials in the place of its activations, in floats.
    pub accuracy_polynomials: Option<f64>,
    /// The same in the integers that are encrypted: what users get.
    pub accuracy_integers: Option<f64>,
    /// Share of samples for which integers and the model as it was name the same class.
    pub label_agreement: f64,
    /// The largest difference between an output of the integers and of the polynomial network in floats.
    pub max_abs_error: f64,
}

/// Run a compiled model in the clear three times: as it was, with polynomials, and in integers.
///
/// # Errors
/// Samples of another shape or outside the stated range; none inside of the fitted intervals.
pub fn compare(
    compiled: &Compiled,
    samples: &Samples,
    labels: Option<&[usize]>,
) -> Result<Comparison, Error> {
    let (values, plan) = (values(samples)?, &compiled.plan);
    let encoded = plan.encode(values)?;
    let mut inside = Vec::new();
    let mut integers = Vec::new();
    let mut refused = None;
    for at in 0..encoded.nrows() {
        match plan.exact(&encoded.select(Axis(0), &[at])) {
            Ok(exact) => {
                inside.push(at);
                integers.extend(plan.decode(&exact));
            }
            Err(error) => refused = Some(error),
        }
    }
    if let (true, Some(error)) = (inside.is_empty(), refused) {
        return Err(error.into());
    }
    let outputs = plan.program.network.outputs();
    let integers = Array2::from_shape_vec((inside.len(), outputs), integers).map_err(Error::new)?;
    let kept = values.select(Axis(0), &inside);
    let (original, replaced) = (compiled.original(&kept), compiled.replaced(&kept));
    let max_abs_error = (&integers - &replaced)
        .iter()
        .fold(0.0, |most: f64, error| most.max(error.abs()));
    let scores = scores(plan);
    let named = |answers: Array2<f64>| labels::of(&answers.into_dyn(), scores);
    let [original, replaced, integers] = [original, replaced, integers].map(named);
    let truth = labels.map(|all| inside.iter().map(|&at| all[at]).collect::<Vec<_>>());
    let right = |named: &[usize]| truth.as_ref().map(|truth| labels::agreement(named, truth));
    Ok(Comparison {
        samples: encoded.nrows(),
        outside: encoded.nrows() - inside.len(),
        accuracy_original: right(&original),
        accuracy_polynomials: right(&replaced),
        accuracy_integers: right(&integers),
        label_agreement: labels::agreement(&original, &integers),
        max_abs_error,
    })
}

/// What the numbers of a plan's answers mean: a single number is a probability behind a sigmoid, else a logit.
pub fn scores(plan: &Plan) -> Scores {
    let network = &plan.program.network;
    let last = network.output.checked_sub(1);
    let last = last.and_then(|layer| plan.activations[layer].as_ref());
    let logits = last.is_none_or(|activation| activation.fit.function != "Sigmoid");
    Scores::of_answers(network.outputs(), logits)
}
