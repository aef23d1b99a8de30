//! HAMP (Chen and Pattabiraman, NDSS 2024): less confidence in training, other confidence in use.

use super::network::Network;
use crate::LabError;
use crate::logits::softmax;
use crate::random::Stream;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// The training part of HAMP.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hamp {
    /// Entropy of the soft labels, as a part of the largest possible one, `ln classes`; from 0
    /// (hard labels) to below 1.
    pub entropy: f64,
    /// How much entropy of the outputs is rewarded.
    pub entropy_weight: f64,
}

impl Hamp {
    pub(super) fn check(&self) -> Result<(), LabError> {
        let refuse = |what: &str, problem: String| Err(LabError::input(what, problem));
        if !(0.0..1.0).contains(&self.entropy) {
            return refuse(
                "HAMP's entropy",
                format!("{} is not in 0 to below 1", self.entropy),
            );
        }
        if !(self.entropy_weight >= 0.0 && self.entropy_weight.is_finite()) {
            return refuse(
                "HAMP's entropy_weight",
                format!("{} is negative", self.entropy_weight),
            );
        }
        Ok(())
    }

    /// What is wanted of the right class and of every other one.
    pub(super) fn targets(&self, classes: usize) -> (f64, f64) {
        soft_label(self.entropy, classes)
    }
}

/// The soft label of entropy `part · ln classes`: the probability of the right class, and that of
/// every other one (section IV-A of the paper).
///
/// ```
/// use trefoil_lab::train::soft_label;
/// let (right, other) = soft_label(0.8, 10);
/// let entropy = -right * right.ln() - 9.0 * other * other.ln();
/// assert!((entropy - 0.8 * 10_f64.ln()).abs() < 1e-9 && right > other);
/// ```
pub fn soft_label(part: f64, classes: usize) -> (f64, f64) {
    let others = classes.saturating_sub(1).max(1) as f64;
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let entropy = |right: f64| term(right) + others * term((1.0 - right) / others);
    let wanted = part * (others + 1.0).ln();
    // The entropy falls from ln classes at 1 / classes to 0 at 1.
    let (mut low, mut high) = (1.0 / (others + 1.0), 1.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if entropy(middle) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high, (1.0 - high) / others)
}

/// The test-time part of HAMP: each row of `logits` keeps the order of its classes, but takes its
/// values from what the network says of a random input of its own (section IV-B of the paper).
/// Random inputs are uniform in `range`, or one of its two ends if `binary`.
///
/// The input drawn for a row depends on `seed` and the row's number, so an answer does not change
/// when it is asked again.
///
/// # Errors
/// If the network cannot take them.
pub fn hamp_outputs(
    network: &Network,
    logits: ArrayView2<'_, f64>,
    range: (f32, f32),
    binary: bool,
    seed: u64,
) -> Result<Array2<f64>, LabError> {
    let mut stream = Stream::new(seed, "random inputs of HAMP");
    let columns = network.architecture().inputs();
    let random = Array2::from_shape_simple_fn((logits.nrows(), columns), || {
        let unit = stream.unit() as f32;
        let unit = if binary { unit.round() } else { unit };
        range.0 + unit * (range.1 - range.0)
    });
    let random = softmax(network.outputs(random.view())?.view());
    let mut confidences = Array2::zeros(logits.raw_dim());
    for ((mut row, query), values) in confidences
        .rows_mut()
        .into_iter()
        .zip(logits.rows())
        .zip(random.rows())
    {
        let mut order: Vec<usize> = (0..query.len()).collect();
        order.sort_by(|&x, &y| query[y].total_cmp(&query[x]));
        let mut values = values.to_vec();
        values.sort_by(|x, y| y.total_cmp(x));
        for (class, value) in order.into_iter().zip(values) {
            row[class] = value;
        }
    }
    Ok(confidences)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Architecture;

    #[test]
    fn soft_labels_sum_to_one_and_reach_the_ends() {
        for classes in [2, 10, 100] {
            let (right, other) = soft_label(0.6, classes);
            assert!((right + other * (classes as f64 - 1.0) - 1.0).abs() < 1e-12);
            assert!(soft_label(0.0, classes).0 > 1.0 - 1e-12);
        }
    }

    #[test]
    fn answers_keep_their_order_and_forget_their_values() {
        let network = Network::new(&Architecture::mlp(6, &[8], 4), 3).unwrap();
        let logits = ndarray::array![[9.0, -3.0, 2.0, 1.0], [0.0, 0.5, 0.25, 60.0]];
        let ask = |logits: &Array2<f64>| {
            hamp_outputs(&network, logits.view(), (0.0, 1.0), true, 5).unwrap()
        };
        let answers = ask(&logits);
        for (answer, query) in answers.rows().into_iter().zip(logits.rows()) {
            assert!((answer.sum() - 1.0).abs() < 1e-6);
            for i in 0..4 {
                for j in 0..4 {
                    assert_eq!(answer[i] > answer[j], query[i] > query[j]);
                }
            }
        }
        // Other confidence, same order: the same answer.
        assert_eq!(answers, ask(&(&logits * 0.01)));
        assert_ne!(answers.row(0), answers.row(1));
    }
}
