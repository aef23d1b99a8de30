//! The gap attack: members are those whose label is right. No defence that keeps labels stops it.

use super::outputs::predicted;
use ndarray::ArrayView1;

/// 1 if the label is the predicted one, else 0 (Yeom et al. 2018). At the threshold 1 the
/// balanced accuracy is [`crate::metrics::label_only_floor`].
pub fn score(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    f64::from(u8::from(predicted(confidences) == label))
}
