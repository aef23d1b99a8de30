//! The gradient equals automatic differentiation of the loss.

use crate::build::{classifier, logits, optimiser, row, settings, signed};
use ndarray::Array1;
use proptest::prelude::*;
use std::ops::{Add, Div, Mul, Sub};
use trefoil_guard::{Classifier, Steps};
use trefoil_testkit::Random;

/// A number and its derivative in one direction: forward automatic differentiation.
#[derive(Clone, Copy)]
struct Dual(f64, f64);

impl Add for Dual {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self(self.0 + o.0, self.1 + o.1)
    }
}
impl Sub for Dual {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self(self.0 - o.0, self.1 - o.1)
    }
}
impl Mul for Dual {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Self(self.0 * o.0, self.1 * o.0 + self.0 * o.1)
    }
}
impl Div for Dual {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        Self(self.0 / o.0, (self.1 * o.0 - self.0 * o.1) / (o.0 * o.0))
    }
}
impl Dual {
    fn exp(self) -> Self {
        Self(self.0.exp(), self.1 * self.0.exp())
    }
    fn relu(self) -> Self {
        if self.0 > 0.0 { self } else { Self(0.0, 0.0) }
    }
    fn abs(self) -> Self {
        if self.0 < 0.0 {
            Self(-self.0, -self.1)
        } else {
            self
        }
    }
}

fn softmax(z: &[Dual]) -> Vec<Dual> {
    let powers: Vec<Dual> = z.iter().map(|v| v.exp()).collect();
    let sum = powers.iter().fold(Dual(0.0, 0.0), |a, &b| a + b);
    powers.into_iter().map(|p| p / sum).collect()
}

/// The loss, written from its formula.
fn loss(h: &Classifier, z: &Array1<f64>, noise: &[Dual], [c1, c2, c3]: [f64; 3]) -> Dual {
    let plain: Vec<Dual> = z.iter().map(|&v| Dual(v, 0.0)).collect();
    let moved: Vec<Dual> = plain.iter().zip(noise).map(|(&a, &b)| a + b).collect();
    let (s, now) = (softmax(&plain), softmax(&moved));
    let mut value = now.clone();
    for (index, layer) in h.layers().iter().enumerate() {
        value = (0..layer.bias.len())
            .map(|j| {
                let start = Dual(layer.bias[j], 0.0);
                let sum = value.iter().enumerate().fold(start, |sum, (i, &v)| {
                    sum + v * Dual(layer.weights[[i, j]], 0.0)
                });
                if index + 1 < h.layers().len() {
                    sum.relu()
                } else {
                    sum
                }
            })
            .collect();
    }
    let label = (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best });
    let other = (0..z.len()).filter(|&i| i != label);
    let other = other
        .max_by(|&i, &j| moved[i].0.total_cmp(&moved[j].0))
        .unwrap();
    let distance = s
        .iter()
        .zip(&now)
        .fold(Dual(0.0, 0.0), |sum, (&a, &b)| sum + (a - b).abs());
    Dual(c1, 0.0) * value[0].abs()
        + Dual(c2, 0.0) * (moved[other] - moved[label]).relu()
        + Dual(c3, 0.0) * distance
}

proptest! {
    #[test]
    fn gradient_is_that_of_automatic_differentiation(seed: u64, classes in 2_usize..12) {
        let mut random = Random::new(seed);
        let h = classifier(&mut random, classes, &[9, 5]);
        let steps = Steps { outer: 3, inner: 10, beta: 0.5 };
        let optimiser = optimiser(&settings(&h, steps));
        let z = row(&logits(&mut random, 1, classes, 3.0), 0);
        let noise: Array1<f64> = (0..classes).map(|_| 2.0 * signed(&mut random)).collect();
        let gradient = optimiser.gradient(&h, &z, &noise, optimiser.weights[2]);
        for direction in 0..classes {
            let dual: Vec<Dual> = (0..classes)
                .map(|i| Dual(noise[i], f64::from(i == direction)))
                .collect();
            let exact = loss(&h, &z, &dual, optimiser.weights).1;
            prop_assert!((gradient[direction] - exact).abs() < 1e-9 * (1.0 + exact.abs()));
        }
    }
}
