//! A plan, step by step, for those who look at the values on the way.

use crate::backend::Backend;
use crate::executor::last_uses;
use crate::plan::Plan;
use crate::value::{Given, Value};

/// A run of a plan that stops after every step. [`crate::run`] is for those who want the results alone.
pub(crate) struct Walk<'a, B: Backend> {
    plan: &'a Plan,
    values: Vec<Option<Value<B>>>,
    last: Vec<usize>,
    next: usize,
}

impl<'a, B: Backend> Walk<'a, B> {
    /// Before the first step.
    ///
    /// # Panics
    /// If weights or inputs do not have the plan's number.
    pub(crate) fn new(plan: &'a Plan, weights: Vec<B::Tensor>, inputs: Vec<B::Tensor>) -> Self {
        assert_eq!(weights.len(), plan.weights.len(), "number of weights");
        assert_eq!(inputs.len(), plan.inputs.len(), "number of inputs");
        let mut values: Vec<Option<Value<B>>> = plan.shapes.iter().map(|_| None).collect();
        let given = weights.into_iter().chain(inputs);
        for (port, tensor) in plan.weights.iter().chain(&plan.inputs).zip(given) {
            values[port.value] = Some(Value::Number(tensor));
        }
        Self {
            plan,
            values,
            last: last_uses(plan),
            next: 0,
        }
    }

    /// Compute the next step: its index and its output, or nothing behind the last one. Values that nothing uses
    /// any more are dropped.
    ///
    /// # Errors
    /// The back end's.
    pub(crate) async fn step(
        &mut self,
        backend: &B,
    ) -> Result<Option<(usize, Value<B>)>, B::Error> {
        let index = self.next;
        let Some(step) = self.plan.steps.get(index) else {
            return Ok(None);
        };
        let operands: Vec<Given<'_, B>> = step
            .inputs
            .iter()
            .filter_map(|&id| self.values[id].as_ref().map(Value::given))
            .collect();
        let output = step.layer.evaluate(backend, &operands).await?;
        self.next += 1;
        self.values[step.output] = Some(output.clone());
        for &id in step.inputs.iter().chain([&step.output]) {
            if self.last[id] <= index {
                self.values[id] = None;
            }
        }
        Ok(Some((index, output)))
    }
}
