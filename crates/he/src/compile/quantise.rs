//! From floats to integers, scales tracked exactly.

use super::{Activation, Options};
use crate::HeError;
use crate::affine::Affine;
use crate::lower::{Lowered, Node, Operation};
use crate::network::{IntegerLayer, IntegerOperation, Network};
use crate::poly::{Function, Polynomial};

/// A network in integers and what they count.
pub(super) struct Quantised {
    pub(super) network: Network,
    /// For each value, the number that an integer of it counts.
    pub(super) steps: Vec<f64>,
}

/// Round weights and coefficients; nothing else is ever rounded.
pub(super) fn quantise(
    lowered: &Lowered,
    activations: &[Option<Activation>],
    options: &Options,
) -> Result<Quantised, HeError> {
    let range = options.input_range;
    let input_step =
        range.low.abs().max(range.high.abs()) / f64::from((1_u32 << options.input_bits) - 1);
    let mut steps = vec![input_step];
    let mut sizes = vec![lowered.input_shape.iter().product::<usize>()];
    let mut layers = Vec::new();
    for (node, activation) in lowered.nodes.iter().zip(activations) {
        let (operation, step, size) = match (&node.operation, activation) {
            (Operation::Affine(map), _) => {
                let each: Vec<f64> = node
                    .inputs
                    .iter()
                    .flat_map(|&id| std::iter::repeat_n(steps[id], sizes[id]))
                    .collect();
                let (map, step) = affine(node, map, &each, options)?;
                let rows = map.rows.len();
                (IntegerOperation::Affine(map), step, rows)
            }
            (Operation::Function(_), Some(activation)) => {
                let (from, size) = (steps[node.inputs[0]], sizes[node.inputs[0]]);
                let (operation, step) = polynomial(node, &activation.fit.polynomial, from, size)?;
                (operation, step, size)
            }
            (Operation::Function(function), None) => {
                return Err(unfit(
                    node,
                    format!("no polynomial was fitted for {function}"),
                ));
            }
            (Operation::Product, _) => {
                let step = steps[node.inputs[0]] * steps[node.inputs[1]];
                (IntegerOperation::Product, step, sizes[node.inputs[0]])
            }
        };
        layers.push(IntegerLayer {
            name: node.name.clone(),
            operation,
            inputs: node.inputs.clone(),
        });
        steps.push(step);
        sizes.push(size);
    }
    let network = Network {
        name: lowered.name.clone(),
        inputs: sizes[0],
        layers,
        output: lowered.output,
    };
    Ok(Quantised { network, steps })
}

fn unfit(node: &Node<Operation<f64, f64, Function>>, reason: String) -> HeError {
    HeError::Unsupported {
        node: node.name.clone(),
        layer: node.layer.clone(),
        reason,
    }
}

/// `number / step` as an integer, if it fits 120 bits.
fn rounded(
    node: &Node<Operation<f64, f64, Function>>,
    number: f64,
    step: f64,
) -> Result<i128, HeError> {
    let integer = (number / step).round();
    if integer.abs() < 120_f64.exp2() {
        return Ok(integer as i128);
    }
    Err(HeError::Overflow {
        node: node.name.clone(),
        bits: integer.abs().log2() + 1.0,
        limit: 120.0,
    })
}

/// An affine map of integers that count `steps`. Weights of one magnitude become ±1 and cost no bits: averages and mere moves.
fn affine(
    node: &Node<Operation<f64, f64, Function>>,
    map: &Affine<f64, f64>,
    steps: &[f64],
    options: &Options,
) -> Result<(Affine<i64, i128>, f64), HeError> {
    // What one count of each input adds to an output.
    let effect = |&(column, weight): &(u32, f64)| weight * steps[column as usize];
    let effects = || map.rows.iter().flatten().map(|term| effect(term).abs());
    let largest = effects().fold(0.0, f64::max);
    let least = effects().fold(f64::INFINITY, f64::min);
    let most = f64::from((1_u32 << (options.weight_bits - 1)) - 1);
    let step = if largest == 0.0 {
        // Nothing but constants.
        map.constants
            .iter()
            .map(|c| c.abs())
            .fold(0.0, f64::max)
            .max(f64::MIN_POSITIVE)
            / most
    } else if largest - least <= 1e-9 * largest {
        largest
    } else {
        // Inputs of finer steps get the same relative precision, so that the step is that of the finest.
        let mut finest = f64::INFINITY;
        for (kind, _) in distinct(steps) {
            let own = map
                .rows
                .iter()
                .flatten()
                .filter(|(column, _)| steps[*column as usize].to_bits() == kind);
            let top = own.map(|term| effect(term).abs()).fold(0.0, f64::max);
            if top > 0.0 {
                finest = finest.min(top / most);
            }
        }
        finest
    };
    let mut rows = Vec::with_capacity(map.rows.len());
    for row in &map.rows {
        let mut integers = Vec::with_capacity(row.len());
        for term in row {
            let weight = rounded(node, effect(term), step)?;
            let weight = i64::try_from(weight).map_err(|_| {
                unfit(
                    node,
                    "its inputs have scales too far from each other to be added".into(),
                )
            })?;
            // Which weights are 0 is not for the server of an encrypted model.
            if weight != 0 || options.encrypted_model {
                integers.push((term.0, weight));
            }
        }
        rows.push(integers);
    }
    let constants = map
        .constants
        .iter()
        .map(|&c| rounded(node, c, step))
        .collect::<Result<_, _>>()?;
    Ok((
        Affine {
            columns: map.columns,
            rows,
            constants,
        },
        step,
    ))
}

/// The different steps among `steps`, by their bits.
fn distinct(steps: &[f64]) -> std::collections::BTreeMap<u64, f64> {
    steps.iter().map(|step| (step.to_bits(), *step)).collect()
}

/// A polynomial of integers that count `step`. The leading coefficient goes into the result's step: `p(s X) = a s^d (X^d + …)`, so that it
/// costs neither bits nor a product.
fn polynomial(
    node: &Node<Operation<f64, f64, Function>>,
    polynomial: &Polynomial,
    step: f64,
    size: usize,
) -> Result<(IntegerOperation, f64), HeError> {
    let (degree, all) = (polynomial.degree(), &polynomial.coefficients);
    if degree == 0 {
        return Err(unfit(
            node,
            "its polynomial is a constant; its inputs do not vary on the calibration samples"
                .into(),
        ));
    }
    let out = all[degree] * step.powi(degree as i32);
    let mut integers = Vec::with_capacity(degree);
    for (power, &c) in all[..degree].iter().enumerate() {
        integers.push(rounded(node, c * step.powi(power as i32), out)?);
    }
    if degree == 1 {
        // A line is an affine map.
        let rows = (0..size as u32).map(|at| vec![(at, 1)]).collect();
        let map = Affine {
            columns: size,
            rows,
            constants: vec![integers[0]; size],
        };
        return Ok((IntegerOperation::Affine(map), out));
    }
    Ok((IntegerOperation::Polynomial(integers), out))
}
