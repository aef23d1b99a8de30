//! Stand-ins for the attacks' tests.

use super::{MembershipModel, MembershipTrainer, Outputs};
use crate::random::Stream;
use crate::{LabError, Sides};
use ndarray::{Array2, ArrayView1};

/// Logistic regression by gradient descent, in the place of NN-M's network.
pub(super) struct Logistic;

struct Weights(Vec<f64>);

impl Weights {
    fn of(&self, row: ArrayView1<'_, f64>) -> f64 {
        let (bias, weights) = self.0.split_last().unwrap();
        let sum: f64 = row.iter().zip(weights).map(|(x, w)| x * w).sum();
        1.0 / (1.0 + (-(sum + bias)).exp())
    }
}

impl MembershipTrainer for Logistic {
    fn train(
        &self,
        features: Sides<&Array2<f64>>,
        _seed: u64,
    ) -> Result<Box<dyn MembershipModel>, LabError> {
        let mut weights = Weights(vec![0.0; features.members.ncols() + 1]);
        let sides = [(features.members, 1.0), (features.nonmembers, 0.0)];
        let records: usize = sides.iter().map(|(side, _)| side.nrows()).sum();
        for _ in 0..300 {
            let mut step = vec![0.0; weights.0.len()];
            for (side, member) in sides {
                for row in side.outer_iter() {
                    let error = member - weights.of(row);
                    for (s, &x) in step.iter_mut().zip(row.iter().chain([&1.0])) {
                        *s += error * x;
                    }
                }
            }
            let rate = 2.0 / records as f64;
            let pairs = weights.0.iter_mut().zip(step);
            pairs.for_each(|(w, s)| *w += rate * s);
        }
        Ok(Box::new(weights))
    }
}

impl MembershipModel for Weights {
    fn likelihood(&self, features: &Array2<f64>) -> Result<Vec<f64>, LabError> {
        Ok(features.outer_iter().map(|row| self.of(row)).collect())
    }
}

/// Outputs for three classes whose top confidence is around `top`.
pub(super) fn around(top: f64, records: usize, seed: u64) -> Outputs {
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
