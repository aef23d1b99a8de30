//! Where activations' inputs lie, and polynomials for them.

use super::{Activation, Options};
use crate::HeError;
use crate::lower::{Lowered, Operation};
use crate::poly::{Histogram, Interval, Polynomial, fit};

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
                let mut fitted = fit(
                    function,
                    interval,
                    options.degree,
                    options.method,
                    Some(&histogram),
                )?;
                fitted.polynomial = trimmed(&fitted.polynomial, interval);
                Some(Activation {
                    node: node.name.clone(),
                    fit: fitted,
                    histogram,
                })
            }
            _ => None,
        };
        for values in &mut values {
            let made = lowered.step(node, activation.as_ref(), values);
            values.push(made);
        }
        activations.push(activation);
    }
    Ok(activations)
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
