//! Where logits leave a plan.

use crate::operators::{Concat, Layer, Reshape, Scale};
use crate::plan::{Options, Plan, Port, ValueId};
use crate::scores::Scores;
use crate::value::Kind;

impl Plan {
    /// A plan of nothing: its input is its output, `batch` rows of `classes` logits. For what is computed on logits
    /// alone.
    ///
    /// # Panics
    /// If batch or classes are 0.
    pub fn of_logits(batch: usize, classes: usize, options: &Options) -> Self {
        assert!(batch > 0 && classes > 0, "{batch} rows of {classes} logits");
        let mut plan = Self::empty("logits", batch, options);
        let port = |name: &str| Port {
            name: name.into(),
            value: 0,
        };
        plan.shapes.push(vec![batch, classes]);
        plan.kinds.push(Kind::Number);
        plan.inputs.push(port("logits"));
        plan.outputs.push(port("logits"));
        plan
    }

    /// The plan without the softmax, the softmax's logarithm, or the sigmoid of a single score, that its only output comes
    /// from: its output is the logits then. Whether there was one. A softmax's numbers are not logits, and a second one over them would be wrong.
    pub fn open_at_logits(&mut self) -> bool {
        let [output] = &mut self.outputs[..] else {
            return false;
        };
        let used = |step: &crate::Step| step.inputs.contains(&output.value);
        let Some(last) = self
            .steps
            .iter()
            .position(|step| step.output == output.value)
        else {
            return false;
        };
        let last_axis = self.shapes[output.value].len().saturating_sub(1);
        let is_softmax = match &self.steps[last].layer {
            Layer::Softmax(softmax) => softmax.axis == last_axis,
            Layer::LogSoftmax(softmax) => softmax.axis == last_axis,
            // A single score: its probability.
            Layer::Sigmoid(_) => self.shapes[output.value]
                .iter()
                .skip(1)
                .all(|&size| size == 1),
            _ => false,
        };
        if !is_softmax || self.steps.iter().any(used) {
            return false;
        }
        let removed = self.steps.remove(last);
        output.value = removed.inputs[0];
        self.forget(removed.output);
        true
    }

    /// Take a value out that nothing makes or uses any more: plans have no others.
    fn forget(&mut self, value: ValueId) {
        self.shapes.remove(value);
        self.kinds.remove(value);
        let ports = self.inputs.iter_mut().chain(&mut self.weights);
        let ports = ports.chain(&mut self.outputs).map(|port| &mut port.value);
        let steps = self.steps.iter_mut();
        let steps = steps.flat_map(|step| step.inputs.iter_mut().chain([&mut step.output]));
        for id in ports.chain(steps).filter(|id| **id > value) {
            *id -= 1;
        }
    }

    /// Give a plan of a single logit for each sample, that of class 1 of two, the logits of both: 0 and that one, whose
    /// softmax is the pair of their probabilities. Whether it was such a plan.
    pub fn pair_logits(&mut self) -> bool {
        if self.scores() != Some(Scores::Logit) {
            return false;
        }
        let (single, shape) = (self.outputs[0].value, vec![self.batch, 1]);
        let column = self.add_step("both logits", Reshape { shape }, &[single], None);
        let zero = self.add_step("both logits", Scale { factor: 0.0 }, &[column], None);
        let both = self.add_step("both logits", Concat { axis: 1 }, &[zero, column], None);
        self.outputs[0].value = both;
        true
    }

    /// Rows and classes of the plan's only output, if it is a matrix.
    pub fn logits_shape(&self) -> Option<[usize; 2]> {
        let [output] = &self.outputs[..] else {
            return None;
        };
        <[usize; 2]>::try_from(self.shape(output.value)).ok()
    }
}
