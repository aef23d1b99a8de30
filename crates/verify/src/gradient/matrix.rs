//! Slices as matrices.

use ndarray::ArrayView2;

/// A slice as a matrix.
pub(super) fn view(data: &[f64], rows: usize, columns: usize) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((rows, columns), data)
        .unwrap_or_else(|_| ArrayView2::from(&[[0.0; 0]; 0]))
}
