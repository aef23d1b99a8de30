//! Where precision goes: fixed point beside the definition, layer by layer.

use crate::InputError;
use crate::backend::{Clear, Fixed};
use crate::executor::Observer;
use crate::plan::{Plan, ValueId, Weights};
use crate::ready::ready;
use crate::value::Value;
use crate::walk::Walk;
use ndarray::ArrayD;
use std::time::Instant;
use trefoil_ring::{Ring, Z32, Z64};

/// How far a layer's output in fixed point is from that in 64-bit floats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LayerError {
    /// The largest difference of an element.
    pub largest: f64,
    /// Sum of the differences; [`LayerError::mean`] divides it.
    total: f64,
    /// Largest magnitude in 64-bit floats, to judge the differences by.
    pub magnitude: f64,
    /// Elements that were compared.
    elements: u64,
}

impl LayerError {
    /// The mean difference of the elements.
    pub fn mean(&self) -> f64 {
        self.total / (self.elements.max(1) as f64)
    }

    /// This and `other` together: of several batches.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            largest: self.largest.max(other.largest),
            total: self.total + other.total,
            magnitude: self.magnitude.max(other.magnitude),
            elements: self.elements + other.elements,
        }
    }

    /// Bits differ by 1 or not at all.
    fn of_bits(exact: &ArrayD<bool>, rounded: &ArrayD<bool>) -> Self {
        let differ = exact.iter().zip(rounded).filter(|(a, b)| a != b).count();
        Self {
            largest: f64::from(u8::from(differ > 0)),
            total: differ as f64,
            magnitude: f64::from(u8::from(exact.iter().any(|&bit| bit))),
            elements: exact.len() as u64,
        }
    }

    fn of<R: Ring>(exact: &ArrayD<f64>, rounded: &ArrayD<R>, plan: &Plan) -> Self {
        let format = plan.format();
        let mut error = Self {
            elements: exact.len() as u64,
            ..Self::default()
        };
        for (&exact, &rounded) in exact.iter().zip(rounded) {
            let difference = (exact - format.decode(rounded)).abs();
            // What is no number in floats differs without bound.
            let difference = if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            };
            error.largest = error.largest.max(difference);
            error.total += difference;
            error.magnitude = error.magnitude.max(exact.abs());
        }
        error
    }
}

/// The error of each step of a plan for one batch, in the order of [`Plan::steps`].
///
/// [`Fixed`] runs in step with [`Clear`], each on its own values, so errors add up as they do in a private run: the
/// arithmetic of the three parties is that of [`Fixed`], with other coins for the rounding and, for functions such as
/// the exponential, errors that their protocols state. Nothing of a private run is opened for it.
///
/// # Errors
/// If a weight or an input does not fit the plan's numbers.
///
/// # Panics
/// If the plan is not checked.
pub fn layer_errors(
    plan: &Plan,
    weights: &Weights,
    inputs: &[ArrayD<f64>],
    seed: [u8; 16],
    observer: &mut dyn Observer,
) -> Result<Vec<LayerError>, InputError> {
    Ok(examine(plan, weights, inputs, seed, observer)?.errors)
}

/// What one batch of samples shows of a plan, beside the error of every step.
pub struct Examined {
    /// The error of every step, as [`layer_errors`] tells it.
    pub errors: Vec<LayerError>,
    /// The outputs in 64-bit floats, with the weights as the model has them.
    pub exact: Vec<ArrayD<f64>>,
    /// The outputs in fixed point.
    pub rounded: Vec<ArrayD<f64>>,
}

/// [`layer_errors`], with the outputs.
///
/// # Errors
/// As [`layer_errors`].
///
/// # Panics
/// If the plan is not checked.
pub fn examine(
    plan: &Plan,
    weights: &Weights,
    inputs: &[ArrayD<f64>],
    seed: [u8; 16],
    observer: &mut dyn Observer,
) -> Result<Examined, InputError> {
    plan.check_inputs(inputs)?;
    if plan.ring_bits == 32 {
        examined_in::<Z32>(plan, weights, inputs, seed, observer)
    } else {
        examined_in::<Z64>(plan, weights, inputs, seed, observer)
    }
}

fn examined_in<R: Ring>(
    plan: &Plan,
    weights: &Weights,
    inputs: &[ArrayD<f64>],
    seed: [u8; 16],
    observer: &mut dyn Observer,
) -> Result<Examined, InputError> {
    let format = plan.format();
    let backend = Fixed::<R>::new(format, seed);
    // An output may be an input.
    let given = |value: ValueId| plan.inputs.iter().position(|port| port.value == value);
    let outputs = plan.outputs.iter();
    let mut exact: Vec<Option<ArrayD<f64>>> = outputs
        .map(|port| given(port.value).map(|input| inputs[input].clone()))
        .collect();
    let mut rounded = exact.clone();
    let mut clear = Walk::new(plan, weights.to_clear(), inputs.to_vec());
    let encoded = inputs
        .iter()
        .map(|input| input.mapv(|value| format.encode::<R>(value)));
    let mut fixed = Walk::new(plan, weights.encode::<R>(plan)?, encoded.collect());
    let mut errors = Vec::with_capacity(plan.steps.len());
    loop {
        let start = Instant::now();
        let (Ok(one), Ok(other)) = (ready(clear.step(&Clear)), ready(fixed.step(&backend)));
        let (Some((index, one)), Some((_, other))) = (one, other) else {
            break;
        };
        errors.push(match (one, other) {
            (Value::Number(one), Value::Number(other)) => {
                for (place, port) in plan.outputs.iter().enumerate() {
                    if port.value == plan.steps[index].output {
                        exact[place] = Some(one.clone());
                        rounded[place] = Some(format.decode_all(other.view()));
                    }
                }
                LayerError::of(&one, &other, plan)
            }
            // No output of a plan: those are numbers.
            (Value::Bit(one), Value::Bit(other)) => LayerError::of_bits(&one, &other),
            // A step's output has one kind on all back ends.
            _ => LayerError::default(),
        });
        observer.step(index, &plan.steps[index].name, start.elapsed());
    }
    Ok(Examined {
        errors,
        exact: exact.into_iter().flatten().collect(),
        rounded: rounded.into_iter().flatten().collect(),
    })
}
