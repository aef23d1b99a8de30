//! Where activations' inputs lie, and polynomials for them.

use super::{Activation, Options};
use crate::HeError;
use crate::lower::{Lowered, Operation};
use crate::poly::{
    Fit, Function, Histogram, Interval, Method, Polynomial, fit, fit_for_error, judge,
};

/// Bins of a histogram.
const BINS: usize = 256;
/// A leading coefficient that changes no value on the interval by more than this part of the largest is dropped: rounding noise of an odd
/// function's even coefficients, say.
const NEGLIGIBLE: f64 = 1e-6;

/// Fit a polynomial for each function, in order: the inputs of later ones come from the polynomials before them.
pub(super) fn fit_all(
    lowered: &Lowered,
    samples: &[Vec<f64>],
    options: &Options,
) -> Result<Vec<Option<Activation>>, HeError> {
    let mut values: Vec<Vec<Vec<f64>>> =
        samples.iter().map(|sample| vec![sample.clone()]).collect();
    let mut activations = Vec::new();
    for node in &lowered.nodes {
        let activation = match &node.operation {
            Operation::Function(function) => {
                let inputs = values
                    .iter()
                    .flat_map(|values| values[node.inputs[0]].iter().copied());
                let (low, high) = inputs
                    .clone()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                        (low.min(x), high.max(x))
                    });
                // A constant input still needs an interval.
                let room =
                    (high - low).max(1e-3 * low.abs().max(high.abs())).max(1e-6) - (high - low);
                let interval =
                    Interval::new(low - room / 2.0, high + room / 2.0)?.widened(options.widen);
                let histogram = Histogram::of(inputs, interval, BINS);
                let fit = polynomial(function, interval, &histogram, &node.name, options)?;
                Some(Activation {
                    node: node.name.clone(),
                    fit,
                    histogram,
                })
            }
            _ => None,
        };
        for values in &mut values {
            let made = Lowered::step(node, activation.as_ref(), values);
            values.push(made);
        }
        activations.push(activation);
    }
    Ok(activations)
}

/// The polynomial that the options give for `node`, or a fitted one.
fn polynomial(
    function: &Function,
    interval: Interval,
    histogram: &Histogram,
    node: &str,
    options: &Options,
) -> Result<Fit, HeError> {
    if let Some(given) = options.polynomials.get(node) {
        let method = Method::Given;
        return Ok(judge(
            function,
            interval,
            given.clone(),
            method,
            Some(histogram),
        ));
    }
    let (degree, method) = (options.degree, options.method);
    let fitted = match options.error {
        Some(error) => fit_for_error(function, interval, (error, degree), method, Some(histogram))?,
        None => fit(function, interval, degree, method, Some(histogram))?,
    };
    Ok(Fit {
        polynomial: trimmed(&fitted.polynomial, interval),
        ..fitted
    })
}

/// Without leading coefficients that do nothing on the interval.
fn trimmed(polynomial: &Polynomial, interval: Interval) -> Polynomial {
    let radius = interval.low.abs().max(interval.high.abs());
    let [low, high] = polynomial.range(interval.low, interval.high);
    let largest = low.abs().max(high.abs());
    let mut coefficients = polynomial.coefficients.clone();
    while coefficients.len() > 2 {
        let power = coefficients.len() - 1;
        if coefficients[power].abs() * radius.powi(power as i32) > NEGLIGIBLE * largest {
            break;
        }
        coefficients.pop();
    }
    Polynomial::new(coefficients)
}
