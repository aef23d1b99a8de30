//! Examples, and what networks make of them.

use crate::LabError;
use ndarray::ArrayView2;

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
            return refuse(format!(
                "{} examples with {} labels",
                inputs.nrows(),
                labels.len()
            ));
        }
        if let Some(at) = labels.iter().position(|&label| label >= classes) {
            let label = labels[at];
            return refuse(format!(
                "example {at} has label {label}, but there are {classes} classes"
            ));
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
