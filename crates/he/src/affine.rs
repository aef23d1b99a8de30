//! Sparse affine maps, of floats and of integers.

use serde::{Deserialize, Serialize};

/// `y_i = Σ_j weight_ij x_j + constant_i`, where most weights are 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine<W, C> {
    /// Elements of the input.
    pub columns: usize,
    /// For each element of the output, the weights that are not 0, with the input that each multiplies.
    pub rows: Vec<Vec<(u32, W)>>,
    /// For each element of the output, what is added.
    pub constants: Vec<C>,
}

impl<W, C> Affine<W, C> {
    /// Products that it sums.
    pub fn terms(&self) -> usize {
        self.rows.iter().map(Vec::len).sum()
    }

    /// Whether every index and length fits the others.
    pub(crate) fn is_consistent(&self) -> bool {
        self.rows.len() == self.constants.len()
            && self
                .rows
                .iter()
                .flatten()
                .all(|(column, _)| (*column as usize) < self.columns)
    }
}

impl Affine<f64, f64> {
    /// The output for `x`, which has [`Affine::columns`] elements.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row =
            |row: &Vec<(u32, f64)>| row.iter().map(|(at, w)| w * x[*at as usize]).sum::<f64>();
        self.rows
            .iter()
            .zip(&self.constants)
            .map(|(weights, c)| row(weights) + c)
            .collect()
    }
}
