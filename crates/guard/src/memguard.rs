//! MemGuard in the clear (Jia et al., CCS 2019; Algorithm 1 of SIGuard): the reference, with its data-dependent loops.

use crate::Classifier;
use ndarray::Array1;

/// How MemGuard searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimiser {
    /// Most searches.
    pub outer: u32,
    /// Most steps in a search.
    pub inner: u32,
    /// Length of a step in logits, beta.
    pub beta: f64,
    /// Weights c1, c2, c3 of the loss at the start.
    pub weights: [f64; 3],
    /// Whether a search ends at the first valid noise, and the whole at the first search without (MemGuard); or all
    /// steps are taken (SIGuard's Refinement I, the definition of both secure variants).
    pub stops: bool,
}

/// What MemGuard found for a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The noise on the logits: 0 if no search succeeded.
    pub noise: Array1<f64>,
    /// The confidences to answer with.
    pub confidences: Array1<f64>,
    /// Steps taken in all searches: what its running time shows (SIGuard, Figure 4).
    pub iterations: u32,
    /// Whether each search found valid noise.
    pub valid: Vec<bool>,
}

/// softmax(z).
pub(crate) fn softmax(z: &Array1<f64>) -> Array1<f64> {
    let largest = z.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers = z.mapv(|v| (v - largest).exp());
    let sum = powers.sum();
    powers / sum
}

/// The first maximum.
pub(crate) fn argmax(z: &Array1<f64>) -> usize {
    let first = |best: usize, i: usize| if z[i] > z[best] { i } else { best };
    (1..z.len()).fold(0, first)
}

/// The loss under `noise`, for `s = softmax(z)` and its label: c1 |h(s')| + c2 ReLU(max z' - z'_l) + c3 ||s - s'||_1.
pub fn loss(h: &Classifier, z: &Array1<f64>, noise: &Array1<f64>, weights: [f64; 3]) -> f64 {
    let moved = z + noise;
    let (s, now, label) = (softmax(z), softmax(&moved), argmax(z));
    let others = moved.iter().enumerate().filter(|&(i, _)| i != label);
    let other = others.fold(f64::NEG_INFINITY, |a, (_, &v)| a.max(v));
    weights[0] * h.score(&now).abs()
        + weights[1] * (other - moved[label]).max(0.0)
        + weights[2] * (&s - &now).mapv(f64::abs).sum()
}

impl Optimiser {
    /// The gradient of [`loss`] by the noise, with `sign(0) = 0`.
    pub fn gradient(
        &self,
        h: &Classifier,
        z: &Array1<f64>,
        noise: &Array1<f64>,
        c3: f64,
    ) -> Array1<f64> {
        let moved = z + noise;
        let (s, now) = (softmax(z), softmax(&moved));
        let (label, leader) = (argmax(z), argmax(&moved));
        let (score, g) = h.gradient(&now);
        let sign = |v: f64| if v == 0.0 { 0.0 } else { v.signum() };
        let v = g * (self.weights[0] * sign(score)) + (&now - &s).mapv(|d| c3 * sign(d));
        // J v with J = diag(s') - s' s'^T.
        let mut u = &now * &(&v - now.dot(&v));
        u[leader] += self.weights[1];
        u[label] -= self.weights[1];
        u
    }
}

/// Whether `noise` keeps the label and flips the classifier's verdict.
fn valid(h: &Classifier, z: &Array1<f64>, noise: &Array1<f64>, score: f64) -> bool {
    let moved = z + noise;
    argmax(&moved) == argmax(z) && h.score(&softmax(&moved)) * score < 0.0
}

/// MemGuard on one query's logits.
pub fn memguard(optimiser: &Optimiser, h: &Classifier, z: &Array1<f64>) -> Found {
    let score = h.score(&softmax(z));
    let mut found = Found {
        noise: Array1::zeros(z.len()),
        confidences: Array1::zeros(0),
        iterations: 0,
        valid: Vec::new(),
    };
    let mut c3 = optimiser.weights[2];
    for _ in 0..optimiser.outer {
        let mut noise = Array1::<f64>::zeros(z.len());
        for _ in 0..optimiser.inner {
            if optimiser.stops && valid(h, z, &noise, score) {
                break;
            }
            let u = optimiser.gradient(h, z, &noise, c3);
            let norm = u.dot(&u).sqrt();
            if norm > 0.0 {
                noise.scaled_add(-optimiser.beta / norm, &u);
            }
            found.iterations += 1;
        }
        let found_valid = valid(h, z, &noise, score);
        found.valid.push(found_valid);
        if found_valid {
            found.noise = noise;
            c3 *= 10.0;
        } else if optimiser.stops {
            break;
        }
    }
    found.confidences = softmax(&(z + &found.noise));
    found
}
