//! What is computed, without weights: the public description that all parties agree on.

use crate::defaults::{MAX_NODES, fraction_bits};
use crate::layer::Operand;
use crate::operators::Layer;
use crate::shape::elements;
use crate::value::Kind;
pub use crate::value::ValueId;
use crate::{InputError, PlanError};
use ndarray::ArrayD;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;
use trefoil_ring::{FixedPoint, Ring};

/// Version of the encoding and of the meaning of plans. Raised with every change of a layer.
pub const PLAN_VERSION: u32 = 5;

/// A compiled model: layers, shapes and number format, but no weight and nothing computed from one.
///
/// Plans are public. Every party checks that it runs the same one by [`Plan::hash`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    version: u32,
    /// Name of the model's graph.
    pub name: String,
    /// Pictures that are computed at once.
    pub batch: usize,
    /// Bits of the ring, 32 or 64.
    pub ring_bits: u32,
    /// Bits after the binary point.
    pub fraction_bits: u32,
    /// The shape of every value.
    pub shapes: Vec<Vec<usize>>,
    /// What every value holds; inputs, weights and outputs are numbers.
    pub kinds: Vec<Kind>,
    /// The values that a user provides.
    pub inputs: Vec<Port>,
    /// What the model's owner declares about each input, see [`Plan::declare_ranges`]; nothing if empty.
    pub input_ranges: Vec<[f64; 2]>,
    /// The values that the model's owner provides, in the order of [`Weights`].
    pub weights: Vec<Port>,
    /// The values that are the result.
    pub outputs: Vec<Port>,
    /// The layers, each after those whose values it uses.
    pub steps: Vec<Step>,
}

/// A named value of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name in the model.
    pub name: String,
    /// Which value.
    pub value: ValueId,
}

/// A layer of a plan with its operands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The model's node that it computes.
    pub name: String,
    /// What is computed.
    pub layer: Layer,
    /// From which values.
    pub inputs: Vec<ValueId>,
    /// The value that is made.
    pub output: ValueId,
}

/// How a model is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Pictures at once; `None` for the batch that the model is made for, or 1 if that is free.
    pub batch: Option<usize>,
    /// Bits of the ring, 32 or 64.
    pub ring_bits: u32,
    /// Bits after the binary point.
    pub fraction_bits: u32,
}

impl Options {
    /// The options for a ring of `ring_bits` bits with its default format.
    pub const fn ring(ring_bits: u32) -> Self {
        Self {
            batch: None,
            ring_bits,
            fraction_bits: fraction_bits(ring_bits),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::ring(crate::defaults::RING_BITS)
    }
}

/// The secret half of a compiled model: the tensors of [`Plan::weights`], in that order.
///
/// No `Debug`, so that no log shows them.
#[derive(Clone)]
pub struct Weights {
    tensors: Arc<[ArrayD<f64>]>,
    /// What the format holds in the place of a mask's "none of this"; nothing for other tensors.
    floors: Arc<[Option<f64>]>,
}

impl Plan {
    /// A plan without values and steps.
    pub(crate) fn empty(name: &str, batch: usize, options: &Options) -> Self {
        let Options {
            ring_bits,
            fraction_bits,
            ..
        } = *options;
        let (inputs, weights, outputs) = (Vec::new(), Vec::new(), Vec::new());
        let input_ranges = Vec::new();
        let (version, name, shapes, steps) = (PLAN_VERSION, name.into(), Vec::new(), Vec::new());
        Self {
            version,
            name,
            batch,
            ring_bits,
            fraction_bits,
            shapes,
            kinds: Vec::new(),
            inputs,
            input_ranges,
            weights,
            outputs,
            steps,
        }
    }

    /// Declare the least and the greatest number of each input: [`Plan::check_inputs`] refuses others, before anything
    /// is shared.
    ///
    /// The declaration is public, as the whole plan. It is the owner's choice, never made by compiling: ranges of
    /// samples tell about the samples.
    ///
    /// # Panics
    /// If there is not one range for each input, or a bound is no finite number.
    pub fn declare_ranges(&mut self, ranges: &[[f64; 2]]) {
        assert_eq!(ranges.len(), self.inputs.len(), "number of ranges");
        let finite = |[low, high]: &[f64; 2]| low.is_finite() && high.is_finite() && low <= high;
        assert!(ranges.iter().all(finite), "ranges of inputs: {ranges:?}");
        self.input_ranges = ranges.to_vec();
    }

