//! Disturbed copies of the records, and what a model says about them.
//!
//! Members lie further from the model's decision boundary, so their labels survive more noise (Choquette-Choo et al.
//! 2021), and the model stays surer of them. No defence of the confidences for one query changes what the labels of
//! several say.

use super::features::log_odds;
use super::{Attack, Border, Evidence, Need, Outputs, Scored};
use crate::random::Stream;
use crate::{LabError, Sides};
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
pub struct Settings {
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
        settings: &Settings,
        mut ask: impl FnMut(ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        if settings.noises.is_empty() || settings.copies == 0 {
            let problem = "at least one strength of noise and one copy are needed";
            return Err(LabError::input("disturbed copies", problem));
        }
        let mut stream = Stream::new(settings.seed, "noise of the label-only attack");
        let mut answers = Vec::new();
        for noise in &settings.noises {
            for _ in 0..settings.copies {
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

    /// What a defence that keeps labels makes of the confidences about every `step`-th copy (records, classes).
    ///
    /// # Errors
    /// Those of `defence`.
    pub fn answered(
        &self,
        step: usize,
        mut defence: impl FnMut(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Self, LabError> {
        let Some(all) = &self.confidences else {
            return Ok(self.clone());
        };
        let copies = all.outer_iter().step_by(step.max(1));
        let answers: Vec<Array2<f64>> = copies
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

/// The label-only attack by noise.
pub(super) struct LabelNoise;

impl Attack for LabelNoise {
    fn name(&self) -> &'static str {
        "label noise"
    }

    fn decides_by(&self) -> &'static str {
        "how much noise the right label survives"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Labels, Need::Neighbours]
    }

    fn floor(&self) -> bool {
        true
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        scored(evidence, |outputs, copies| {
            Some(label_scores(outputs, copies))
        })
    }
}

/// The mean confidence about disturbed copies.
pub(super) struct MeanNoise;

impl Attack for MeanNoise {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn decides_by(&self) -> &'static str {
        "mean log-odds of the right label under noise"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Labels, Need::Neighbours, Need::NeighboursConfidences]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        scored(evidence, mean_scores)
    }
}

fn scored(
    evidence: &Evidence<'_>,
    score: impl Fn(&Outputs, &Neighbours) -> Option<Vec<f64>>,
) -> Result<Option<Scored>, LabError> {
    let all = |outputs: &Sides<Outputs>, copies: &Sides<Neighbours>| {
        let pairs = outputs.as_ref().zip(copies.as_ref());
        let sides = pairs.try_map(|(outputs, copies)| {
            copies.check(outputs)?;
            Ok::<_, LabError>(score(outputs, copies))
        })?;
        Ok::<_, LabError>(sides.members.zip(sides.nonmembers))
    };
    let Some(copies) = evidence.neighbours else {
        return Ok(None);
    };
    let Some((members, nonmembers)) = all(evidence.target, copies)? else {
        return Ok(None);
    };
    let own = match evidence.shadow.zip(evidence.shadow_neighbours) {
        Some((own, copies)) => all(own, copies)?,
        None => None,
    };
    Ok(Some(Scored {
        target: Sides::new(members, nonmembers),
        shadow: own.map(|(members, nonmembers)| Sides::new(members, nonmembers)),
        border: Border::One,
    }))
}

/// For each record the share of disturbed copies that keep the true label: a measure of the distance to the boundary. A
/// record whose label is wrong undisturbed is at distance 0 and has the score -1, below all others.
fn label_scores(outputs: &Outputs, copies: &Neighbours) -> Vec<f64> {
    let labels = outputs.labels().iter().zip(outputs.predicted());
    let score = |(record, (&label, predicted))| {
        if label == predicted {
            copies.kept(record, label)
        } else {
            -1.0
        }
    };
    labels.enumerate().map(score).collect()
}

/// The mean log-odds of the label over the copies.
fn mean_scores(outputs: &Outputs, copies: &Neighbours) -> Option<Vec<f64>> {
    let mean = |(record, &label): (usize, &usize)| {
        let phis = copies.statistic(record, |row| log_odds(row, label))?;
        Some(phis.iter().sum::<f64>() / phis.len() as f64)
    };
    outputs.labels().iter().enumerate().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Class 1 where the first feature is positive.
    fn ask(inputs: ArrayView2<'_, f32>) -> Result<Array2<f64>, LabError> {
        let row = |record: usize| f64::from(u8::from(inputs[[record, 0]] > 0.0));
        Ok(Array2::from_shape_fn(
            (inputs.nrows(), 2),
            |(record, class)| {
                if class == 1 {
                    row(record)
                } else {
                    1.0 - row(record)
                }
            },
        ))
    }

    fn scores(inputs: &Array2<f32>, label: usize, settings: &Settings) -> Vec<f64> {
        let copies = Neighbours::ask(inputs.view(), settings, ask).unwrap();
        let labels = vec![label; inputs.nrows()];
        let outputs = Outputs::new("o", ask(inputs.view()).unwrap(), labels).unwrap();
        label_scores(&outputs, &copies)
    }

    #[test]
    fn records_far_from_the_boundary_keep_their_labels() {
        let inputs = array![[0.0001_f32], [1.0], [10.0], [-1.0]];
        let settings = Settings {
            noises: vec![Noise::Gaussian(1.0)],
            copies: 2000,
            seed: 1,
        };
        let scores = scores(&inputs, 1, &settings);
        // Φ of the distance in deviations, four standard errors wide.
        for (score, expected) in scores.iter().zip([0.5, 0.841_345, 1.0]) {
            assert!((score - expected).abs() < 0.045, "{scores:?}");
        }
        assert!((scores[3] + 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn bits_are_turned_as_often_as_asked() {
        let settings = Settings {
            noises: vec![Noise::Flip(0.25)],
            copies: 4000,
            seed: 1,
        };
        let scores = scores(&Array2::zeros((1, 1)), 0, &settings);
        assert!((scores[0] - 0.75).abs() < 0.03, "{scores:?}");
    }

    #[test]
    fn nothing_to_do_and_wrong_answers_are_errors() {
        let inputs = Array2::<f32>::zeros((2, 1));
        let mut settings = Settings {
            noises: vec![],
            copies: 1,
            seed: 1,
        };
        assert!(Neighbours::ask(inputs.view(), &settings, ask).is_err());
        settings.noises.push(Noise::Flip(0.5));
        let short = |_: ArrayView2<'_, f32>| Ok(Array2::zeros((1, 2)));
        assert!(Neighbours::ask(inputs.view(), &settings, short).is_err());
    }

    #[test]
    fn labels_alone_have_no_confidences() {
        let sure = array![[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4]]];
        let copies = Neighbours::new("copies", sure).unwrap();
        let outputs = Outputs::new("o", array![[0.9, 0.1], [0.1, 0.9]], vec![0, 1]).unwrap();
        let means = mean_scores(&outputs, &copies).unwrap();
        let expected = 0.5 * ((0.9_f64 / 0.1).ln() + (0.7_f64 / 0.3).ln());
        assert!((means[0] - expected).abs() < 1e-12);
        assert_eq!(label_scores(&outputs, &copies), [1.0, 0.5]);
        let labels = copies.labels_alone();
        assert!(mean_scores(&outputs, &labels).is_none() && !labels.confident());
        assert_eq!(label_scores(&outputs, &labels), [1.0, 0.5]);
    }
}
