//! A small network that says how sure an answer may look, trained for use against leakage.
//!
//! It sees three numbers of an answer (how far the likeliest class leads all others and the next, and the entropy) and gives
//! a share between 0 and 1. The loss is what the map's answers about non-members lack of *calibrated* confidences (mean
//! cross entropy), plus a weight times the leakage: the maximum mean discrepancy (Gretton et al. 2012) between the shares of
//! members and of others that have the same predicted label and are right or wrong alike. Members are those of several
//! models, so that the network learns what membership does to answers and not who the members are.

use super::rows::{Known, means, rows_of, temperature, tempered};
use super::{margins, order, quantiles};
use crate::LabError;
use crate::random::Stream;
use ndarray::{Array2, ArrayView1};
use std::collections::BTreeMap;

/// What it sees of an answer.
const SEEN: usize = 3;
/// Hidden neurons.
const HIDDEN: usize = 8;
/// All its numbers: weights and biases of both layers.
const NUMBERS: usize = HIDDEN * (SEEN + 1) + HIDDEN + 1;
/// Steps over all records, by Adam (Kingma and Ba 2015) with its usual moments.
const STEPS: usize = 400;
const RATE: f64 = 0.03;
/// The width of the discrepancy's kernel: shares a tenth apart are told apart.
const WIDTH: f64 = 0.1;

/// Answers of one model, some of them about records that it was trained on.
pub struct Lesson {
    /// The answers, with true labels.
    pub known: Known,
    /// Which records the model was trained on.
    pub member: Vec<bool>,
}

/// The network. No `Debug`: it was learnt from membership.
#[derive(Clone)]
pub struct Gauge {
    numbers: [f64; NUMBERS],
    /// Mean and deviation of what it sees, over the lessons.
    moments: [(f64, f64); SEEN],
}

/// The rows of unsure and of sure answers: of the thirds with the least and the largest margins.
pub(super) fn levels(known: &Known, temperature: f64) -> Result<[Array2<f64>; 2], LabError> {
    let margins = margins(&known.logits, temperature);
    let ends = quantiles(&margins, 3);
    let confidences = tempered(&known.logits, temperature);
    let rows = |inside: &dyn Fn(f64) -> bool| {
        let weights = margins.iter().map(|&m| f64::from(u8::from(inside(m))));
        rows_of(&means(&confidences, &weights.collect::<Vec<_>>()))
    };
    Ok([rows(&|m| m <= ends[0])?, rows(&|m| m > ends[1])?])
}

