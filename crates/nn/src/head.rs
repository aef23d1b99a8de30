//! Where logits leave a plan.

use crate::operators::Layer;
use crate::plan::{Options, Plan, Port};
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

    /// The plan without the softmax, or the softmax's logarithm, that its only output comes from: its output is the logits
    /// then. Whether there was one. A softmax's numbers are not logits, and a second one over them would be wrong.
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
            _ => false,
        };
        if !is_softmax || self.steps.iter().any(used) {
            return false;
        }
        output.value = self.steps.remove(last).inputs[0];
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
