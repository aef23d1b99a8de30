//! Attacks that ask about disturbed copies of the records.
//!
//! Members lie further from the model's decision boundary, so their labels survive more noise (Choquette-Choo et al.
//! 2021), and the model stays surer of them. No defence of the confidences for one query changes what the labels of
//! several say.

use super::odds::log_odds;
use super::{Attack, Border, Evidence, Need, Neighbours, Outputs, Scored};
use crate::{LabError, Sides};

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
    use crate::attacks::copies::{Disturbance, Noise};
    use ndarray::{Array2, ArrayView2, array};

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

    fn scores(inputs: &Array2<f32>, label: usize, settings: &Disturbance) -> Vec<f64> {
        let copies = Neighbours::ask(inputs.view(), settings, ask).unwrap();
        let labels = vec![label; inputs.nrows()];
        let outputs = Outputs::new("o", ask(inputs.view()).unwrap(), labels).unwrap();
        label_scores(&outputs, &copies)
    }

    #[test]
    fn records_far_from_the_boundary_keep_their_labels() {
        let inputs = array![[0.0001_f32], [1.0], [10.0], [-1.0]];
        let settings = Disturbance {
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
        let settings = Disturbance {
            noises: vec![Noise::Flip(0.25)],
            copies: 4000,
            seed: 1,
        };
        let scores = scores(&Array2::zeros((1, 1)), 0, &settings);
        assert!((scores[0] - 0.75).abs() < 0.03, "{scores:?}");
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
