//! Sensitive samples: inputs at which the model's answer moves most when any weight moves.
//!
//! The score is `S(x) = ‖∂f(W, x)/∂W‖²`, the squared Frobenius norm of the Jacobian (CVPR 2019; `SecureDL`, ACSAC 2020).
//! For signs `v` drawn at random, `E ‖∂(v·f)/∂W‖² = S`, so an ascent needs no Jacobian. Its gradient is a directional
//! derivative of ordinary gradients: with `u = ∂(v·f)/∂W` held fixed, `∇_x ‖u‖² = 2 d/dε ∇_x (v·f)(W + εu, x)`, taken
//! as a central difference. The activation pattern of a rectifier network changes at isolated points only.

use crate::VerifyError;
use crate::gradient::{self, Of, Tape};
use crate::random::Random;
use crate::sample::one_of;
use ndarray::{ArrayD, Axis, Zip, concatenate};
use trefoil_nn::{Layer, Plan, Weights};

/// How sensitive samples are searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// No value of a sample moves by more than this from its natural one.
    pub epsilon: f64,
    /// The least value that an input may have.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// Steps of the ascent.
    pub steps: usize,
    /// Go on to where the two best scores are this close, if labels are compared: a label tells nothing of a
    /// change that is smaller than their distance.
    pub(crate) margin: Option<f64>,
}

impl Ascent {
    /// An ascent within a tenth of the range `low ..= high`, in 20 steps.
    pub fn within(low: f64, high: f64) -> Self {
        Self {
            epsilon: (high - low) / 10.0,
            low,
            high,
            steps: 20,
            margin: None,
        }
    }

    /// The value nearest to `x` that may stand where the natural sample has `x_0`.
    fn allowed(&self, x: f64, x_0: f64) -> f64 {
        x.clamp(x_0 - self.epsilon, x_0 + self.epsilon)
            .clamp(self.low.min(x_0), self.high.max(x_0))
    }

    /// The same with so many steps.
    #[must_use]
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// The same, but no value moves by more than `epsilon`.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }
}

/// A candidate for a fingerprint.
pub(crate) struct Candidate {
    /// The sample, a batch of one.
    pub(crate) sample: ArrayD<f64>,
    /// `S` of it.
    pub(crate) score: f64,
    /// Which neurons it activates.
    pub(crate) active: Vec<bool>,
    /// Its neighbour on the other side of the border between two labels, if that was looked for and met: a change of
    /// the scores moves the border over one of the two.
    pub(crate) across: Option<ArrayD<f64>>,
}

/// `S(x)` of one sample, exactly: one backward pass for each element of the answer.
pub(crate) fn score(
    plan: &Plan,
    weights: &[ArrayD<f64>],
    sample: &ArrayD<f64>,
) -> Result<f64, VerifyError> {
    let tape = Tape::run(plan, weights, sample);
    let mut score = 0.0;
    for element in 0..tape.output().len() {
        let mut seed = ArrayD::zeros(tape.output().raw_dim());
        if let Some(one) = seed.iter_mut().nth(element) {
            *one = 1.0;
        }
        score += squares(&tape.backward(&seed, Of::Weights)?.weights(plan));
    }
    Ok(score)
}

/// `‖∂(v·f)/∂W‖²` and its gradient with respect to the sample.
pub(crate) fn slope(
    plan: &Plan,
    weights: &[ArrayD<f64>],
    sample: &ArrayD<f64>,
    signs: &ArrayD<f64>,
) -> Result<(f64, ArrayD<f64>), VerifyError> {
    let direction = Tape::run(plan, weights, sample)
        .backward(signs, Of::Weights)?
        .weights(plan);
    let square = squares(&direction);
    if square == 0.0 {
        return Ok((0.0, ArrayD::zeros(sample.raw_dim())));
    }
    // Relative to the weights, and so small that hardly an activation changes on the way.
    let size = squares(weights).sqrt().max(1e-6);
    let step = 1e-8 * size / square.sqrt();
    let at = |by: f64| -> Result<ArrayD<f64>, VerifyError> {
        let moved: Vec<_> = weights
            .iter()
            .zip(&direction)
            .map(|(weight, part)| weight + &(part * by))
            .collect();
        let tape = Tape::run(plan, &moved, sample);
        Ok(tape.backward(signs, Of::Inputs)?.input(plan))
    };
    // 2 · (∇(W + εu) - ∇(W - εu)) / 2ε
    Ok((square, (at(step)? - at(-step)?) / step))
}

