//! One sample of many.

use ndarray::{ArrayD, Axis};

/// Sample `index` of `[n, …]` as a batch of one.
///
/// # Panics
/// If there are fewer.
pub(crate) fn one_of(samples: &ArrayD<f64>, index: usize) -> ArrayD<f64> {
    samples
        .index_axis(Axis(0), index)
        .insert_axis(Axis(0))
        .to_owned()
}
