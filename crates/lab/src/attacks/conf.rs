//! The confidence attack: members get their own label with more confidence.

use ndarray::ArrayView1;

/// The confidence `p_y` of the label (Yeom et al. 2018; Song and Mittal 2021, section 3.1).
pub fn score(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    confidences[label]
}