/// Climb from each natural sample `[n, …]`; what comes out is never less sensitive than what went in.
///
/// # Errors
/// If a layer's gradient is not known, or the operating system gives no randomness.
pub(crate) fn candidates(
    plan: &Plan,
    weights: &Weights,
    natural: &ArrayD<f64>,
    ascent: &Ascent,
    random: &mut Random,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Candidate>, VerifyError> {
    gradient::check(plan)?;
    let weights = weights.to_clear();
    let mut found = Vec::with_capacity(natural.len_of(Axis(0)));
    for index in 0..natural.len_of(Axis(0)) {
        let start = one_of(natural, index);
        let sample = climb(plan, &weights, &start, ascent, random)?;
        let (before, after) = (
            score(plan, &weights, &start)?,
            score(plan, &weights, &sample)?,
        );
        let (mut sample, mut found_score) = if after > before {
            (sample, after)
        } else {
            (start.clone(), before)
        };
        let mut across = None;
        if let Some(margin) = ascent.margin {
            (sample, across) = to_boundary(plan, &weights, &sample, &start, ascent, margin)?;
            found_score = score(plan, &weights, &sample)?;
        }
        let active = active(plan, &Tape::run(plan, &weights, &sample));
        found.push(Candidate {
            sample,
            score: found_score,
            active,
            across,
        });
        progress(index + 1);
    }
    Ok(found)
}

/// Projected gradient ascent with steps of constant size in every coordinate.
fn climb(
    plan: &Plan,
    weights: &[ArrayD<f64>],
    start: &ArrayD<f64>,
    ascent: &Ascent,
    random: &mut Random,
) -> Result<ArrayD<f64>, VerifyError> {
    let mut sample = start.clone();
    let shape = plan.shape(plan.outputs[0].value).to_vec();
    for number in 0..ascent.steps {
        let mut signs = ArrayD::zeros(shape.clone());
        for sign in &mut signs {
            *sign = if random.word()? & 1 == 0 { 1.0 } else { -1.0 };
        }
        let (_, gradient) = slope(plan, weights, &sample, &signs)?;
        // Long steps first; their sum reaches every corner.
        let rate = 4.0 * ascent.epsilon / ascent.steps as f64
            * (1.0 - number as f64 / ascent.steps as f64);
        Zip::from(&mut sample)
            .and(&gradient)
            .and(start)
            .for_each(|x, &g, &x_0| {
                let up = if g == 0.0 { 0.0 } else { rate * g.signum() };
                *x = ascent.allowed(*x + up, x_0);
            });
    }
    Ok(sample)
}

/// From `sample`, go down the distance of the two best scores until the label changes, then bisect: two samples near
/// `natural`, one on each side of the border, whose two best scores are at least `margin` apart and at most four times
/// that. The second is missing if the border is not met; the first is then as near to it as found.
fn to_boundary(
    plan: &Plan,
    weights: &[ArrayD<f64>],
    sample: &ArrayD<f64>,
    natural: &ArrayD<f64>,
    ascent: &Ascent,
    margin: f64,
) -> Result<(ArrayD<f64>, Option<ArrayD<f64>>), VerifyError> {
    // In the precision of a fingerprint's file.
    let rounded = |sample: &ArrayD<f64>| sample.mapv(|v| f64::from(v as f32));
    let judge = |sample: &ArrayD<f64>| best_two(Tape::run(plan, weights, sample).output());
    let near = margin..=4.0 * margin;
    let mut here = rounded(sample);
    let (label, _, _) = judge(&here);
    let mut beyond = None;
    for _ in 0..ascent.steps.max(12) {
        let tape = Tape::run(plan, weights, &here);
        let (first, second, _) = best_two(tape.output());
        let mut seed = ArrayD::zeros(tape.output().raw_dim());
        for (place, score) in seed.iter_mut().enumerate() {
            *score = f64::from(u8::from(place == first)) - f64::from(u8::from(place == second));
        }
        let slope = tape.backward(&seed, Of::Inputs)?.input(plan);
        let mut next = here.clone();
        Zip::from(&mut next)
            .and(&slope)
            .and(natural)
            .for_each(|x, &g, &x_0| {
                let down = if g == 0.0 {
                    0.0
                } else {
                    -ascent.epsilon / 4.0 * g.signum()
                };
                *x = ascent.allowed(*x + down, x_0);
            });
        let next = rounded(&next);
        if judge(&next).0 != label {
            beyond = Some(next);
            break;
        }
        here = next;
    }
    let Some(beyond) = beyond else {
        return Ok((here, None));
    };
    // From one side towards the other, to where the distance is as wanted.
    let approach = |from: &ArrayD<f64>, to: &ArrayD<f64>| {
        let (own, _, gap) = judge(from);
        let (mut far, mut past) = (from.clone(), to.clone());
        if near.contains(&gap) {
            return Some(far);
        }
        for _ in 0..60 {
            let middle = rounded(&((&far + &past) * 0.5));
            let (there, _, gap) = judge(&middle);
            if there == own && near.contains(&gap) {
                return Some(middle);
            }
            if there == own && gap > margin {
                far = middle;
            } else {
                past = middle;
            }
        }
        None
    };
    match (approach(&here, &beyond), approach(&beyond, &here)) {
        (Some(this), across) => Ok((this, across)),
        (None, Some(across)) => Ok((across, None)),
        (None, None) => Ok((here, None)),
    }
}

/// The places of the two largest scores, and their distance.
fn best_two(scores: &ArrayD<f64>) -> (usize, usize, f64) {
    let mut first = (0, f64::NEG_INFINITY);
    let mut second = (0, f64::NEG_INFINITY);
    for (place, &score) in scores.iter().enumerate() {
        if score > first.1 {
            second = first;
            first = (place, score);
        } else if score > second.1 {
            second = (place, score);
        }
    }
    (first.0, second.0, first.1 - second.1)
}

/// Which neurons (outputs of activations) are not 0.
fn active(plan: &Plan, tape: &Tape<'_>) -> Vec<bool> {
    let activations = plan
        .steps
        .iter()
        .filter(|step| matches!(step.layer, Layer::Relu(_) | Layer::Clip(_) | Layer::Elu(_)));
    activations
        .flat_map(|step| tape.value(step.output).iter().map(|&v| v > 0.0))
        .collect()
}

/// Choose `count` candidates: each the one that activates most neurons not yet active, the more sensitive
/// among equal ones (the paper's maximum active-neuron cover, greedily).
pub(crate) fn cover(candidates: &[Candidate], count: usize) -> Vec<usize> {
    let neurons = candidates.first().map_or(0, |first| first.active.len());
    let mut covered = vec![false; neurons];
    let mut chosen: Vec<usize> = Vec::new();
    // Samples at a border tell more than others, where borders were looked for.
    let met = candidates
        .iter()
        .any(|candidate| candidate.across.is_some());
    let worth = |index: usize| candidates[index].across.is_some() || !met;
    while chosen.len() < count.min(candidates.len()) {
        let gain = |candidate: &Candidate| {
            let pairs = candidate.active.iter().zip(&covered);
            pairs
                .filter(|(active, covered)| **active && !**covered)
                .count()
        };
        let left = (0..candidates.len()).filter(|index| !chosen.contains(index));
        let Some(best) = left.max_by(|&a, &b| {
            let first = worth(a).cmp(&worth(b));
            let (a, b) = (&candidates[a], &candidates[b]);
            first
                .then(gain(a).cmp(&gain(b)))
                .then(a.score.total_cmp(&b.score))
        }) else {
            break;
        };
        for (covered, active) in covered.iter_mut().zip(&candidates[best].active) {
            *covered |= active;
        }
        chosen.push(best);
    }
    chosen
}

/// Samples behind each other.
pub(crate) fn stacked(samples: &[ArrayD<f64>]) -> ArrayD<f64> {
    let views: Vec<_> = samples.iter().map(|sample| sample.view()).collect();
    concatenate(Axis(0), &views).unwrap_or_default()
}

fn squares(tensors: &[ArrayD<f64>]) -> f64 {
    tensors
        .iter()
        .map(|tensor| tensor.iter().map(|v| v * v).sum::<f64>())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_nn::{Graph, Options};

    fn model(bytes: &[u8]) -> (Plan, Weights) {
        let graph = Graph::from_bytes(bytes, "model.onnx").unwrap();
        let options = Options {
            batch: Some(1),
            ..Options::default()
        };
        Plan::compile(&graph, &options).unwrap()
    }

    fn natural(count: usize) -> ArrayD<f64> {
        let (pictures, _) = trefoil_digits::generate(count, 31);
        pictures.mapv(f64::from).into_dyn()
    }

    #[test]
    fn the_slope_of_the_score_agrees_with_differences() {
        for bytes in [trefoil_digits::LENET5, trefoil_digits::NORM] {
            let (plan, weights) = model(bytes);
            let weights = weights.to_clear();
            let mut random = Random::seeded(2);
            let sample = natural(1).mapv(|v| v + 0.1 * random.unit().unwrap());
            let signs = ArrayD::from_shape_fn(plan.shape(plan.outputs[0].value), |at| {
                if at[1] % 3 == 0 { 1.0 } else { -1.0 }
            });
            let (_, gradient) = slope(&plan, &weights, &sample, &signs).unwrap();
            let direction = sample.mapv(|_| random.normal().unwrap());
            let analytic = (&gradient * &direction).sum();
            let step = 1e-7;
            let at = |by: f64| {
                let moved = &sample + &(&direction * by);
                slope(&plan, &weights, &moved, &signs).unwrap().0
            };
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            assert!(
                (analytic - numeric).abs() < 1e-3 * numeric.abs(),
                "{analytic} {numeric}"
            );
        }
    }

    #[test]
    fn random_signs_estimate_the_score() {
        let (plan, weights) = model(trefoil_digits::MODEL);
        let (weights, sample) = (weights.to_clear(), natural(1));
        let exact = score(&plan, &weights, &sample).unwrap();
        let mut random = Random::seeded(6);
        let mut sum = 0.0;
        for _ in 0..200 {
            let signs = ArrayD::from_shape_fn(plan.shape(plan.outputs[0].value), |_| {
                if random.word().unwrap() & 1 == 0 {
                    1.0
                } else {
                    -1.0
                }
            });
            let tape = Tape::run(&plan, &weights, &sample);
            sum += squares(&tape.backward(&signs, Of::Weights).unwrap().weights(&plan)) / 200.0;
        }
        assert!((sum / exact - 1.0).abs() < 0.15, "{sum} {exact}");
    }

    #[test]
    fn ascent_raises_the_score_and_stays_near() {
        let (plan, weights) = model(trefoil_digits::LENET5);
        let natural = natural(4);
        let ascent = Ascent::within(0.0, 1.0).steps(8);
        let mut random = Random::seeded(8);
        let found =
            candidates(&plan, &weights, &natural, &ascent, &mut random, &mut |_| {}).unwrap();
        for (index, candidate) in found.iter().enumerate() {
            let start = one_of(&natural, index);
            let before = score(&plan, &weights.to_clear(), &start).unwrap();
            assert!(
                candidate.score > 1.2 * before,
                "{} {before}",
                candidate.score
            );
            for (x, x_0) in candidate.sample.iter().zip(&start) {
                assert!((x - x_0).abs() <= 0.1 + 1e-12 && (0.0..=1.0).contains(x));
            }
        }
    }

    #[test]
    fn the_boundary_is_met_at_the_wanted_distance() {
        let (plan, weights) = model(trefoil_digits::LENET5);
        let weights = weights.to_clear();
        let natural = natural(6);
        let ascent = Ascent::within(0.0, 1.0);
        let mut met = 0;
        for index in 0..6 {
            let start = one_of(&natural, index);
            let (near, across) =
                to_boundary(&plan, &weights, &start, &start, &ascent, 1e-3).unwrap();
            let judge =
                |sample: &ArrayD<f64>| best_two(Tape::run(&plan, &weights, sample).output());
            if let Some(across) = across {
                let ((label, _, gap), (other, _, beyond)) = (judge(&near), judge(&across));
                let range = 1e-3..=4e-3;
                met +=
                    usize::from(range.contains(&gap) && range.contains(&beyond) && label != other);
            }
            for (x, x_0) in near.iter().zip(&start) {
                assert!((x - x_0).abs() <= 0.1 + 1e-6 && (-1e-6..=1.0 + 1e-6).contains(x));
            }
        }
        assert!(met >= 4, "{met} of 6");
    }

    #[test]
    fn the_cover_takes_what_adds_most() {
        let candidate = |active: [bool; 4], score| Candidate {
            sample: ArrayD::zeros(vec![1]),
            score,
            active: active.to_vec(),
            across: None,
        };
        let all = [
            candidate([true, true, false, false], 9.0),
            candidate([true, true, true, false], 1.0),
            candidate([false, false, false, true], 2.0),
            candidate([false, false, true, true], 1.0),
        ];
        // Three neurons, then the one that is left by the more sensitive, then by sensitivity alone.
        assert_eq!(cover(&all, 3), [1, 2, 0]);
        assert_eq!(cover(&all, 9).len(), 4);
    }
}
