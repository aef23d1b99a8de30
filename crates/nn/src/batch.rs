//! Samples in batches of the size that a plan is made for.

use ndarray::{ArrayD, Axis, Slice};

/// The `batch` samples `[batch, …]` from number `start` on. Behind the last one those from `start` on come again: whatever
/// a plan demands of inputs, they fulfil, and nothing but samples is computed with.
///
/// # Panics
/// If there is no sample `start`.
pub fn filled(samples: &ArrayD<f64>, start: usize, batch: usize) -> ArrayD<f64> {
    let end = samples.len_of(Axis(0)).min(start + batch);
    let there = samples.slice_axis(Axis(0), Slice::from(start..end));
    if end - start == batch {
        return there.to_owned();
    }
    let numbers: Vec<usize> = (0..batch).map(|number| number % (end - start)).collect();
    there.select(Axis(0), &numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_last_batch_is_filled_with_its_own_samples() {
        let samples = array![[0.0], [1.0], [2.0], [3.0], [4.0]].into_dyn();
        assert_eq!(
            filled(&samples, 0, 3),
            array![[0.0], [1.0], [2.0]].into_dyn()
        );
        assert_eq!(
            filled(&samples, 3, 3),
            array![[3.0], [4.0], [3.0]].into_dyn()
        );
        assert_eq!(
            filled(&samples, 4, 3),
            array![[4.0], [4.0], [4.0]].into_dyn()
        );
    }
}
