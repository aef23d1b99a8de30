//! A plan, step by step, for those who look at the values on the way.

use crate::backend::Backend;
use crate::executor::last_uses;
use crate::plan::Plan;

/// A run of a plan that stops after every step. [`crate::run`] is for those who want the results alone.
pub(crate) struct Walk<'a, T> {
    plan: &'a Plan,
    values: Vec<Option<T>>,
    last: Vec<usize>,
    next: usize,
}

impl<'a, T: Clone> Walk<'a, T> {
    /// Before the first step.
    ///
    /// # Panics
    /// If weights or inputs do not have the plan's number.
    pub(crate) fn new(plan: &'a Plan, weights: Vec<T>, inputs: Vec<T>) -> Self {
        assert_eq!(weights.len(), plan.weights.len(), "number of weights");
        assert_eq!(inputs.len(), plan.inputs.len(), "number of inputs");
        let mut values: Vec<Option<T>> = plan.shapes.iter().map(|_| None).collect();
        let given = weights.into_iter().chain(inputs);
        for (port, tensor) in plan.weights.iter().chain(&plan.inputs).zip(given) {
            values[port.value] = Some(tensor);
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
    pub(crate) async fn step<B: Backend<Tensor = T>>(
        &mut self,
        backend: &B,
    ) -> Result<Option<(usize, T)>, B::Error> {
        let index = self.next;
        let Some(step) = self.plan.steps.get(index) else {
            return Ok(None);
        };
        let operands: Vec<&T> = step
            .inputs
            .iter()
            .filter_map(|&id| self.values[id].as_ref())
            .collect();
        let output = step.layer.run(backend, &operands).await?;
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