    /// The number format.
    pub fn format(&self) -> FixedPoint {
        FixedPoint::new(self.fraction_bits)
    }

    /// The shape of a value.
    ///
    /// # Panics
    /// If the plan has no such value.
    pub fn shape(&self, value: ValueId) -> &[usize] {
        &self.shapes[value]
    }

    /// The shapes of a step's operands.
    pub fn operand_shapes(&self, step: &Step) -> Vec<&[usize]> {
        step.inputs.iter().map(|&id| self.shape(id)).collect()
    }

    /// Products that a step sums.
    pub fn multiply_accumulates(&self, step: &Step) -> u64 {
        step.layer.multiply_accumulates(&self.operand_shapes(step))
    }

    /// The digest that parties compare: BLAKE3 of the canonical encoding, which names layers by numbers of their own and begins
    /// with the version of what they mean.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil plan");
        hasher.update(&self.to_bytes());
        *hasher.finalize().as_bytes()
    }

    /// The canonical encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Plain structures of numbers and texts always encode.
        postcard::to_stdvec(self).unwrap_or_default()
    }

    /// Read an encoded plan, checking all of it: it may come from anyone.
    ///
    /// # Errors
    /// If the bytes are no plan, of another version, or of one that contradicts itself.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PlanError> {
        let (version, _) = postcard::take_from_bytes::<u32>(bytes)?;
        if version != PLAN_VERSION {
            return Err(PlanError::Version {
                expected: PLAN_VERSION,
                actual: version,
            });
        }
        let (plan, rest) = postcard::take_from_bytes::<Self>(bytes)?;
        if !rest.is_empty() {
            return Err(PlanError::Encoding(postcard::Error::DeserializeBadEncoding));
        }
        plan.check()?;
        Ok(plan)
    }

    /// Check that the plan can run.
    ///
    /// # Errors
    /// What contradicts itself, and where.
    pub fn check(&self) -> Result<(), PlanError> {
        let wrong = |place: &str, problem: String| {
            Err(PlanError::Inconsistent {
                place: place.to_owned(),
                problem,
            })
        };
        if let Err(problem) = check_format(self.ring_bits, self.fraction_bits) {
            return wrong("the format", problem);
        }
        if self.steps.len() > MAX_NODES || self.batch == 0 {
            return wrong(
                "the size",
                format!("{} steps, batch {}", self.steps.len(), self.batch),
            );
        }
        for (id, shape) in self.shapes.iter().enumerate() {
            if let Err(problem) = elements(shape) {
                return wrong(&format!("value {id}"), problem);
            }
        }
        let well = |[low, high]: &[f64; 2]| low.is_finite() && high.is_finite() && low <= high;
        let declared = &self.input_ranges;
        if !declared.is_empty() && declared.len() != self.inputs.len() || !declared.iter().all(well)
        {
            return wrong("the inputs", format!("ranges of {declared:?}"));
        }
        if self.kinds.len() != self.shapes.len() {
            let problem = format!("{} kinds of {} values", self.kinds.len(), self.shapes.len());
            return wrong("the values", problem);
        }
        let ports = self.inputs.iter().chain(&self.weights).chain(&self.outputs);
        let bits = |port: &&Port| self.kinds.get(port.value) == Some(&Kind::Bit);
        if let Some(port) = ports.into_iter().find(bits) {
            return wrong(&port.name, format!("value {} holds bits", port.value));
        }
        let mut made = vec![false; self.shapes.len()];
        let mut make = |id: ValueId| {
            made.get_mut(id)
                .is_some_and(|made| !std::mem::replace(made, true))
        };
        for port in self.inputs.iter().chain(&self.weights) {
            if !make(port.value) {
                return wrong(
                    &port.name,
                    format!("value {} does not exist or comes twice", port.value),
                );
            }
        }
        for step in &self.steps {
            if let Some(id) = step.inputs.iter().find(|&&id| made.get(id) != Some(&true)) {
                return wrong(&step.name, format!("it uses value {id} before it is made"));
            }
            match step.layer.output_shape(&self.operand_shapes(step)) {
                Ok(shape) if self.shapes.get(step.output) == Some(&shape) => {}
                Ok(shape) => return wrong(&step.name, format!("its output has shape {shape:?}")),
                Err(problem) => return wrong(&step.name, problem),
            }
            let kinds: Vec<Kind> = step.inputs.iter().map(|&id| self.kinds[id]).collect();
            match step.layer.kind(&kinds) {
                Ok(kind) if self.kinds.get(step.output) == Some(&kind) => {}
                Ok(kind) => return wrong(&step.name, format!("its output is of kind {kind:?}")),
                Err(problem) => return wrong(&step.name, problem),
            }
            if std::mem::replace(&mut made[step.output], true) {
                return wrong(&step.name, format!("value {} is made twice", step.output));
            }
        }
        match self
            .outputs
            .iter()
            .find(|port| made.get(port.value) != Some(&true))
        {
            Some(port) => wrong(&port.name, format!("value {} is not made", port.value)),
            None if made.iter().all(|&made| made) => Ok(()),
            None => wrong("the values", "one is never made".into()),
        }
    }

    /// Where samples of one batch meet, if they do: the name of a step, or of an output without a row for each sample. Where
    /// they do not, each row of an output depends on its own row of the inputs alone, so that a batch may hold the samples
    /// of several users.
    pub fn mixes_samples(&self) -> Option<&str> {
        let mut batched = vec![false; self.shapes.len()];
        for port in &self.inputs {
            if self.shape(port.value).first() != Some(&self.batch) {
                return Some(&port.name);
            }
            batched[port.value] = true;
        }
        for step in &self.steps {
            let operands: Vec<Operand<'_>> = step
                .inputs
                .iter()
                .map(|&id| Operand {
                    shape: self.shape(id),
                    batched: batched[id],
                })
                .collect();
            if operands.iter().any(|operand| operand.batched) {
                if !step.layer.keeps_batch(&operands) {
                    return Some(&step.name);
                }
                batched[step.output] = true;
            }
        }
        let whole = |port: &&Port| {
            batched[port.value] && self.shape(port.value).first() == Some(&self.batch)
        };
        let other = self.outputs.iter().find(|port| !whole(port));
        other.map(|port| port.name.as_str())
    }

    /// Check what a user wants to compute, before anything of it is shared.
    ///
    /// # Errors
    /// The first tensor with a wrong shape, or the first element that is not finite or outside the
    /// format's range.
    pub fn check_inputs(&self, inputs: &[ArrayD<f64>]) -> Result<(), InputError> {
        let tensors: Vec<_> = inputs.iter().collect();
        self.check_tensors(&self.inputs, &tensors)?;
        for ((port, tensor), &[low, high]) in self.inputs.iter().zip(inputs).zip(&self.input_ranges)
        {
            let outside = |(_, value): &(_, &f64)| !(low..=high).contains(*value);
            if let Some((at, &value)) = tensor.indexed_iter().find(outside) {
                return Err(InputError::NotDeclared {
                    name: port.name.clone(),
                    index: ndarray::Dimension::slice(&at).to_vec(),
                    value,
                    low,
                    high,
                });
            }
        }
        Ok(())
    }

    /// Check that weights are this plan's, before anything of them is shared.
    ///
    /// # Errors
    /// As [`Plan::check_inputs`].
    pub fn check_weights(&self, weights: &Weights) -> Result<(), InputError> {
        let held = weights.held();
        let tensors: Vec<_> = held.iter().map(AsRef::as_ref).collect();
        self.check_tensors(&self.weights, &tensors)
    }

    fn check_tensors(&self, ports: &[Port], tensors: &[&ArrayD<f64>]) -> Result<(), InputError> {
        if ports.len() != tensors.len() {
            let (expected, actual) = (ports.len(), tensors.len());
            return Err(InputError::Count { expected, actual });
        }
        let (ring_bits, fraction_bits) = (self.ring_bits, self.fraction_bits);
        let limit = (f64::from(ring_bits) - 2.0 - f64::from(fraction_bits)).exp2();
        for (port, tensor) in ports.iter().zip(tensors) {
            let name = &port.name;
            let expected = self.shape(port.value);
            if tensor.shape() != expected {
                let (expected, actual) = (expected.to_vec(), tensor.shape().to_vec());
                return Err(InputError::Shape {
                    name: name.clone(),
                    expected,
                    actual,
                });
            }
            // Counting indices along takes ten times as long as looking at the elements.
            let wrong = |value: &f64| value.is_nan() || value.abs() >= limit;
            if !tensor.iter().any(wrong) {
                continue;
            }
            if let Some((at, &value)) = tensor.indexed_iter().find(|(_, value)| wrong(value)) {
                let (index, name) = (ndarray::Dimension::slice(&at).to_vec(), name.clone());
                return Err(if value.is_finite() {
                    InputError::OutOfRange {
                        name,
                        index,
                        value,
                        limit,
                        fraction_bits,
                        ring_bits,
                    }
                } else {
                    InputError::NotFinite { name, index, value }
                });
            }
        }
        Ok(())
    }
}

