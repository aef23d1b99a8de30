//! Fits and their errors.

use super::basis::{chebyshev_values, from_unit, to_polynomial, to_unit};
use super::{Function, Polynomial};
use crate::HeError;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;

/// Points of the grid on which errors are measured.
const GRID: usize = 4001;
/// Degrees beyond this are refused: the coefficients in powers of `x` lose their meaning in 64-bit floats.
const MAX_DEGREE: usize = 32;

/// A closed interval of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end, above the lower one.
    pub high: f64,
}

impl Interval {
    /// An interval; refuses ends that are not finite or not in order.
    pub fn new(low: f64, high: f64) -> Result<Self, HeError> {
        if low.is_finite() && high.is_finite() && low < high {
            return Ok(Self { low, high });
        }
        Err(HeError::Fit {
            problem: format!("[{low}, {high}] is no interval"),
        })
    }

    /// Whether it holds `x`.
    pub fn contains(self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }

    /// The same middle, `factor` times as wide.
    #[must_use]
    pub fn widened(self, factor: f64) -> Self {
        let (middle, radius) = (
            self.low.midpoint(self.high),
            (self.high - self.low) / 2.0 * factor,
        );
        Self {
            low: middle - radius,
            high: middle + radius,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:.4}, {:.4}]", self.low, self.high)
    }
}

/// How often a layer's inputs fall where, on calibration samples: bins of equal width over an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// From the lower end of the first bin to the upper end of the last.
    pub interval: Interval,
    /// How many values fell into each bin.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The histogram of `values` in `bins` bins; values outside the interval count in the outermost bins.
    pub fn of(values: impl IntoIterator<Item = f64>, interval: Interval, bins: usize) -> Self {
        let mut counts = vec![0; bins.max(1)];
        let last = counts.len() - 1;
        for value in values {
            let part = (value - interval.low) / (interval.high - interval.low);
            // Negative parts and those beyond the last bin are clamped by the casts and `min`.
            counts[((part * (last + 1) as f64) as usize).min(last)] += 1;
        }
        Self { interval, counts }
    }

    /// The middle of each bin that holds a value, and the part of all values in it.
    pub fn weights(&self) -> Vec<(f64, f64)> {
        let total: u64 = self.counts.iter().sum();
        let width = (self.interval.high - self.interval.low) / self.counts.len() as f64;
        let bins = self.counts.iter().enumerate().filter(|(_, c)| **c > 0);
        bins.map(|(bin, &count)| {
            let middle = self.interval.low + (bin as f64 + 0.5) * width;
            (middle, count as f64 / total.max(1) as f64)
        })
        .collect()
    }
}

/// How a polynomial is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Interpolation at Chebyshev's points: close to the smallest maximum error.
    Chebyshev,
    /// Least squares, each point weighted by how often the layer's inputs fall there on calibration samples: small
    /// errors where the inputs are. Equal weights without a histogram.
    LeastSquares,
    /// The integral of a least-squares fit of the derivative (CryptoDL, section 3.2): a polynomial as smooth as ReLU is, whose
    /// slope follows the function's, which is what training sees.
    Integrated,
}

/// A fitted polynomial and how far it is from its function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// The polynomial.
    pub polynomial: Polynomial,
    /// Name of the function.
    pub function: String,
    /// How it was fitted.
    pub method: Method,
    /// Where.
    pub interval: Interval,
    /// The degree that was asked for; the polynomial's may be lower, for even functions say.
    pub degree: usize,
    /// The largest error on the interval, on a grid of 4,001 points.
    pub max_error: f64,
    /// The root of the mean squared error, weighted by the histogram where there is one.
    pub weighted_error: f64,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} by a polynomial of degree {} on {} ({:?}): error at most {:.3e}, weighted {:.3e}",
            self.function,
            self.degree,
            self.interval,
            self.method,
            self.max_error,
            self.weighted_error
        )
    }
}