/// What the network sees of logits behind a temperature.
fn seen(z: ArrayView1<'_, f64>) -> [f64; SEEN] {
    let order = order(z);
    let top = z[order[0]];
    let powers: Vec<f64> = z.iter().map(|v| (v - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let entropy = -powers
        .iter()
        .map(|p| (p / sum) * (p / sum).max(1e-300).ln())
        .sum::<f64>();
    let others = (sum - 1.0).max(1e-30);
    [-others.ln(), top - z[order[1]], entropy]
}

/// A record of a lesson, ready for training.
struct Example {
    seen: [f64; SEEN],
    member: bool,
    /// Predicted label, and whether it is right: leakage is measured among equals.
    group: (usize, bool),
    /// Calibrated confidences, and the rows of unsure and sure answers, by rank; for non-members.
    rows: Option<[Vec<f64>; 3]>,
}

fn examples(lessons: &[Lesson]) -> Result<Vec<Example>, LabError> {
    let mut all = Vec::new();
    for Lesson { known, member } in lessons {
        let others: Vec<usize> = (0..member.len()).filter(|&at| !member[at]).collect();
        if others.is_empty() || others.len() == member.len() {
            let problem = "each must be about members and about others";
            return Err(LabError::input("the lessons of the learnt map", problem));
        }
        let outside = Known {
            logits: known.logits.select(ndarray::Axis(0), &others),
            labels: others.iter().map(|&at| known.labels[at]).collect(),
        };
        let t = temperature(&outside);
        let [unsure, sure] = levels(&outside, t)?;
        let confidences = tempered(&known.logits, t);
        for (at, z) in known.logits.rows().into_iter().enumerate() {
            let order = order(z);
            let label = order[0];
            let own: Vec<f64> = order
                .iter()
                .map(|&class| confidences[[at, class]])
                .collect();
            let rows = [own, unsure.row(label).to_vec(), sure.row(label).to_vec()];
            all.push(Example {
                seen: seen(z.mapv(|v| v / t).view()),
                member: member[at],
                group: (label, label == known.labels[at]),
                rows: (!member[at]).then_some(rows),
            });
        }
    }
    Ok(all)
}

impl Gauge {
    /// Train on the answers of several models; `weight` multiplies the leakage.
    ///
    /// # Errors
    /// If a lesson lacks members or non-members.
    pub fn train(lessons: &[Lesson], weight: f64, seed: u64) -> Result<Self, LabError> {
        let mut examples = examples(lessons)?;
        let count = examples.len() as f64;
        let mut moments = [(0.0, 1.0); SEEN];
        for (at, moment) in moments.iter_mut().enumerate() {
            let mean = examples.iter().map(|e| e.seen[at]).sum::<f64>() / count;
            let square = |e: &Example| (e.seen[at] - mean).powi(2);
            let variance = examples.iter().map(square).sum::<f64>() / count;
            *moment = (mean, variance.sqrt().max(1e-9));
        }
        for example in &mut examples {
            example.seen = standardised(example.seen, &moments);
        }
        let mut stream = Stream::new(seed, "gauge of a learnt map");
        let mut numbers = [0.0; NUMBERS];
        numbers.fill_with(|| 0.5 * stream.normal());
        let mut gauge = Self { numbers, moments };
        let (mut first, mut second) = ([0.0; NUMBERS], [0.0; NUMBERS]);
        for step in 1..=STEPS {
            let slope = gauge.slope(&examples, weight);
            let (one, two) = (
                1.0 - 0.9_f64.powi(step as i32),
                1.0 - 0.999_f64.powi(step as i32),
            );
            for at in 0..NUMBERS {
                first[at] = 0.9 * first[at] + 0.1 * slope[at];
                second[at] = 0.999 * second[at] + 0.001 * slope[at] * slope[at];
                gauge.numbers[at] -= RATE * (first[at] / one) / ((second[at] / two).sqrt() + 1e-8);
            }
        }
        Ok(gauge)
    }

    /// The share of the sure row for logits behind a temperature.
    pub fn sureness(&self, z: ArrayView1<'_, f64>) -> f64 {
        self.forward(&standardised(seen(z), &self.moments)).1
    }

    /// The hidden values, and the share.
    fn forward(&self, seen: &[f64; SEEN]) -> ([f64; HIDDEN], f64) {
        let (first, second) = self.numbers.split_at(HIDDEN * (SEEN + 1));
        let mut hidden = [0.0; HIDDEN];
        for (value, weights) in hidden.iter_mut().zip(first.chunks(SEEN + 1)) {
            let sum: f64 = weights.iter().zip(seen).map(|(w, x)| w * x).sum();
            *value = (sum + weights[SEEN]).tanh();
        }
        let sum: f64 = second.iter().zip(&hidden).map(|(w, x)| w * x).sum();
        (hidden, 1.0 / (1.0 + (-sum - second[HIDDEN]).exp()))
    }

    /// The gradient of the loss by the numbers.
    fn slope(&self, examples: &[Example], weight: f64) -> [f64; NUMBERS] {
        let values: Vec<_> = examples.iter().map(|e| self.forward(&e.seen)).collect();
        let shares: Vec<f64> = values.iter().map(|(_, share)| *share).collect();
        let mut by_share = lack(examples, &shares);
        let leak = discrepancy(examples, &shares);
        by_share
            .iter_mut()
            .zip(&leak)
            .for_each(|(sum, leak)| *sum += weight * leak);
        let mut slope = [0.0; NUMBERS];
        let second = &self.numbers[HIDDEN * (SEEN + 1)..];
        for ((example, (hidden, share)), by_share) in examples.iter().zip(&values).zip(by_share) {
            let outer = by_share * share * (1.0 - share);
            for (neuron, value) in hidden.iter().enumerate() {
                slope[HIDDEN * (SEEN + 1) + neuron] += outer * value;
                let inner = outer * second[neuron] * (1.0 - value * value);
                let start = neuron * (SEEN + 1);
                for (at, x) in example.seen.iter().enumerate() {
                    slope[start + at] += inner * x;
                }
                slope[start + SEEN] += inner;
            }
            slope[NUMBERS - 1] += outer;
        }
        slope
    }
}

fn standardised(seen: [f64; SEEN], moments: &[(f64, f64); SEEN]) -> [f64; SEEN] {
    std::array::from_fn(|at| (seen[at] - moments[at].0) / moments[at].1)
}

/// The slope of the mean cross entropy of calibrated confidences and answers, non-members only, by each share.
fn lack(examples: &[Example], shares: &[f64]) -> Vec<f64> {
    let others = examples.iter().filter(|e| !e.member).count() as f64;
    let slope = |(example, share): (&Example, &f64)| {
        let Some([own, unsure, sure]) = &example.rows else {
            return 0.0;
        };
        let pairs = own.iter().zip(unsure.iter().zip(sure));
        let parts =
            pairs.map(|(own, (low, high))| own * (high - low) / (low + share * (high - low)));
        -parts.sum::<f64>() / others
    };
    examples.iter().zip(shares).map(slope).collect()
}

/// The slope of the squared discrepancy between members' and others' shares by each share: within each group that has both, weighed
/// by its members.
fn discrepancy(examples: &[Example], shares: &[f64]) -> Vec<f64> {
    let mut groups: BTreeMap<(usize, bool), [Vec<usize>; 2]> = BTreeMap::new();
    for (at, example) in examples.iter().enumerate() {
        groups.entry(example.group).or_default()[usize::from(example.member)].push(at);
    }
    groups.retain(|_, [others, members]| !others.is_empty() && !members.is_empty());
    let all: usize = groups.values().map(|[_, members]| members.len()).sum();
    let mut slope = vec![0.0; shares.len()];
    // The kernel's slope by the first share.
    let pull = |a: f64, b: f64| {
        let d = (a - b) / WIDTH;
        -(d / WIDTH) * (-0.5 * d * d).exp()
    };
    for [others, members] in groups.values() {
        let part = members.len() as f64 / all as f64;
        for (own, other) in [(members, others), (others, members)] {
            for &at in own {
                let sum = |side: &[usize]| {
                    let pulls = side.iter().map(|&to| pull(shares[at], shares[to]));
                    pulls.sum::<f64>() / side.len() as f64
                };
                slope[at] += part * 2.0 * (sum(own) - sum(other)) / own.len() as f64;
            }
        }
    }
    slope
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members lead by about `lead`, others by 2; all are right.
    fn lesson(lead: f64, seed: u64) -> Lesson {
        let mut stream = Stream::new(seed, "lesson");
        let (mut logits, mut labels) = (Array2::zeros((300, 4)), Vec::new());
        for (at, mut row) in logits.rows_mut().into_iter().enumerate() {
            let label = stream.below(4);
            row.mapv_inplace(|_: f64| 0.3 * stream.normal());
            row[label] += if at % 2 == 0 { lead } else { 2.0 } + stream.normal();
            labels.push(label);
        }
        Lesson {
            known: Known { logits, labels },
            member: (0..300).map(|at| at % 2 == 0).collect(),
        }
    }

    fn gap(gauge: &Gauge, lesson: &Lesson) -> f64 {
        let rows = lesson.known.logits.rows().into_iter();
        let mut means = [0.0; 2];
        for (z, &member) in rows.zip(&lesson.member) {
            means[usize::from(member)] += gauge.sureness(z) / 150.0;
        }
        (means[1] - means[0]).abs()
    }

    #[test]
    fn leakage_that_weighs_more_is_less() {
        let (known, asked) = (lesson(5.0, 1), lesson(5.0, 2));
        let open = Gauge::train(std::slice::from_ref(&known), 0.0, 1).unwrap();
        let shut = Gauge::train(std::slice::from_ref(&known), 1000.0, 1).unwrap();
        let (open, shut) = (gap(&open, &asked), gap(&shut, &asked));
        assert!(open > 0.15 && shut < 0.3 * open, "{open} {shut}");
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let mut known = examples(&[lesson(4.0, 3)]).unwrap();
        // The loss below knows right labels only.
        known.retain(|e| e.group.1);
        let moments = [(0.0, 3.0); SEEN];
        for example in &mut known {
            example.seen = standardised(example.seen, &moments);
        }
        let mut stream = Stream::new(1, "numbers");
        let mut numbers = [0.0; NUMBERS];
        numbers.fill_with(|| 0.5 * stream.normal());
        let gauge = Gauge { numbers, moments };
        let loss = |gauge: &Gauge| {
            let shares: Vec<f64> = known.iter().map(|e| gauge.forward(&e.seen).1).collect();
            let others = known.iter().filter(|e| !e.member).count() as f64;
            let mut sum = 0.0;
            for (example, share) in known.iter().zip(&shares) {
                if let Some([own, unsure, sure]) = &example.rows {
                    let rows = own.iter().zip(unsure.iter().zip(sure));
                    let terms = rows.map(|(o, (l, h))| -o * (l + share * (h - l)).ln());
                    sum += terms.sum::<f64>() / others;
                }
            }
            let kernel = |a: f64, b: f64| (-0.5 * ((a - b) / WIDTH).powi(2)).exp();
            let members = known.iter().filter(|e| e.member && e.group.1).count() as f64;
            for label in 0..4 {
                let side = |member: bool| -> Vec<f64> {
                    let inside = known.iter().zip(&shares);
                    let inside =
                        inside.filter(|(e, _)| e.group == (label, true) && e.member == member);
                    inside.map(|(_, s)| *s).collect()
                };
                let (yes, no) = (side(true), side(false));
                let mean = |a: &[f64], b: &[f64]| {
                    let pairs = a.iter().flat_map(|x| b.iter().map(move |y| kernel(*x, *y)));
                    pairs.sum::<f64>() / (a.len() * b.len()) as f64
                };
                let part = yes.len() as f64 / members;
                sum += 5.0 * part * (mean(&yes, &yes) + mean(&no, &no) - 2.0 * mean(&yes, &no));
            }
            sum
        };
        let slope = gauge.slope(&known, 5.0);
        for at in [0, SEEN, HIDDEN * (SEEN + 1), NUMBERS - 1] {
            let moved = |by: f64| {
                let mut gauge = gauge.clone();
                gauge.numbers[at] += by;
                loss(&gauge)
            };
            let by = 1e-5;
            let found = (moved(by) - moved(-by)) / (2.0 * by);
            assert!(
                (found - slope[at]).abs() < 1e-6,
                "{at}: {found} {}",
                slope[at]
            );
        }
    }
}
