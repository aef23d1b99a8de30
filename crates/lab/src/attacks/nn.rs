//! NN-M: a network that tells members from non-members (Shokri et al. 2017).

use super::{Attack, Border, Evidence, Need, Outputs, Scored};
use crate::{LabError, Sides};
use ndarray::{Array2, Axis, concatenate};

/// Trains the attacker's network. Implemented by the training part of the lab; any classifier
/// will do.
pub trait Trainer {
    /// Train on rows of `features` (records, width), each of which is a member or not.
    ///
    /// # Errors
    /// If the training fails.
    fn train(
        &self,
        features: &Array2<f32>,
        members: &[bool],
        seed: u64,
    ) -> Result<Box<dyn Membership>, LabError>;
}

/// A trained attacker.
pub trait Membership {
    /// For each row of `features` (records, width) how likely it is a member's, 0.5 being the
    /// border. In double precision to the end: the surest records must not all round to 1.
    ///
    /// # Errors
    /// If the model cannot be run.
    fn likelihood(&self, features: &Array2<f32>) -> Result<Vec<f64>, LabError>;
}

/// The attack by a network, as a row of tables.
pub(super) struct Network;

impl Attack for Network {
    fn name(&self) -> &'static str {
        "NN-M"
    }

    fn decides_by(&self) -> &'static str {
        "a network on sorted confidences"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Shadow, Need::Network]
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Option<Scored>, LabError> {
        let (Some(shadow), Some(trainer)) = (evidence.shadow, evidence.trainer) else {
            return Ok(None);
        };
        let target = evidence.target.as_ref();
        Ok(Some(Scored {
            target: scores(target, shadow.as_ref(), trainer, evidence.seed)?,
            // Its scores of what it was trained on would say nothing.
            shadow: None,
            border: Border::At(0.5, "the border that the network was trained for"),
        }))
    }
}

/// What the network sees of an output: the confidences in falling order, as in MemGuard's
/// evaluation (Jia et al. 2019), which makes one network serve all classes.
pub fn features(outputs: &Outputs) -> Array2<f32> {
    let mut features = outputs.confidences().mapv(|p| p as f32);
    for mut row in features.rows_mut() {
        let mut sorted = row.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        row.iter_mut().zip(sorted).for_each(|(to, from)| *to = from);
    }
    features
}

/// Train on the shadow outputs and score the target's.
///
/// # Errors
/// If shadow and target have not the same classes, or training or running the model fails.
pub fn scores(
    target: Sides<&Outputs>,
    shadow: Sides<&Outputs>,
    trainer: &dyn Trainer,
    seed: u64,
) -> Result<Sides<Vec<f64>>, LabError> {
    let (width, expected) = (shadow.members.classes(), target.members.classes());
    if width != expected {
        let problem = format!("{width} classes, but the target has {expected}");
        return Err(LabError::input("the shadow outputs", problem));
    }
    let known = shadow.map(features);
    let rows = concatenate(Axis(0), &[known.members.view(), known.nonmembers.view()])
        .map_err(|error| LabError::input("the shadow outputs", error.to_string()))?;
    let members: Vec<bool> = (0..rows.nrows())
        .map(|row| row < known.members.nrows())
        .collect();
    let model = trainer.train(&rows, &members, seed)?;
    target.try_map(|outputs| {
        let scores = model.likelihood(&features(outputs))?;
        if scores.len() == outputs.records() {
            return Ok(scores);
        }
        let (actual, expected) = (scores.len(), outputs.records());
        Err(LabError::Model(format!(
            "{actual} scores for {expected} records"
        )))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::random::Stream;

    /// Logistic regression by gradient descent, a stand-in for the network.
    pub(crate) struct Logistic;

    struct Weights(Vec<f64>);

    impl Weights {
        fn of(&self, row: ndarray::ArrayView1<'_, f32>) -> f64 {
            let (bias, weights) = self.0.split_last().unwrap();
            let sum: f64 = row
                .iter()
                .zip(weights)
                .map(|(&x, w)| f64::from(x) * w)
                .sum();
            1.0 / (1.0 + (-(sum + bias)).exp())
        }
    }

    impl Trainer for Logistic {
        fn train(
            &self,
            features: &Array2<f32>,
            members: &[bool],
            _seed: u64,
        ) -> Result<Box<dyn Membership>, LabError> {
            let mut weights = Weights(vec![0.0; features.ncols() + 1]);
            for _ in 0..300 {
                let mut step = vec![0.0; weights.0.len()];
                for (row, &member) in features.outer_iter().zip(members) {
                    let error = f64::from(u8::from(member)) - weights.of(row);
                    for (s, &x) in step.iter_mut().zip(row.iter().chain([&1.0])) {
                        *s += error * f64::from(x);
                    }
                }
                let rate = 2.0 / members.len() as f64;
                weights
                    .0
                    .iter_mut()
                    .zip(step)
                    .for_each(|(w, s)| *w += rate * s);
            }
            Ok(Box::new(weights))
        }
    }

    impl Membership for Weights {
        fn likelihood(&self, features: &Array2<f32>) -> Result<Vec<f64>, LabError> {
            Ok(features.outer_iter().map(|row| self.of(row)).collect())
        }
    }

    /// Outputs for three classes whose top confidence is around `top`.
    pub(crate) fn around(top: f64, records: usize, seed: u64) -> Outputs {
        let mut stream = Stream::new(seed, "outputs");
        let mut confidences = Array2::zeros((records, 3));
        let mut labels = Vec::new();
        for mut row in confidences.rows_mut() {
            let label = stream.below(3);
            let p = top + 0.1 * (stream.unit() - 0.5);
            row.fill((1.0 - p) / 2.0);
            row[label] = p;
            labels.push(label);
        }
        Outputs::new("outputs", confidences, labels).unwrap()
    }

    #[test]
    fn features_are_the_sorted_confidences() {
        let outputs = Outputs::new("o", ndarray::array![[0.2, 0.7, 0.1]], vec![0]).unwrap();
        assert_eq!(features(&outputs), ndarray::array![[0.7, 0.2, 0.1]]);
    }

    #[test]
    fn what_separates_the_shadow_separates_the_target() {
        let shadow = Sides::new(around(0.9, 100, 1), around(0.6, 100, 2));
        let target = Sides::new(around(0.9, 50, 3), around(0.6, 50, 4));
        let scores = scores(target.as_ref(), shadow.as_ref(), &Logistic, 0).unwrap();
        assert!(scores.members.iter().all(|&score| score > 0.5));
        assert!(scores.nonmembers.iter().all(|&score| score < 0.5));
    }
}
