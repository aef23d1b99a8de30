//! Examples, and what networks make of them.

use crate::LabError;
use ndarray::{Array2, ArrayView2};

/// Examples to learn from or to be judged by.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// A row per example.
    pub inputs: ArrayView2<'a, f32>,
    /// Each example's class, counted from 0.
    pub labels: &'a [usize],
}

impl<'a> Examples<'a> {
    /// Examples with their classes.
    ///
    /// # Errors
    /// If there are none, not as many labels as rows, a label without an output, or a number that
    /// is not finite.
    pub fn new(
        inputs: ArrayView2<'a, f32>,
        labels: &'a [usize],
        classes: usize,
    ) -> Result<Self, LabError> {
        let refuse = |problem: String| Err(LabError::input("the examples", problem));
        if inputs.nrows() == 0 || inputs.nrows() != labels.len() {
            return refuse(format!("{} examples with {} labels", inputs.nrows(), labels.len()));
        }
        if let Some(at) = labels.iter().position(|&label| label >= classes) {
            let label = labels[at];
            return refuse(format!("example {at} has label {label}, but there are {classes} classes"));
        }
        if let Some(((row, column), value)) = inputs.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return refuse(format!("number {column} of example {row} is {value}"));
        }
        Ok(Self { inputs, labels })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none, which [`Examples::new`] refuses.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The chosen rows, one behind the other.
    pub(super) fn rows(&self, chosen: &[usize]) -> Vec<f32> {
        let mut rows = Vec::with_capacity(chosen.len() * self.inputs.ncols());
        for &row in chosen {
            rows.extend(self.inputs.row(row));
        }
        rows
    }
}

/// The share of rows whose largest output is at the label.
///
/// # Panics
/// If there are not as many labels as rows.
pub fn accuracy(outputs: ArrayView2<'_, f64>, labels: &[usize]) -> f64 {
    assert_eq!(outputs.nrows(), labels.len(), "a label for each row");
    let right = outputs.rows().into_iter().zip(labels).filter(|(row, label)| {
        let best = row.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(&x.0)));
        best.is_some_and(|(index, _)| index == **label)
    });
    right.count() as f64 / labels.len().max(1) as f64
}

/// The softmax of each row, in 64-bit floats.
///
/// ```
/// use trefoil_lab::train::softmax;
/// let confidences = softmax(ndarray::array![[1000.0, 1000.0], [0.0, -1e9]].view());
/// assert_eq!(confidences, ndarray::array![[0.5, 0.5], [1.0, 0.0]]);
/// ```
pub fn softmax(logits: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut all = logits.to_owned();
    for mut row in all.rows_mut() {
        let most = row.fold(f64::NEG_INFINITY, |most, &z| most.max(z));
        row.mapv_inplace(|z| (z - most).exp());
        let sum = row.sum();
        row /= sum;
    }
    all
}
