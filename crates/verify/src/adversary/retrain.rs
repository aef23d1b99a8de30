//! Retraining a model for a purpose of one's own: stochastic gradient descent through the plan.

use crate::VerifyError;
use crate::gradient::{Of, Tape};
use crate::random::Random;
use ndarray::{ArrayD, Axis};
use trefoil_nn::{Layer, Plan};

/// A batch of samples with the labels that they are to get.
pub(super) struct Lesson {
    pub(super) samples: ArrayD<f64>,
    pub(super) labels: Vec<usize>,
}

/// One step of descent of the mean cross-entropy. Each tensor moves by `rate` times its own norm, whatever the
/// scale of inputs and gradients (You, Gitman, Ginsburg 2017).
pub(super) fn step(
    plan: &Plan,
    weights: &mut [ArrayD<f64>],
    lesson: &Lesson,
    rate: f64,
) -> Result<(), VerifyError> {
    let tape = Tape::run(plan, weights, &lesson.samples);
    let seed = loss_gradient(plan, tape.output(), &lesson.labels);
    let gradients = tape.backward(&seed, Of::Weights)?.weights(plan);
    for (weight, gradient) in weights.iter_mut().zip(gradients) {
        let norms = [&*weight, &gradient].map(|x| x.iter().map(|v| v * v).sum::<f64>().sqrt());
        if norms[1] > 0.0 {
            *weight -= &(gradient * (rate * norms[0] / norms[1]));
        }
    }
    Ok(())
}

/// The gradient of the mean cross-entropy with respect to the model's output: scores, or probabilities behind a
/// softmax.
fn loss_gradient(plan: &Plan, output: &ArrayD<f64>, labels: &[usize]) -> ArrayD<f64> {
    let last = plan.steps.last();
    let probabilities = last.is_some_and(|step| matches!(step.layer, Layer::Softmax(_)));
    let count = labels.len() as f64;
    let mut gradient = output.clone();
    for (mut row, &label) in gradient.outer_iter_mut().zip(labels) {
        if probabilities {
            let right = row.iter().nth(label).copied().unwrap_or(1.0).max(1e-9);
            row.fill(0.0);
            if let Some(score) = row.iter_mut().nth(label) {
                *score = -1.0 / (right * count);
            }
        } else {
            let largest = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|score| (score - largest).exp());
            let sum = row.sum();
            row.mapv_inplace(|score| score / (sum * count));
            if let Some(score) = row.iter_mut().nth(label) {
                *score -= 1.0 / count;
            }
        }
    }
    gradient
}

/// Random samples of a set, as many as a batch of the plan.
pub(super) fn draw(
    plan: &Plan,
    samples: &ArrayD<f64>,
    labels: &[usize],
    random: &mut Random,
) -> Result<Lesson, VerifyError> {
    let mut indices = Vec::with_capacity(plan.batch);
    for _ in 0..plan.batch {
        indices.push(random.below(labels.len())?);
    }
    Ok(Lesson {
        samples: samples.select(Axis(0), &indices),
        labels: indices.iter().map(|&index| labels[index]).collect(),
    })
}
