//! Fits and their errors.

use super::basis::{chebyshev_values, from_unit, to_polynomial, to_unit};
use super::{DegreeBound, Function, Histogram, Interval, Polynomial, degree_bound};
use crate::HeError;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;

/// Points of the grid on which errors are measured.
const GRID: usize = 4001;
/// Degrees beyond this are refused: the coefficients in powers of `x` lose their meaning in 64-bit floats.
const MAX_DEGREE: usize = 32;

/// How a polynomial is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Method {
    /// Interpolation at Chebyshev's points: close to the smallest maximum error.
    Chebyshev,
    /// Least squares, each point weighted by how often the layer's inputs fall there on calibration samples: small
    /// errors where the inputs are. Equal weights without a histogram.
    LeastSquares,
    /// The integral of a least-squares fit of the derivative (`CryptoDL`, section 3.2): a polynomial as smooth as `ReLU` is, whose
    /// slope follows the function's, which is what training sees.
    Integrated,
    /// Not fitted: the polynomial that the model was trained with.
    Given,
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
    /// The degrees from which theory guarantees this largest error.
    pub bound: DegreeBound,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} by a polynomial of degree {} on {} ({:?}): error at most {:.3e}, weighted {:.3e}; theory guarantees that error from degree {} \
             (Jackson; {} by Bernstein's construction)",
            self.function,
            self.polynomial.degree(),
            self.interval,
            self.method,
            self.max_error,
            self.weighted_error,
            self.bound.jackson,
            self.bound.bernstein
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
    if let Some(x) = grid(interval).find(|&x| !function.at(x).is_finite()) {
        return refuse(format!("{function} is not finite at {x}"));
    }
    let points = points(interval, histogram);
    let polynomial = match method {
        Method::Chebyshev => {
            let series = interpolate(&|x| function.at(x), interval, degree);
            to_polynomial(&series, interval)
        }
        Method::LeastSquares => {
            let series = least_squares(&|x| function.at(x), interval, degree, &points);
            to_polynomial(&series, interval)
        }
        Method::Given => return refuse("a given polynomial is not fitted".into()),
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
    Ok(Fit {
        degree,
        ..judge(function, interval, polynomial, method, histogram)
    })
}

/// How far `polynomial` is from `function`, wherever it comes from.
pub fn judge(
    function: &Function,
    interval: Interval,
    polynomial: Polynomial,
    method: Method,
    histogram: Option<&Histogram>,
) -> Fit {
    let error = |x: f64| (function.at(x) - polynomial.at(x)).abs();
    let max_error = grid(interval).map(error).fold(0.0, f64::max);
    let points = points(interval, histogram);
    let squares = points.iter().map(|&(x, weight)| weight * error(x).powi(2));
    Fit {
        function: function.to_string(),
        method,
        interval,
        degree: polynomial.degree(),
        max_error,
        weighted_error: squares.sum::<f64>().sqrt(),
        bound: degree_bound(function, interval, max_error),
        polynomial,
    }
}

/// The points where errors are measured.
fn grid(interval: Interval) -> impl Iterator<Item = f64> {
    (0..GRID).map(move |i| from_unit(interval, 2.0 * i as f64 / (GRID - 1) as f64 - 1.0))
}

/// Points and their weights: the histogram's, or equal ones.
fn points(interval: Interval, histogram: Option<&Histogram>) -> Vec<(f64, f64)> {
    match histogram {
        Some(histogram) => histogram.weights(),
        None => grid(interval).map(|x| (x, 1.0 / GRID as f64)).collect(),
    }
}

/// The fit of the lowest degree, `highest` at most, whose largest error is at most `error`.
///
/// # Errors
/// If none is that close; as [`fit`] otherwise.
pub fn fit_for_error(
    function: &Function,
    interval: Interval,
    (error, highest): (f64, usize),
    method: Method,
    histogram: Option<&Histogram>,
) -> Result<Fit, HeError> {
    let mut best = f64::INFINITY;
    for degree in 1..=highest {
        let fitted = fit(function, interval, degree, method, histogram)?;
        if fitted.max_error <= error {
            return Ok(fitted);
        }
        best = best.min(fitted.max_error);
    }
    Err(HeError::Fit {
        problem: format!(
            "no polynomial of degree up to {highest} is within {error} of {function} on {interval}; the closest is \
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
            for v in &mut row {
                *v *= root;
            }
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
