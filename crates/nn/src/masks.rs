//! Masks and far logits: what a softmax makes 0, in numbers that a ring holds.

use crate::operators::{
    Exp, Layer, Log, LogSoftmax, Offset, ReduceMax, ReduceSum, Relu, Reshape, Softmax, Sub,
};
use crate::plan::{Plan, Step, Weights};
use crate::value::{Kind, ValueId};

/// What such elements become where the softmax takes logits up to 128 below the largest: the exponential of logits up
/// to 70 above the largest one that is not masked is still nothing there.
const MASKED: f64 = -96.0;
/// How far below the largest one logits are told apart in a softmax that takes any: the exponential of less is nothing
/// in every format.
const DEPTH: f64 = 128.0;

impl Plan {
    /// For each weight that is a mask, what the format holds in the place of its elements that say "none of this".
    ///
    /// A mask is added, and the sum goes to a softmax and nowhere else, moved or added to on the way. The layers tell
    /// that, no number does.
    pub(crate) fn mask_floors(&self) -> Vec<Option<f64>> {
        let is_mask = |value: ValueId| {
            let users: Vec<&Step> = self.users(value).collect();
            let added = |step: &&Step| {
                let others = step.inputs.iter().filter(|&&input| input != value);
                matches!(step.layer, Layer::Add(_))
                    && others.count() == 1
                    && self.only_to_softmax(step.output)
            };
            !users.is_empty() && users.iter().all(added)
        };
        let ports = self.weights.iter();
        ports
            .map(|port| is_mask(port.value).then_some(MASKED))
            .collect()
    }

    fn users(&self, value: ValueId) -> impl Iterator<Item = &Step> {
        let uses = move |step: &&Step| step.inputs.contains(&value);
        self.steps.iter().filter(uses)
    }

    fn only_to_softmax(&self, value: ValueId) -> bool {
        let mut values = vec![value];
        while let Some(value) = values.pop() {
            let mut used = false;
            for step in self.users(value) {
                used = true;
                match step.layer {
                    Layer::Softmax(_) | Layer::LogSoftmax(_) => {}
                    Layer::Add(_)
                    | Layer::Reshape(_)
                    | Layer::Transpose(_)
                    | Layer::Slice(_)
                    | Layer::Gather(_)
                    | Layer::Concat(_)
                    | Layer::Expand(_) => values.push(step.output),
                    _ => return false,
                }
            }
            if !used || self.outputs.iter().any(|port| port.value == value) {
                return false;
            }
        }
        true
    }

    /// Let the softmaxes (and their logarithms) at these steps take logits however far below the largest: they become
    /// several layers, which take 11 rounds more. `weights` hold masks deeper then.
    ///
    /// The plan is public: it tells that logits of these layers may lie far apart.
    ///
    /// # Panics
    /// If the plan is not checked, or a step is none.
    pub fn widen_softmaxes(&mut self, weights: &mut Weights, steps: &[usize]) {
        let old = std::mem::take(&mut self.steps);
        for (index, step) in old.into_iter().enumerate() {
            match step.layer {
                Layer::Softmax(Softmax { axis }) if steps.contains(&index) => {
                    let lifted = self.lifted(&step, axis);
                    self.add_step(&step.name, Softmax { axis }, &[lifted], Some(step.output));
                }
                Layer::LogSoftmax(LogSoftmax { axis }) if steps.contains(&index) => {
                    self.wide_logarithm(&step, axis);
                }
                _ => self.steps.push(step),
            }
        }
        // A quarter of what is compared: sums with logits stay in range.
        let [least, _] = crate::Need::Compared.allowed(self.ring_bits, self.fraction_bits);
        weights.deepen_masks(least / 4.0);
    }

    /// Logits less the largest and plus [`DEPTH`], 0 where that is negative.
    fn lifted(&mut self, step: &Step, axis: usize) -> ValueId {
        let name = &step.name;
        let below = self.below(step, axis);
        let offset = self.add_step(name, Offset { by: DEPTH }, &[below], None);
        self.add_step(name, Relu {}, &[offset], None)
    }

    /// Logits less the largest along `axis`.
    fn below(&mut self, step: &Step, axis: usize) -> ValueId {
        let (name, x) = (&step.name, step.inputs[0]);
        let mut shape = self.shape(x).to_vec();
        shape[axis] = 1;
        let top = self.add_step(name, ReduceMax { axes: vec![axis] }, &[x], None);
        let top = self.add_step(name, Reshape { shape }, &[top], None);
        self.add_step(name, Sub {}, &[x, top], None)
    }

    fn wide_logarithm(&mut self, step: &Step, axis: usize) {
        let name = &step.name;
        let lifted = self.lifted(step, axis);
        // The difference to the largest is what the relu was made of.
        let below = self.steps[self.steps.len() - 3].output;
        let lowered = self.add_step(name, Offset { by: -DEPTH }, &[lifted], None);
        let powers = self.add_step(name, Exp {}, &[lowered], None);
        let sum = self.add_step(name, ReduceSum { axes: vec![axis] }, &[powers], None);
        let log = self.add_step(name, Log {}, &[sum], None);
        let mut shape = self.shape(below).to_vec();
        shape[axis] = 1;
        let log = self.add_step(name, Reshape { shape }, &[log], None);
        self.add_step(name, Sub {}, &[below, log], Some(step.output));
    }

    /// A step behind the last one; it makes `output`, or a new value.
    pub(crate) fn add_step(
        &mut self,
        name: &str,
        layer: impl Into<Layer>,
        inputs: &[ValueId],
        output: Option<ValueId>,
    ) -> ValueId {
        let layer = layer.into();
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.shape(id)).collect();
        // Layers of checked operands fit.
        let shape = layer.output_shape(&shapes).unwrap_or_default();
        let kinds: Vec<Kind> = inputs.iter().map(|&id| self.kinds[id]).collect();
        let kind = layer.kind(&kinds).unwrap_or(Kind::Number);
        let output = output.unwrap_or_else(|| {
            self.shapes.push(shape);
            self.kinds.push(kind);
            self.shapes.len() - 1
        });
        self.steps.push(Step {
            name: name.to_owned(),
            layer,
            inputs: inputs.to_vec(),
            output,
        });
        output
    }
}
