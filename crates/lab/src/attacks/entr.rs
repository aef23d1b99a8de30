//! The entropy attack: outputs for members are more certain.

use super::ENTROPY_FLOOR;
use ndarray::ArrayView1;

/// The negative entropy `Σ p_i log p_i` (Salem et al. 2019; Song and Mittal 2021), the argument
/// of the logarithm at least [`ENTROPY_FLOOR`].
pub fn score(confidences: ArrayView1<'_, f64>, _label: usize) -> f64 {
    confidences.map(|p| p * p.max(ENTROPY_FLOOR).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn certain_outputs_have_none_and_even_ones_the_most() {
        assert!(score(array![0.0, 1.0, 0.0].view(), 0).abs() < 1e-15);
        assert!(
            (score(ndarray::Array1::from_elem(4, 0.25).view(), 0) + 4.0_f64.ln()).abs() < 1e-12
        );
        assert!((score(array![0.25, 0.75].view(), 0) + 0.562_335_144_6).abs() < 1e-9);
    }
}