impl Weights {
    pub(crate) fn new(plan: &Plan, tensors: Vec<ArrayD<f64>>) -> Self {
        let (tensors, floors) = (tensors.into(), plan.mask_floors().into());
        Self { tensors, floors }
    }

    /// Other tensors for the same plan: retrained ones, say.
    ///
    /// # Errors
    /// If their number, a shape or a value does not fit the plan.
    pub fn from_tensors(plan: &Plan, tensors: Vec<ArrayD<f64>>) -> Result<Self, InputError> {
        let weights = Self::new(plan, tensors);
        plan.check_weights(&weights)?;
        Ok(weights)
    }

    /// The tensors as the format holds them: those of [`Weights::iter`], but that in masks of a softmax -inf, the least
    /// float and other numbers that say "none of this" are numbers far enough below any logit.
    pub fn held(&self) -> Vec<Cow<'_, ArrayD<f64>>> {
        let each = self.tensors.iter().zip(self.floors.iter());
        each.map(|(tensor, floor)| match floor {
            Some(floor) => Cow::Owned(tensor.mapv(|value| floored(value, *floor))),
            None => Cow::Borrowed(tensor),
        })
        .collect()
    }

    /// Let masks hold `floor` for "none of this".
    pub(crate) fn deepen_masks(&mut self, floor: f64) {
        self.floors = self.floors.iter().map(|old| old.map(|_| floor)).collect();
    }

    /// The tensors, in the order of [`Plan::weights`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ArrayD<f64>> {
        self.tensors.iter()
    }

    /// The tensors for [`crate::Clear`], where they are.
    pub fn clear(&self) -> &[ArrayD<f64>] {
        &self.tensors
    }

    /// The tensors for [`crate::Clear`], copied.
    pub fn to_clear(&self) -> Vec<ArrayD<f64>> {
        self.tensors.to_vec()
    }

    /// The tensors as elements of the plan's ring, to be shared or for [`crate::Fixed`].
    ///
    /// # Errors
    /// The first element that is not finite or outside the format's range.
    ///
    /// # Panics
    /// If `R` is not the plan's ring, or the weights are not the plan's.
    pub fn encode<R: Ring>(&self, plan: &Plan) -> Result<Vec<ArrayD<R>>, InputError> {
        assert_eq!(R::BITS, plan.ring_bits, "the plan's ring");
        plan.check_weights(self)?;
        Ok(self
            .held()
            .iter()
            .map(|tensor| tensor.mapv(|v| plan.format().encode(v)))
            .collect())
    }
}

/// The fraction bits that every protocol can work with: finer formats leave no room for a product, coarser ones none
/// for the pieces of splines.
pub(crate) fn fraction_bit_range(ring_bits: u32) -> RangeInclusive<u32> {
    if ring_bits == 64 { 5..=29 } else { 3..=13 }
}

/// Check that values and products fit the ring.
pub(crate) fn check_format(ring_bits: u32, fraction_bits: u32) -> Result<(), String> {
    if ring_bits != 32 && ring_bits != 64 {
        return Err(format!(
            "rings of 32 and 64 bits are supported, not {ring_bits}"
        ));
    }
    let range = fraction_bit_range(ring_bits);
    if !range.contains(&fraction_bits) {
        return Err(format!(
            "a ring of {ring_bits} bits takes {} to {} fraction bits, not {fraction_bits}",
            range.start(),
            range.end()
        ));
    }
    Ok(())
}

/// Elements of a mask from here down say "none of this": exporters write -1e4, -1e9, the least float or -inf.
pub(crate) const NONE: f64 = -1000.0;

/// `value`, or `floor` if it says "none of this".
fn floored(value: f64, floor: f64) -> f64 {
    if value <= NONE { floor } else { value }
}
