//! Gradients of a plan in the clear, by reverse accumulation.
//!
//! A [`Tape`] keeps every value of one forward run; [`Tape::backward`] walks the steps in reverse. Each layer's
//! rule is in [`layers`]: the vector-Jacobian product, in 64-bit floats.

mod conv;
mod layers;
mod matrix;
mod pool;

use crate::VerifyError;
use ndarray::ArrayD;
use trefoil_nn::{Clear, Plan, ready};

/// All values of one run.
pub(crate) struct Tape<'a> {
    plan: &'a Plan,
    values: Vec<ArrayD<f64>>,
}

/// The gradient of one number with respect to every value of a run.
pub(crate) struct Gradient {
    values: Vec<Option<ArrayD<f64>>>,
}

/// What a gradient is wanted of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The inputs alone.
    Inputs,
    /// The weights alone.
    Weights,
    /// Both, and all values between.
    All,
}

/// Check that gradients of all steps are known.
///
/// # Errors
/// The first step whose are not.
pub(crate) fn check(plan: &Plan) -> Result<(), VerifyError> {
    match plan.steps.iter().find(|step| !layers::known(&step.layer)) {
        None => Ok(()),
        Some(step) => Err(VerifyError::NoGradient {
            step: step.name.clone(),
            layer: step.layer.name().to_owned(),
            supported: layers::KNOWN.join(", "),
        }),
    }
}

impl<'a> Tape<'a> {
    /// Run the plan on one batch `input` and keep every value.
    ///
    /// # Panics
    /// If shapes do not fit the plan.
    pub(crate) fn run(plan: &'a Plan, weights: &[ArrayD<f64>], input: &ArrayD<f64>) -> Self {
        assert_eq!(weights.len(), plan.weights.len(), "number of weights");
        let mut values = vec![ArrayD::zeros(vec![0]); plan.shapes.len()];
        for (port, tensor) in plan.weights.iter().zip(weights) {
            values[port.value].clone_from(tensor);
        }
        for port in &plan.inputs {
            assert_eq!(
                input.shape(),
                plan.shape(port.value),
                "shape of `{}`",
                port.name
            );
            values[port.value].clone_from(input);
        }
        for step in &plan.steps {
            let operands: Vec<_> = step.inputs.iter().map(|&id| &values[id]).collect();
            let Ok(output) = ready(step.layer.run(&Clear, &operands));
            values[step.output] = output;
        }
        Self { plan, values }
    }

    /// The first output.
    pub(crate) fn output(&self) -> &ArrayD<f64> {
        &self.values[self.plan.outputs[0].value]
    }

    /// A value of the run.
    pub(crate) fn value(&self, id: usize) -> &ArrayD<f64> {
        &self.values[id]
    }

    /// The gradient of `Σ seed · output`.
    ///
    /// # Errors
    /// If a step's gradient is not known.
    pub(crate) fn backward(&self, seed: &ArrayD<f64>, of: Of) -> Result<Gradient, VerifyError> {
        let plan = self.plan;
        let mut wanted = vec![false; plan.shapes.len()];
        let ports = match of {
            Of::Inputs => [&plan.inputs[..], &[]],
            Of::Weights => [&[], &plan.weights[..]],
            Of::All => [&plan.inputs[..], &plan.weights[..]],
        };
        for port in ports.into_iter().flatten() {
            wanted[port.value] = true;
        }
        for step in &plan.steps {
            wanted[step.output] = step.inputs.iter().any(|&id| wanted[id]);
        }
        let mut gradients: Vec<Option<ArrayD<f64>>> = vec![None; plan.shapes.len()];
        gradients[plan.outputs[0].value] = Some(seed.clone());
        for step in plan.steps.iter().rev() {
            if !wanted[step.output] {
                continue;
            }
            let Some(upstream) = &gradients[step.output] else {
                continue;
            };
            let operands: Vec<_> = step.inputs.iter().map(|&id| &self.values[id]).collect();
            let needed: Vec<bool> = step.inputs.iter().map(|&id| wanted[id]).collect();
            let output = &self.values[step.output];
            let parts = layers::pull_back(&step.layer, &operands, output, upstream, &needed);
            let Some(parts) = parts else {
                return Err(VerifyError::NoGradient {
                    step: step.name.clone(),
                    layer: step.layer.name().to_owned(),
                    supported: layers::KNOWN.join(", "),
                });
            };
            for (&id, part) in step.inputs.iter().zip(parts) {
                let Some(part) = part else { continue };
                match &mut gradients[id] {
                    Some(sum) => *sum += &part,
                    empty => *empty = Some(part),
                }
            }
        }
        Ok(Gradient { values: gradients })
    }
}

impl Gradient {
    /// With respect to the first input.
    pub(crate) fn input(&self, plan: &Plan) -> ArrayD<f64> {
        self.of(plan, plan.inputs[0].value)
    }

    /// With respect to each weight, in the plan's order.
    pub(crate) fn weights(&self, plan: &Plan) -> Vec<ArrayD<f64>> {
        let weights = plan.weights.iter();
        weights.map(|port| self.of(plan, port.value)).collect()
    }

    /// With respect to a value; `None` where none reaches it.
    pub(crate) fn value(&self, id: usize) -> Option<&ArrayD<f64>> {
        self.values[id].as_ref()
    }

    fn of(&self, plan: &Plan, id: usize) -> ArrayD<f64> {
        self.values[id]
            .clone()
            .unwrap_or_else(|| ArrayD::zeros(plan.shape(id)))
    }
}

#[cfg(test)]
mod tests;