/// Fit `function` by a polynomial of `degree` on `interval`.
///
/// # Errors
/// If the degree is 0 or above 32, or the function is not finite somewhere on the interval.
pub fn fit(
    function: &Function,
    interval: Interval,
    degree: usize,
    method: Method,
    histogram: Option<&Histogram>,
) -> Result<Fit, HeError> {
    let refuse = |problem: String| Err(HeError::Fit { problem });
    if !(1..=MAX_DEGREE).contains(&degree) {
        return refuse(format!(
            "degrees from 1 to {MAX_DEGREE} are supported, not {degree}"
        ));
    }
    let grid = (0..GRID).map(|i| from_unit(interval, 2.0 * i as f64 / (GRID - 1) as f64 - 1.0));
    let grid: Vec<f64> = grid.collect();
    if let Some(x) = grid.iter().find(|&&x| !function.at(x).is_finite()) {
        return refuse(format!("{function} is not finite at {x}"));
    }
    let points = match histogram {
        Some(histogram) => histogram.weights(),
        None => grid.iter().map(|&x| (x, 1.0 / GRID as f64)).collect(),
    };
    let polynomial = match method {
        Method::Chebyshev => {
            let series = interpolate(&|x| function.at(x), interval, degree);
            to_polynomial(&series, interval)
        }
        Method::LeastSquares => {
            let series = least_squares(&|x| function.at(x), interval, degree, &points);
            to_polynomial(&series, interval)
        }
        Method::Integrated => {
            let slope = least_squares(&|x| function.slope(x), interval, degree - 1, &points);
            let rising = to_polynomial(&slope, interval).integral(0.0);
            // The constant that the derivative does not know: the mean difference.
            let total: f64 = points.iter().map(|(_, weight)| weight).sum();
            let difference = |&(x, weight): &(f64, f64)| weight * (function.at(x) - rising.at(x));
            let constant =
                points.iter().map(difference).sum::<f64>() / total.max(f64::MIN_POSITIVE);
            let mut coefficients = rising.coefficients;
            coefficients[0] += constant;
            Polynomial::new(coefficients)
        }
    };
    let error = |x: f64| (function.at(x) - polynomial.at(x)).abs();
    let squares: f64 = points
        .iter()
        .map(|&(x, weight)| weight * error(x).powi(2))
        .sum();
    Ok(Fit {
        function: function.to_string(),
        method,
        interval,
        degree,
        max_error: grid.iter().map(|&x| error(x)).fold(0.0, f64::max),
        weighted_error: squares.sqrt(),
        polynomial,
    })
}

/// The fit of the lowest degree whose largest error is at most `error`.
///
/// # Errors
/// If no degree up to 32 does; as [`fit`] otherwise.
pub fn fit_for_error(
    function: &Function,
    interval: Interval,
    error: f64,
    method: Method,
    histogram: Option<&Histogram>,
) -> Result<Fit, HeError> {
    let mut best = f64::INFINITY;
    for degree in 1..=MAX_DEGREE {
        let fitted = fit(function, interval, degree, method, histogram)?;
        if fitted.max_error <= error {
            return Ok(fitted);
        }
        best = best.min(fitted.max_error);
    }
    Err(HeError::Fit {
        problem: format!(
            "no polynomial of degree up to {MAX_DEGREE} is within {error} of {function} on {interval}; the closest is \
             {best:.3e} away"
        ),
    })
}

/// The Chebyshev series of the polynomial that agrees with `f` at the `degree + 1` roots of `T_{degree+1}`.
fn interpolate(f: &dyn Fn(f64) -> f64, interval: Interval, degree: usize) -> Vec<f64> {
    let count = degree + 1;
    let angle = |k: usize| PI * (k as f64 + 0.5) / count as f64;
    let values: Vec<f64> = (0..count)
        .map(|k| f(from_unit(interval, angle(k).cos())))
        .collect();
    let coefficient = |j: usize| {
        let terms = values.iter().enumerate();
        let sum: f64 = terms.map(|(k, v)| v * (j as f64 * angle(k)).cos()).sum();
        sum * if j == 0 { 1.0 } else { 2.0 } / count as f64
    };
    (0..count).map(coefficient).collect()
}

/// The Chebyshev series with the smallest sum of weighted squared errors at `points` (place, weight).
///
/// By Householder reflections of the weighted matrix of `T_j`, not by normal equations, which square its condition.
/// Fewer points than coefficients leave the highest coefficients 0.
fn least_squares(
    f: &dyn Fn(f64) -> f64,
    interval: Interval,
    degree: usize,
    points: &[(f64, f64)],
) -> Vec<f64> {
    let columns = (degree + 1).min(points.len());
    let mut rows: Vec<Vec<f64>> = points
        .iter()
        .map(|&(x, weight)| {
            let root = weight.sqrt();
            let mut row = chebyshev_values(degree, to_unit(interval, x));
            row.truncate(columns);
            row.push(f(x));
            row.iter_mut().for_each(|v| *v *= root);
            row
        })
        .collect();
    for column in 0..columns {
        let norm = rows[column..]
            .iter()
            .map(|row| row[column].powi(2))
            .sum::<f64>()
            .sqrt();
        if norm == 0.0 {
            continue;
        }
        let alpha = if rows[column][column] > 0.0 {
            -norm
        } else {
            norm
        };
        let mut v: Vec<f64> = rows[column..].iter().map(|row| row[column]).collect();
        v[0] -= alpha;
        let square: f64 = v.iter().map(|x| x * x).sum();
        for other in column..=columns {
            let dot: f64 = v
                .iter()
                .zip(&rows[column..])
                .map(|(v, row)| v * row[other])
                .sum();
            let factor = 2.0 * dot / square;
            for (v, row) in v.iter().zip(&mut rows[column..]) {
                row[other] -= factor * v;
            }
        }
    }
    let mut series = vec![0.0; degree + 1];
    let largest = (0..columns).map(|c| rows[c][c].abs()).fold(0.0, f64::max);
    for column in (0..columns).rev() {
        let known: f64 = (column + 1..columns)
            .map(|c| rows[column][c] * series[c])
            .sum();
        // A column that the points cannot tell from those before it adds nothing.
        if rows[column][column].abs() > 1e-12 * largest {
            series[column] = (rows[column][columns] - known) / rows[column][column];
        }
    }
    series
}
