//! The modified-entropy attack: certain and right.

use super::ENTROPY_FLOOR;
use ndarray::ArrayView1;

/// `(1 - p_y) log p_y + Σ_{i≠y} p_i log(1 - p_i)`, the negative modified entropy of Song and
/// Mittal (2021, section 3.3); arguments of logarithms are at least [`ENTROPY_FLOOR`].
pub fn score(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    let log = |v: f64| v.max(ENTROPY_FLOOR).ln();
    let terms = confidences.indexed_iter().map(|(class, &p)| {
        if class == label {
            (1.0 - p) * log(p)
        } else {
            p * log(1.0 - p)
        }
    });
    terms.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn values_computed_by_hand() {
        // .3 ln .7 + .2 ln .8 + .1 ln .9
        let mild = score(array![0.7, 0.2, 0.1].view(), 0);
        assert!((mild + 0.162_167_245).abs() < 1e-8, "{mild}");
        // .8 ln .2 + .7 ln .3 + .1 ln .9
        let wrong = score(array![0.7, 0.2, 0.1].view(), 1);
        assert!((wrong + 2.140_867_344).abs() < 1e-8, "{wrong}");
        assert!(score(array![1.0, 0.0].view(), 0).abs() < 1e-15);
        // Certain and wrong: twice the floor's logarithm.
        let worst = score(array![1.0, 0.0].view(), 1);
        assert!((worst - 2.0 * ENTROPY_FLOOR.ln()).abs() < 1e-9);
    }
}
