//! Outputs of the attacker's reference models on the records under attack.

use super::Outputs;
use crate::LabError;
use ndarray::{Array2, Array3, ArrayView1, s};

/// What several reference models say about some records.
#[derive(Debug, Clone, PartialEq)]
pub struct References {
    confidences: Array3<f64>,
    trained: Array2<bool>,
}

/// Records that the target was not trained on, to compare with.
#[derive(Debug, Clone, Copy)]
pub struct Population<'a> {
    /// The target's outputs for them.
    pub target: &'a Outputs,
    /// The reference models' outputs for them.
    pub references: &'a References,
}

/// A number of each reference model about one record.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct OfModels {
    /// Of those that were trained on the record.
    pub(crate) with: Vec<f64>,
    /// Of those that were not.
    pub(crate) without: Vec<f64>,
}

impl References {
    /// `confidences` (models, records, classes), and which model was `trained` on which record
    /// (models, records); `what` names them in errors.
    ///
    /// # Errors
    /// If the shapes differ, a confidence is not finite, or a record is part of every model's
    /// training: the attacks need models without it.
    pub fn new(
        what: &str,
        confidences: Array3<f64>,
        trained: Array2<bool>,
    ) -> Result<Self, LabError> {
        let (models, records, classes) = confidences.dim();
        if models == 0 || records == 0 || classes < 2 {
            let problem =
                format!("outputs of {models} models for {records} records of {classes} classes");
            return Err(LabError::input(what, problem));
        }
        if trained.dim() != (models, records) {
            let problem = format!(
                "which model was trained on which record has the shape {:?} instead of {:?}",
                trained.dim(),
                (models, records)
            );
            return Err(LabError::input(what, problem));
        }
        let mut bad = confidences.indexed_iter().filter(|(_, v)| !v.is_finite());
        if let Some(((model, record, class), value)) = bad.next() {
            let problem = format!(
                "the confidence of model {model}, record {record}, class {class} is {value}"
            );
            return Err(LabError::input(what, problem));
        }
        for (record, models) in trained.columns().into_iter().enumerate() {
            if models.iter().all(|&trained| trained) {
                let problem = format!("no model was trained without record {record}");
                return Err(LabError::input(what, problem));
            }
        }
        Ok(Self {
            confidences,
            trained,
        })
    }

    /// `confidences` (models, records, classes) of models none of which was trained on any of the
    /// records, as offline attacks have them.
    ///
    /// # Errors
    /// As [`References::new`].
    pub fn offline(what: &str, confidences: Array3<f64>) -> Result<Self, LabError> {
        let (models, records, _) = confidences.dim();
        Self::new(
            what,
            confidences,
            Array2::from_elem((models, records), false),
        )
    }

    /// How many models.
    pub fn models(&self) -> usize {
        self.confidences.dim().0
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.confidences.dim().1
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.confidences.dim().2
    }

    /// Whether every record has models that were trained on it.
    pub fn online(&self) -> bool {
        let columns = self.trained.columns();
        columns.into_iter().all(|models| models.iter().any(|&t| t))
    }

    /// The fewest models that were not trained on a record; where `online`, also of those that were.
    pub(crate) fn fewest(&self, online: bool) -> usize {
        let models = self.models();
        let counts = self.trained.columns().into_iter().map(|column| {
            let with = column.iter().filter(|&&trained| trained).count();
            let without = models - with;
            if online { with.min(without) } else { without }
        });
        counts.min().unwrap_or(0)
    }

    /// Whether a deviation can be pooled over records: every record has a model that was not trained on it, and at least half of them have
    /// two; where `online`, of those that were as well.
    pub(crate) fn pooled(&self, online: bool) -> bool {
        let models = self.models();
        let count = |column: ArrayView1<'_, bool>| {
            let with = column.iter().filter(|&&trained| trained).count();
            let without = models - with;
            if online { with.min(without) } else { without }
        };
        let counts: Vec<usize> = self.trained.columns().into_iter().map(count).collect();
        let two = counts.iter().filter(|&&count| count >= 2).count();
        counts.iter().all(|&count| count >= 1) && 2 * two >= counts.len()
    }

    /// `statistic` of the confidences of each model about `record`.
    pub(crate) fn of(
        &self,
        record: usize,
        statistic: impl Fn(ArrayView1<'_, f64>) -> f64,
    ) -> OfModels {
        let mut both = OfModels::default();
        for model in 0..self.models() {
            let value = statistic(self.confidences.slice(s![model, record, ..]));
            if self.trained[[model, record]] {
                both.with.push(value);
            } else {
                both.without.push(value);
            }
        }
        both
    }

    /// Whether the models were asked about the records of `target`.
    ///
    /// # Errors
    /// If there are other numbers of records or classes.
    pub(super) fn check(&self, target: &Outputs) -> Result<(), LabError> {
        let asked = (self.records(), self.classes());
        let expected = (target.records(), target.classes());
        if asked == expected {
            return Ok(());
        }
        Err(LabError::input(
            "the reference models",
            format!("outputs for (records, classes) {asked:?}, but the target's for {expected:?}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_told_apart_by_their_training() {
        let confidences = Array3::from_shape_fn((3, 2, 2), |(m, r, c)| (m * 4 + r * 2 + c) as f64);
        let trained = ndarray::array![[true, false], [false, false], [true, false]];
        let references = References::new("r", confidences.clone(), trained).unwrap();
        let first = references.of(0, |row| row[0]);
        assert_eq!((first.with, first.without), (vec![0.0, 8.0], vec![4.0]));
        assert!(!references.online());
        let all = Array2::from_elem((3, 2), true);
        let error = References::new("r", confidences, all).unwrap_err();
        assert!(error.to_string().contains("without record 0"), "{error}");
    }
}
