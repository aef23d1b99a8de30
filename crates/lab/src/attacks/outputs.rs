//! What an attack gets and what it gives.

use crate::metrics::{Evaluation, label_only_floor};
use crate::{LabError, Sides};
use ndarray::{Array2, ArrayView1};

/// A model's outputs for some records, with the records' labels as far as the attacker knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    confidences: Array2<f64>,
    labels: Vec<usize>,
    labelled: bool,
}

impl Outputs {
    /// `confidences` (records, classes) and a label below `classes` for each record; `what` names
    /// them in errors. Outputs of secure inference may be slightly negative or above 1.
    ///
    /// # Errors
    /// If there are no records or fewer than two classes, a confidence is not finite, or a label
    /// is missing, superfluous or no class.
    pub fn new(what: &str, confidences: Array2<f64>, labels: Vec<usize>) -> Result<Self, LabError> {
        let (records, classes) = checked(what, &confidences)?;
        if labels.len() != records {
            let problem = format!("{} labels for {records} records", labels.len());
            return Err(LabError::input(what, problem));
        }
        if let Some(index) = labels.iter().position(|&label| label >= classes) {
            let label = labels[index];
            let problem = format!(
                "label {label} of record {index} is none of the {classes} classes 0 to {}",
                classes - 1
            );
            return Err(LabError::input(what, problem));
        }
        Ok(Self {
            confidences,
            labels,
            labelled: true,
        })
    }

    /// `confidences` (records, classes) of records whose labels the attacker does not know.
    ///
    /// # Errors
    /// As [`Outputs::new`].
    pub fn unlabelled(what: &str, confidences: Array2<f64>) -> Result<Self, LabError> {
        checked(what, &confidences)?;
        let labels = confidences.outer_iter().map(predicted).collect();
        Ok(Self {
            confidences,
            labels,
            labelled: false,
        })
    }

    /// Confidences (records, classes).
    pub fn confidences(&self) -> &Array2<f64> {
        &self.confidences
    }

    /// The labels; the predicted ones where the true ones are not known.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Whether the labels are the true ones.
    pub fn labelled(&self) -> bool {
        self.labelled
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.labels.len()
    }

    /// How many classes.
    pub fn classes(&self) -> usize {
        self.confidences.ncols()
    }

    /// The predicted label of each record.
    pub fn predicted(&self) -> Vec<usize> {
        self.confidences.outer_iter().map(predicted).collect()
    }

    /// The share of records whose predicted label is the known one.
    pub fn accuracy(&self) -> f64 {
        let predicted = self.predicted();
        let right = predicted.iter().zip(&self.labels).filter(|(p, l)| p == l);
        right.count() as f64 / self.records() as f64
    }

    /// The records at `rows`, in this order.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            confidences: self.confidences.select(ndarray::Axis(0), rows),
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            labelled: self.labelled,
        }
    }

    /// The same records with other confidences of the same shape, as a defence makes them.
    ///
    /// # Errors
    /// If the shapes differ or a confidence is not finite.
    pub fn with_confidences(&self, what: &str, confidences: Array2<f64>) -> Result<Self, LabError> {
        if confidences.dim() != self.confidences.dim() {
            let (actual, expected) = (confidences.dim(), self.confidences.dim());
            let problem = format!("of shape {actual:?} instead of {expected:?}");
            return Err(LabError::input(what, problem));
        }
        if self.labelled {
            Self::new(what, confidences, self.labels.clone())
        } else {
            Self::unlabelled(what, confidences)
        }
    }

    /// `score` of the confidences and label of each record.
    pub fn scores(&self, score: impl Fn(ArrayView1<'_, f64>, usize) -> f64) -> Vec<f64> {
        let rows = self.confidences.outer_iter().zip(&self.labels);
        rows.map(|(row, &label)| score(row, label)).collect()
    }
}

impl Sides<Outputs> {
    /// What right and wrong labels alone give an attacker, and every defence that keeps labels leaves at least; `None`
    /// without labels.
    pub fn floor(&self) -> Option<f64> {
        let known = self.members.labelled() && self.nonmembers.labelled();
        known.then(|| label_only_floor(self.as_ref().map(Outputs::accuracy)))
    }
}

fn checked(what: &str, confidences: &Array2<f64>) -> Result<(usize, usize), LabError> {
    let (records, classes) = confidences.dim();
    if records == 0 || classes < 2 {
        let problem = format!(
            "{records} records of {classes} classes; at least one record and two classes are needed"
        );
        return Err(LabError::input(what, problem));
    }
    let mut bad = confidences.indexed_iter().filter(|(_, v)| !v.is_finite());
    match bad.next() {
        Some(((record, class), value)) => Err(LabError::input(
            what,
            format!("the confidence of record {record}, class {class} is {value}"),
        )),
        None => Ok((records, classes)),
    }
}

/// The class with the largest confidence, the first of them if there are several.
pub(crate) fn predicted(row: ArrayView1<'_, f64>) -> usize {
    let better = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
    (0..row.len()).fold(0, better)
}

/// What an attack says about each record.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The attack's short name, as tables print it.
    pub attack: String,
    /// Whether it uses labels alone, which defences of confidences keep.
    pub floor: bool,
    /// Higher for likelier members.
    pub scores: Sides<Vec<f64>>,
    /// Whether the attack calls the record a member; absent if nothing tells it where to put the
    /// threshold.
    pub decisions: Option<Sides<Vec<bool>>>,
    /// Where the thresholds come from, or why there are none.
    pub thresholds: String,
}

impl Verdict {
    /// The numbers; `seed` draws the bootstrap samples.
    ///
    /// # Errors
    /// If a side is empty or a score is not a number.
    pub fn evaluate(&self, seed: u64) -> Result<Evaluation, LabError> {
        Evaluation::new(&self.scores, self.decisions.as_ref(), seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn unusable_outputs_are_refused_with_their_place() {
        let good = array![[0.5, 0.5], [0.1, 0.9]];
        let refuse = |confidences: Array2<f64>, labels: Vec<usize>| {
            let error = Outputs::new("members", confidences, labels).unwrap_err();
            error.to_string()
        };
        assert!(refuse(good.clone(), vec![0]).contains("members: 1 labels for 2 records"));
        let error = refuse(good, vec![0, 2]);
        assert!(error.contains("label 2 of record 1"), "{error}");
        let error = refuse(array![[0.5, 0.5], [f64::NAN, 0.9]], vec![0, 0]);
        assert!(error.contains("record 1, class 0 is NaN"), "{error}");
        assert!(refuse(Array2::zeros((0, 3)), vec![]).contains("0 records"));
    }

    #[test]
    fn accuracy_and_floor_follow_the_labels() {
        let members = Outputs::new("m", array![[0.6, 0.4], [0.2, 0.8]], vec![0, 1]).unwrap();
        let nonmembers = Outputs::new("n", array![[0.6, 0.4], [0.2, 0.8]], vec![1, 1]).unwrap();
        let sides = Sides::new(members, nonmembers);
        assert_eq!(sides.as_ref().map(Outputs::accuracy), Sides::new(1.0, 0.5));
        assert_eq!(sides.floor(), Some(0.75));
        let unknown = Outputs::unlabelled("m", array![[0.6, 0.4], [0.2, 0.8]]).unwrap();
        assert_eq!(unknown.labels(), [0, 1]);
        assert_eq!(Sides::new(unknown.clone(), unknown).floor(), None);
    }
}
