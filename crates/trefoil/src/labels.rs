//! Comparing answers with those in the clear, and with what is true.

use crate::data::{self, arrays};
use crate::model::Model;
use crate::{Error, text};
use ndarray::ArrayD;
use serde::Serialize;
use std::path::Path;
use trefoil_nn::{Scores, label_doubts as doubts};

/// How far answers are from those in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Largest difference of an element.
    pub max_abs_error: f64,
    /// Mean difference of the elements.
    pub mean_abs_error: f64,
    /// Share of the samples for which the answer names the same class; none where answers name none.
    pub label_agreement: Option<f64>,
}

impl Check {
    /// Compare two arrays of answers of the same shape, `[N, …]`.
    pub fn new(answers: &ArrayD<f64>, clear: &ArrayD<f64>, scores: Option<Scores>) -> Self {
        let errors = (answers - clear).mapv(f64::abs);
        Self {
            max_abs_error: errors.iter().copied().fold(0.0, f64::max),
            mean_abs_error: errors.mean().unwrap_or(0.0),
            label_agreement: scores
                .map(|scores| agreement(&of(answers, scores), &of(clear, scores))),
        }
    }
}

/// For each sample, the class that its answer names; a number that is no class where it names none.
pub fn of(answers: &ArrayD<f64>, scores: Scores) -> Vec<usize> {
    let named = scores.labels(answers).into_iter();
    named.map(|label| label.unwrap_or(usize::MAX)).collect()
}

/// The part of the places where the two are equal, from 0 to 1.
pub fn agreement(these: &[usize], those: &[usize]) -> f64 {
    let equal = these.iter().zip(those).filter(|(this, that)| this == that);
    equal.count() as f64 / these.len().max(1) as f64
}

/// What looks wrong about labels that go with the classes that were answered.
pub fn doubt(answered: &[usize], labels: &[usize], scores: Scores) -> Option<String> {
    let classes = scores.classes()?;
    let known = answered.iter().all(|&answer| answer < classes);
    known
        .then(|| doubts::doubt(answered, labels, classes))
        .flatten()
}

/// Read the true labels of `samples` samples.
///
/// # Errors
/// If there are more or fewer of them, or one that the model cannot answer.
pub fn read(path: &Path, samples: usize, model: &Model) -> Result<Vec<usize>, Error> {
    read_for(path, samples, model.scores())
}

/// The same, for answers that name classes as `scores` says.
///
/// # Errors
/// As [`read`].
pub fn read_for(path: &Path, samples: usize, scores: Option<Scores>) -> Result<Vec<usize>, Error> {
    let Some(scores) = scores else {
        return Err(Error::new(
            "--labels needs a model with one score per class, and this one's answers have several axes",
        )
        .with_help("leave --labels out"));
    };
    let (labels, shown) = (data::labels(path)?, path.display());
    if labels.len() != samples || labels.shape().iter().filter(|&&size| size > 1).count() > 1 {
        let shape = labels.shape();
        return Err(Error::new(format!(
            "{shown} has shape {shape:?}, {} need labels",
            text::count(samples, "sample")
        ))
        .with_help(format!("give one label per sample: shape [{samples}]")));
    }
    let classes = scores.classes().unwrap_or(usize::MAX);
    let is_class = |value: f64| value.fract() == 0.0 && (0.0..classes as f64).contains(&value);
    if let Some((index, value)) = arrays::first(&labels, |value| !is_class(value)) {
        let last = classes.saturating_sub(1);
        let help = doubts::counted_from_one(labels.iter().copied(), classes);
        let help =
            help.unwrap_or_else(|| "labels are the classes' numbers, counted from 0".to_owned());
        return Err(Error::new(format!(
            "{shown} at {index:?} is {value}, not a class of the model (0 to {last})"
        ))
        .with_help(help));
    }
    Ok(labels.iter().map(|&label| label as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn errors_and_labels_are_those_of_the_answers() {
        let answers = array![[1.0, 3.0], [2.0, 0.0], [5.0, 5.0]].into_dyn();
        let clear = array![[1.0, 2.5], [0.0, 1.0], [5.0, 5.0]].into_dyn();
        let check = Check::new(&answers, &clear, Some(Scores::Classes(2)));
        assert!((check.max_abs_error - 2.0).abs() < 1e-12);
        assert!((check.mean_abs_error - 3.5 / 6.0).abs() < 1e-12);
        assert!((check.label_agreement.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        let single = array![[0.4], [0.6], [0.7]].into_dyn();
        let other = array![[0.3], [0.4], [0.9]].into_dyn();
        let check = Check::new(&single, &other, Some(Scores::Probability));
        assert!((check.label_agreement.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        let right = agreement(&of(&single, Scores::Probability), &[0, 1, 0]);
        assert!((right - 2.0 / 3.0).abs() < 1e-12);
    }
}
