//! Chebyshev series and ordinary coefficients.

use super::Interval;
use serde::{Deserialize, Serialize};

/// A polynomial by its ordinary coefficients, lowest first: `c_0 + c_1 x + …`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Polynomial {
    /// The coefficients; the last is not 0, but for the zero polynomial.
    pub coefficients: Vec<f64>,
}

impl Polynomial {
    /// The polynomial of these coefficients, lowest first.
    pub fn new(mut coefficients: Vec<f64>) -> Self {
        while coefficients.len() > 1 && coefficients.last() == Some(&0.0) {
            coefficients.pop();
        }
        if coefficients.is_empty() {
            coefficients.push(0.0);
        }
        Self { coefficients }
    }

    /// The largest power with a coefficient other than 0.
    pub fn degree(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// The value at `x`, by Horner's rule.
    pub fn at(&self, x: f64) -> f64 {
        self.coefficients
            .iter()
            .rev()
            .fold(0.0, |value, c| value * x + c)
    }

    /// The antiderivative that is `constant` at 0.
    #[must_use]
    pub fn integral(&self, constant: f64) -> Self {
        let raised = self.coefficients.iter().enumerate();
        let raised = raised.map(|(power, c)| c / (power + 1) as f64);
        Self::new([constant].into_iter().chain(raised).collect())
    }

    /// An interval that holds every value on `[low, high]`: interval arithmetic on pieces, so that it is safe, and close for
    /// the low degrees that are used here.
    pub fn range(&self, low: f64, high: f64) -> [f64; 2] {
        const PIECES: usize = 64;
        let at = |piece: usize| low + (high - low) * piece as f64 / PIECES as f64;
        let mut all = [f64::INFINITY, f64::NEG_INFINITY];
        for piece in 0..PIECES {
            let [a, b] = self.enclose(at(piece), at(piece + 1).max(at(piece)));
            all = [all[0].min(a), all[1].max(b)];
        }
        all
    }

    /// Horner's rule on an interval, around its middle: the terms above the constant one are small there.
    fn enclose(&self, low: f64, high: f64) -> [f64; 2] {
        let middle = low.midpoint(high);
        let radius = (high - low) / 2.0;
        let shifted = self.shifted(middle);
        let mut spread = 0.0;
        for (power, c) in shifted.iter().enumerate().skip(1) {
            spread += c.abs() * radius.powi(power as i32);
        }
        [shifted[0] - spread, shifted[0] + spread]
    }

    /// The coefficients of `p(x + by)`: repeated synthetic division.
    fn shifted(&self, by: f64) -> Vec<f64> {
        let mut c = self.coefficients.clone();
        for start in 0..c.len() {
            for at in (start..c.len() - 1).rev() {
                c[at] += by * c[at + 1];
            }
        }
        c
    }
}

/// A point of the interval as a point of [-1, 1].
pub(super) fn to_unit(interval: Interval, x: f64) -> f64 {
    (2.0 * x - interval.low - interval.high) / (interval.high - interval.low)
}

/// A point of [-1, 1] as a point of the interval.
pub(super) fn from_unit(interval: Interval, u: f64) -> f64 {
    interval.low.midpoint(interval.high) + u * (interval.high - interval.low) / 2.0
}

/// `T_0(u) … T_degree(u)`.
pub(super) fn chebyshev_values(degree: usize, u: f64) -> Vec<f64> {
    let mut values = vec![1.0, u];
    while values.len() <= degree {
        let at = values.len();
        values.push(2.0 * u * values[at - 1] - values[at - 2]);
    }
    values.truncate(degree + 1);
    values
}

/// The ordinary coefficients in `x` of a Chebyshev series on an interval.
pub(super) fn to_polynomial(series: &[f64], interval: Interval) -> Polynomial {
    // u = a + b x
    let width = interval.high - interval.low;
    let (a, b) = (-(interval.low + interval.high) / width, 2.0 / width);
    let times_u = |p: &[f64]| {
        let mut out = vec![0.0; p.len() + 1];
        for (power, c) in p.iter().enumerate() {
            out[power] += a * c;
            out[power + 1] += b * c;
        }
        out
    };
    let mut sum = vec![0.0; series.len().max(1)];
    let (mut last, mut current) = (Vec::new(), vec![1.0]);
    for (degree, c) in series.iter().enumerate() {
        for (power, t) in current.iter().enumerate() {
            sum[power] += c * t;
        }
        let factor = if degree == 0 { 1.0 } else { 2.0 };
        let mut next: Vec<f64> = times_u(&current).iter().map(|v| factor * v).collect();
        for (power, t) in last.iter().enumerate() {
            next[power] -= t;
        }
        (last, current) = (current, next);
    }
    Polynomial::new(sum)
}
