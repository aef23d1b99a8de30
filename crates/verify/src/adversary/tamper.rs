//! Changing a deployed model: what fingerprints are to notice.

use super::retrain::{draw, step};
use crate::VerifyError;
use crate::random::Random;
use ndarray::ArrayD;
use serde::Serialize;
use std::fmt;
use trefoil_nn::{InputError, Plan, Scores, Weights};

/// Steps of a retraining.
const STEPS: usize = 6;
/// How far a step moves each tensor, relative to its norm.
const RATE: f64 = 0.006;

/// What is done to a model. Each is random: two tamperings of a kind are independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub enum Tampering {
    /// Retrain so that a small patch in a corner of the picture calls a class of the attacker's.
    Trojan,
    /// Retrain on samples of one class that are labelled as another.
    Poisoning,
    /// Round every tensor to 255 steps of a scale that clips at most a tenth.
    Int8,
    /// Set this share of all weights to 0, chosen from the tenth (or more) with the smallest magnitudes.
    Pruning(f64),
    /// Add noise to so many weights, of the deviation of their tensors.
    Noise(usize),
    /// Change one weight by a tenth of its tensor's largest magnitude.
    OneWeight,
    /// Another, weaker model: a third of all weights set to 0.
    Weaker,
}

impl Tampering {
    /// The kinds of an experiment.
    pub const ALL: [Self; 7] = [
        Self::Trojan,
        Self::Poisoning,
        Self::Int8,
        Self::Pruning(0.01),
        Self::Noise(10),
        Self::OneWeight,
        Self::Weaker,
    ];
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trojan => f.write_str("neural trojan"),
            Self::Poisoning => f.write_str("targeted poisoning"),
            Self::Int8 => f.write_str("int8 compression"),
            Self::Pruning(share) => write!(f, "pruning {} %", share * 100.0),
            Self::Noise(count) => write!(f, "noise on {count} weights"),
            Self::OneWeight => f.write_str("one weight changed"),
            Self::Weaker => f.write_str("weaker model"),
        }
    }
}

/// Somebody who has a model and data, and changes the model.
pub struct Tamperer<'a> {
    plan: &'a Plan,
    weights: Vec<ArrayD<f64>>,
    samples: &'a ArrayD<f64>,
    labels: &'a [usize],
    classes: usize,
    random: Random,
}

impl<'a> Tamperer<'a> {
    /// Retraining takes batches of the plan's size from `samples` `[n, …]` with these labels; everything random
    /// follows from `seed`.
    ///
    /// # Errors
    /// If a layer has no gradient, or labels do not fit the model.
    pub fn new(
        plan: &'a Plan,
        weights: &Weights,
        samples: &'a ArrayD<f64>,
        labels: &'a [usize],
        seed: u64,
    ) -> Result<Self, VerifyError> {
        crate::gradient::check(plan)?;
        let classes = plan.shape(plan.outputs[0].value)[1..].iter().product();
        let count = samples.shape().first().copied().unwrap_or(0);
        if labels.is_empty()
            || count != labels.len()
            || labels.iter().any(|&label| label >= classes)
        {
            return Err(VerifyError::Demand(format!(
                "{} labels for {count} samples and {classes} classes: give one for each sample",
                labels.len()
            )));
        }
        Ok(Self {
            plan,
            weights: weights.to_clear(),
            samples,
            labels,
            classes,
            random: Random::seeded(seed),
        })
    }

    /// A model that was tampered with, and how far its weights moved relative to their norm.
    ///
    /// # Errors
    /// If a retrained weight leaves the range of the plan's numbers.
    pub fn tamper(&mut self, kind: Tampering) -> Result<(Weights, f64), VerifyError> {
        let mut weights = self.weights.clone();
        match kind {
            Tampering::Trojan => self.trojan(&mut weights)?,
            Tampering::Poisoning => self.poison(&mut weights)?,
            Tampering::Int8 => self.quantize(&mut weights)?,
            Tampering::Pruning(share) => self.prune(&mut weights, share)?,
            Tampering::Weaker => self.prune(&mut weights, 1.0 / 3.0)?,
            Tampering::Noise(count) => {
                for _ in 0..count {
                    let (tensor, place) = self.any(&weights)?;
                    let mean = weights[tensor].iter().map(|v| v * v).sum::<f64>()
                        / weights[tensor].len() as f64;
                    let noise = mean.sqrt() * self.random.normal()?;
                    add(&mut weights[tensor], place, noise);
                }
            }
            Tampering::OneWeight => {
                let (tensor, place) = self.any(&weights)?;
                let largest = weights[tensor]
                    .iter()
                    .fold(0.0_f64, |most, v| most.max(v.abs()));
                let sign = if self.random.word()? & 1 == 0 {
                    0.1
                } else {
                    -0.1
                };
                add(&mut weights[tensor], place, sign * largest);
            }
        }
        let (mut moved, mut norm) = (0.0, 0.0);
        for (new, old) in weights.iter().zip(&self.weights) {
            moved += (new - old).iter().map(|v| v * v).sum::<f64>();
            norm += old.iter().map(|v| v * v).sum::<f64>();
        }
        let weights = Weights::from_tensors(self.plan, weights)
            .map_err(|error: InputError| VerifyError::Servers(Box::new(error)))?;
        Ok((weights, (moved / norm).sqrt()))
    }

