//! The attack on the largest confidence, for attackers without labels.

use super::outputs::predicted;
use ndarray::ArrayView1;

/// The largest confidence (Salem et al. 2019, adversary 3).
pub fn score(confidences: ArrayView1<'_, f64>, _label: usize) -> f64 {
    confidences[predicted(confidences)]
}
