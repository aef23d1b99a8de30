//! Disturbed copies of the records, and what a model says about them.

use super::Outputs;
use crate::LabError;
use crate::random::Stream;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis, s, stack};

/// Noise of one strength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Noise {
    /// Add normal noise with this standard deviation (pictures and other numbers).
    Gaussian(f32),
    /// Turn each bit, 0 or 1, with this probability (binary features).
    Flip(f32),
}

/// How records are disturbed.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Strengths to try; several tell distances apart where one is all or nothing.
    pub noises: Vec<Noise>,
    /// Disturbed copies for each strength.
    pub copies: usize,
    /// Draws the noise.
    pub seed: u64,
}

/// What a model says about disturbed copies of some records.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Predicted labels (copies, records).
    labels: Array2<usize>,
    /// (copies, records, classes); absent where the attacker sees labels alone.
    confidences: Option<Array3<f64>>,
}

impl Neighbours {
    /// Disturb `inputs` (records, width), flattened records, and `ask` the model for its confidences (records, classes)
    /// about each copy.
    ///
    /// # Errors
    /// Those of `ask`; if it answers another number of records; without noises or copies.
    pub fn ask(
        inputs: ArrayView2<'_, f32>,
        how: &Disturbance,
        mut ask: impl FnMut(ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        if how.noises.is_empty() || how.copies == 0 {
            let problem = "at least one strength of noise and one copy are needed";
            return Err(LabError::input("disturbed copies", problem));
        }
        let mut stream = Stream::new(how.seed, "noise of the label-only attack");
        let mut answers = Vec::new();
        for noise in &how.noises {
            for _ in 0..how.copies {
                let copy = disturbed(inputs, *noise, &mut stream);
                let answer = ask(copy.view())?;
                if answer.nrows() != inputs.nrows() {
                    let (actual, expected) = (answer.nrows(), inputs.nrows());
                    let problem = format!("{actual} answers for {expected} records");
                    return Err(LabError::Model(problem));
                }
                answers.push(answer);
            }
        }
        let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
        let confidences = stack(Axis(0), &views)
            .map_err(|error| LabError::input("disturbed copies", error.to_string()))?;
        Self::new("the answers about disturbed copies", confidences)
    }

    /// From `confidences` (copies, records, classes); `what` names them in errors.
    ///
    /// # Errors
    /// If there are no copies, or a confidence is not finite.
    pub fn new(what: &str, confidences: Array3<f64>) -> Result<Self, LabError> {
        let (copies, records, classes) = confidences.dim();
        if copies == 0 || records == 0 || classes < 2 {
            let problem = format!("{copies} copies of {records} records of {classes} classes");
            return Err(LabError::input(what, problem));
        }
        if confidences.iter().any(|p| !p.is_finite()) {
            return Err(LabError::input(what, "a confidence is not finite"));
        }
        let label =
            |(copy, record)| super::outputs::predicted(confidences.slice(s![copy, record, ..]));
        Ok(Self {
            labels: Array2::from_shape_fn((copies, records), label),
            confidences: Some(confidences),
        })
    }

    /// The same for an attacker who sees labels alone.
    #[must_use]
    pub fn labels_alone(&self) -> Self {
        Self {
            labels: self.labels.clone(),
            confidences: None,
        }
    }

    /// What a defence that keeps labels makes of the confidences about each copy (records, classes).
    ///
    /// # Errors
    /// Those of `defence`.
    pub fn answered(
        &self,
        mut defence: impl FnMut(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        let Some(all) = &self.confidences else {
            return Ok(self.clone());
        };
        let answers: Vec<Array2<f64>> = all
            .outer_iter()
            .map(|copy| defence(&copy.to_owned()))
            .collect::<Result<_, _>>()?;
        let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
        let confidences = stack(Axis(0), &views)
            .map_err(|error| LabError::input("disturbed copies", error.to_string()))?;
        Ok(Self {
            labels: self.labels.clone(),
            confidences: Some(confidences),
        })
    }

    /// Whether the attacker sees confidences.
    pub fn confident(&self) -> bool {
        self.confidences.is_some()
    }

    /// The share of copies of `record` whose predicted label is `label`.
    pub(super) fn kept(&self, record: usize, label: usize) -> f64 {
        let copies = self.labels.column(record);
        let right = copies.iter().filter(|&&found| found == label).count();
        right as f64 / copies.len() as f64
    }

    /// `statistic` of the confidences about each copy of `record`, if the attacker sees confidences.
    pub(super) fn statistic(
        &self,
        record: usize,
        statistic: impl Fn(ArrayView1<'_, f64>) -> f64,
    ) -> Option<Vec<f64>> {
        let all = self.confidences.as_ref()?;
        let copies = all.slice(s![.., record, ..]);
        Some(copies.rows().into_iter().map(statistic).collect())
    }

    /// # Errors
    /// If the copies are those of other records.
    pub(super) fn check(&self, outputs: &Outputs) -> Result<(), LabError> {
        let (actual, expected) = (self.labels.ncols(), outputs.records());
        if actual == expected {
            return Ok(());
        }
        let problem = format!("copies of {actual} records instead of {expected}");
        Err(LabError::input("disturbed copies", problem))
    }
}

fn disturbed(inputs: ArrayView2<'_, f32>, noise: Noise, stream: &mut Stream) -> Array2<f32> {
    match noise {
        Noise::Gaussian(deviation) => inputs.mapv(|v| v + deviation * stream.normal() as f32),
        Noise::Flip(probability) => inputs.mapv(|v| {
            if stream.unit() < f64::from(probability) {
                1.0 - v
            } else {
                v
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_do_and_wrong_answers_are_errors() {
        let inputs = Array2::<f32>::zeros((2, 1));
        let whole = |inputs: ArrayView2<'_, f32>| Ok(Array2::zeros((inputs.nrows(), 2)));
        let mut settings = Disturbance {
            noises: vec![],
            copies: 1,
            seed: 1,
        };
        assert!(Neighbours::ask(inputs.view(), &settings, whole).is_err());
        settings.noises.push(Noise::Flip(0.5));
        let short = |_: ArrayView2<'_, f32>| Ok(Array2::zeros((1, 2)));
        assert!(Neighbours::ask(inputs.view(), &settings, short).is_err());
    }
}