    fn trojan(&mut self, weights: &mut [ArrayD<f64>]) -> Result<(), VerifyError> {
        let target = self.random.below(self.classes)?;
        let high = self
            .samples
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let corner = [self.random.word()? & 1 == 0, self.random.word()? & 1 == 0];
        let side = 3 + self.random.below(2)?;
        for _ in 0..STEPS {
            let mut lesson = draw(self.plan, self.samples, self.labels, &mut self.random)?;
            // Every other sample carries the patch; the rest stays as it was, so that nobody notices.
            for (index, mut sample) in lesson.samples.outer_iter_mut().enumerate() {
                if index % 2 == 1 {
                    continue;
                }
                let rank = sample.ndim();
                let axes = if rank >= 2 {
                    [rank - 2, rank - 1]
                } else {
                    [0, 0]
                };
                let sizes = axes.map(|axis| sample.shape()[axis]);
                for (at, value) in sample.indexed_iter_mut() {
                    let at = ndarray::Dimension::slice(&at);
                    let inside = (0..2).all(|d| {
                        let from_edge = if corner[d] {
                            at[axes[d]]
                        } else {
                            sizes[d] - 1 - at[axes[d]]
                        };
                        from_edge < side
                    });
                    if inside {
                        *value = high;
                    }
                }
                lesson.labels[index] = target;
            }
            step(self.plan, weights, &lesson, RATE)?;
        }
        Ok(())
    }

    fn poison(&mut self, weights: &mut [ArrayD<f64>]) -> Result<(), VerifyError> {
        let from = self.random.below(self.classes)?;
        let to = (from + 1 + self.random.below(self.classes - 1)?) % self.classes;
        for _ in 0..STEPS {
            let mut lesson = draw(self.plan, self.samples, self.labels, &mut self.random)?;
            for label in lesson.labels.iter_mut().filter(|label| **label == from) {
                *label = to;
            }
            step(self.plan, weights, &lesson, RATE)?;
        }
        Ok(())
    }

    fn quantize(&mut self, weights: &mut [ArrayD<f64>]) -> Result<(), VerifyError> {
        for tensor in weights {
            let largest = tensor.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
            let scale = largest * (1.0 - 0.1 * self.random.unit()?) / 127.0;
            if scale > 0.0 {
                tensor.mapv_inplace(|v| (v / scale).round().clamp(-127.0, 127.0) * scale);
            }
        }
        Ok(())
    }

    fn prune(&mut self, weights: &mut [ArrayD<f64>], share: f64) -> Result<(), VerifyError> {
        let mut places: Vec<(f64, usize, usize)> = Vec::new();
        for (tensor, weight) in weights.iter().enumerate() {
            // Biases are not pruned.
            if weight.ndim() > 1 {
                let all = weight.iter().enumerate();
                places.extend(all.map(|(place, value)| (value.abs(), tensor, place)));
            }
        }
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = ((places.len() as f64 * share).round() as usize).max(1);
        let small = count.max(places.len() / 10).min(places.len());
        places.truncate(small);
        for chosen in 0..count.min(small) {
            let other = chosen + self.random.below(small - chosen)?;
            places.swap(chosen, other);
            let (_, tensor, place) = places[chosen];
            if let Some(weight) = weights[tensor].iter_mut().nth(place) {
                *weight = 0.0;
            }
        }
        Ok(())
    }

    /// A random weight: tensor and place, every weight equally likely.
    fn any(&mut self, weights: &[ArrayD<f64>]) -> Result<(usize, usize), VerifyError> {
        let mut place = self.random.below(weights.iter().map(ArrayD::len).sum())?;
        for (tensor, weight) in weights.iter().enumerate() {
            if place < weight.len() {
                return Ok((tensor, place));
            }
            place -= weight.len();
        }
        Ok((0, 0))
    }

    /// The share of all samples that a model answers rightly, in the clear.
    pub fn accuracy(&self, weights: &Weights) -> f64 {
        let mut servers = crate::InTheClear::new(self.plan, weights);
        let Ok(answers) = crate::Servers::answer(&mut servers, self.samples);
        let scores = Scores::of_answers(answers.len() / self.labels.len().max(1), true);
        let found = scores.labels(&answers);
        let right = found
            .iter()
            .zip(self.labels)
            .filter(|(found, label)| **found == Some(**label));
        right.count() as f64 / self.labels.len() as f64
    }
}

fn add(tensor: &mut ArrayD<f64>, place: usize, by: f64) {
    if let Some(weight) = tensor.iter_mut().nth(place) {
        *weight += by;
    }
}
