//! Log-odds of a label, as attackers who rank or learn take them.

use ndarray::ArrayView1;

/// Confidences below this count as this. It is about the resolution of single precision; smaller ones say more about
/// roundings than about records.
pub(super) const RESOLUTION: f64 = 1e-7;

/// `log p_y - log Σ_{i≠y} p_i`, at the answers' resolution.
pub(super) fn log_odds(confidences: ArrayView1<'_, f64>, label: usize) -> f64 {
    let others = confidences.indexed_iter();
    let others = others.filter(|(class, _)| *class != label);
    let others: f64 = others.map(|(_, p)| p.max(0.0)).sum();
    confidences[label].max(RESOLUTION).ln() - others.max(RESOLUTION).ln()
}
