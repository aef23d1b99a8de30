//! Public samples: queries whose right answers are known.

use crate::VerifyError;
use crate::store::SampleId;
use ndarray::{ArrayD, Axis};

/// Samples with their true classes.
#[derive(Clone, Debug)]
pub struct PublicSet {
    samples: ArrayD<f64>,
    labels: Vec<usize>,
    places: Vec<usize>,
}

impl PublicSet {
    /// The samples `[T, …]` and the class of each.
    ///
    /// # Errors
    /// If there are more or fewer labels than samples.
    pub fn new(samples: ArrayD<f64>, labels: Vec<usize>) -> Result<Self, VerifyError> {
        let count = samples.shape().first().copied().unwrap_or(0);
        if samples.ndim() == 0 || count != labels.len() {
            return Err(VerifyError::Shape {
                what: "the public set's labels".into(),
                expected: format!("one for each of the {count} samples"),
                actual: vec![labels.len()],
            });
        }
        let samples = if samples.is_standard_layout() {
            samples
        } else {
            samples.as_standard_layout().into_owned()
        };
        let places = (0..count).collect();
        Ok(Self {
            samples,
            labels,
            places,
        })
    }

    /// How many samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The samples, `[T, …]`.
    pub fn samples(&self) -> &ArrayD<f64> {
        &self.samples
    }

    /// The class of each.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Where each sample stood in the set that it was first selected from: what a person finds in the file.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        Self {
            samples: self.samples.select(Axis(0), indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            places: indices.iter().map(|&index| self.places[index]).collect(),
        }
    }

    /// What each sample is recognised by.
    pub fn ids(&self) -> Vec<SampleId> {
        self.samples
            .axis_iter(Axis(0))
            .map(|sample| SampleId::of(&sample))
            .collect()
    }
}
