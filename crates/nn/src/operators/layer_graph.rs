//! A model between graph and plan: typed layers, known shapes, evaluated constants.

use super::{Bits, Layer, Reshape};
use crate::backend::Clear;
use crate::defaults::{FOLDED_ELEMENTS, FOLDED_PER_STORED, FOLDED_WORK};
use crate::graph::Element;
use crate::layer::Operand;
use crate::ready::ready;
use crate::shape::elements;
use crate::value::{Given, Kind, Value as Evaluated, ValueId};
use ndarray::ArrayD;
use std::ops::Range;
use std::sync::Arc;

/// What is said of a file that asks for more than [`FOLDED_ELEMENTS`] or [`FOLDED_WORK`].
const TOO_MUCH: &str = "folding this constant takes more memory or work than allowed";

/// Integers are kept as 64-bit floats, which hold them exactly up to here.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Check that integers that were computed are exact.
///
/// # Errors
/// The first that is too large to be.
pub(crate) fn exact(integers: &ArrayD<f64>) -> Result<(), String> {
    // The least and the greatest of 64 bits stand for "to the end" in bounds of slices.
    let fits = |v: &&f64| v.abs() > LARGEST_INTEGER && v.abs() < 9.2e18 || v.abs() > 9.3e18;
    match integers.iter().find(fits) {
        None => Ok(()),
        Some(value) => Err(format!(
            "it computes the integer {value:e}; integers up to 2^53 are computed"
        )),
    }
}

/// What operators are read into and passes rewrite.
#[derive(Default)]
pub(crate) struct LayerGraph {
    /// Every value, used or not.
    pub(crate) values: Vec<Value>,
    /// The layers, each after those whose values it uses.
    pub(crate) nodes: Vec<LayerNode>,
    /// The values that a user provides.
    pub(crate) inputs: Vec<ValueId>,
    /// The values that are the result, with their names in the model.
    pub(crate) outputs: Vec<(String, ValueId)>,
    /// Whether pictures are batched beyond what the file says, so that layers must not mix them.
    pub(crate) rebatched: bool,
    /// Elements that constant folding may still make.
    pub(crate) folding: usize,
    /// Layers that passes have looked at, see [`LayerGraph::walk`].
    pub(crate) walked: u64,
}

/// A tensor of a network.
#[derive(Clone)]
pub(crate) struct Value {
    /// A name for messages and plans.
    pub(crate) name: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// What its elements are in the model. On the way, integers are whole numbers, and truth values bits.
    pub(crate) element: Element,
    /// Whether it is known to hold whole numbers alone; of constants, their elements tell ([`LayerGraph::is_whole`]).
    pub(crate) whole: bool,
    /// Its elements, if they do not depend on the inputs.
    pub(crate) constant: Option<Arc<ArrayD<f64>>>,
    /// Whether axis 0 counts the pictures of the batch.
    pub(crate) batched: bool,
}

/// A layer of a network.
pub(crate) struct LayerNode {
    /// The ONNX node that it came from.
    pub(crate) name: String,
    /// What it computes.
    pub(crate) layer: Layer,
    /// From what.
    pub(crate) inputs: Vec<ValueId>,
    /// The one value that it makes.
    pub(crate) output: ValueId,
}

impl LayerGraph {
    /// An empty network for a file that stores `stored` elements.
    pub(crate) fn new(stored: usize) -> Self {
        let folding = FOLDED_ELEMENTS.saturating_add(stored.saturating_mul(FOLDED_PER_STORED));
        Self {
            folding,
            ..Self::default()
        }
    }

    /// Add a constant.
    pub(crate) fn constant(&mut self, name: &str, array: ArrayD<f64>, element: Element) -> ValueId {
        let array = if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        };
        self.share_constant(name, Arc::new(array), element)
    }

    /// Add a constant that others may hold too.
    fn share_constant(&mut self, name: &str, array: Arc<ArrayD<f64>>, element: Element) -> ValueId {
        self.push(Value {
            name: name.to_owned(),
            shape: array.shape().to_vec(),
            element,
            whole: false,
            constant: Some(array),
            batched: false,
        })
    }

    /// Add a constant that is computed while compiling.
    ///
    /// # Errors
    /// If a file asks for too much of this.
    pub(crate) fn computed(
        &mut self,
        name: &str,
        array: ArrayD<f64>,
        element: Element,
    ) -> Result<ValueId, String> {
        self.spend(array.len())?;
        Ok(self.constant(name, array, element))
    }

    /// Account for a computed constant of `count` elements, before it is made.
    ///
    /// # Errors
    /// If there would be too many.
    pub(crate) fn spend(&mut self, count: usize) -> Result<(), String> {
        let left = self.folding.checked_sub(count);
        self.folding = left.ok_or(TOO_MUCH)?;
        Ok(())
    }

    /// Add a value that a user provides.
    pub(crate) fn input(&mut self, name: &str, shape: Vec<usize>, batched: bool) -> ValueId {
        let id = self.push(Value {
            name: name.to_owned(),
            shape,
            element: Element::Float,
            whole: false,
            constant: None,
            batched,
        });
        self.inputs.push(id);
        id
    }

    /// Add a layer and return its value; a layer of constants is evaluated at once.
    ///
    /// # Errors
    /// If the layer does not fit its inputs.
    pub(crate) fn layer(
        &mut self,
        name: &str,
        layer: Layer,
        inputs: &[ValueId],
    ) -> Result<ValueId, String> {
        if inputs.iter().all(|&id| self.values[id].constant.is_some()) {
            return self.fold(name, &layer, inputs);
        }
        // Truth values that are stored come to the parties as numbers, as all weights.
        let mut operands = Vec::with_capacity(inputs.len());
        for &id in inputs {
            let value = &self.values[id];
            let stored = value.constant.is_some() && value.element == Element::Boolean;
            operands.push(if stored {
                self.add(name, Bits {}.into(), &[id])?
            } else {
                id
            });
        }
        self.add(name, layer, &operands)
    }

    /// Add a layer whatever its inputs are.
    fn add(&mut self, name: &str, layer: Layer, inputs: &[ValueId]) -> Result<ValueId, String> {
        let operands: Vec<Operand<'_>> = inputs.iter().map(|&id| self.operand(id)).collect();
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape).collect();
        let shape = layer.output_shape(&shapes)?;
        elements(&shape)?;
        let kinds: Vec<Kind> = inputs.iter().map(|&id| self.kind(id)).collect();
        let kind = layer.kind(&kinds)?;
        // A plan holds no empty tensor, and integers meet floats in no operator of ONNX.
        for &id in inputs {
            elements(self.shape(id))?;
        }
        let holds = |element: Element| {
            let mut ids = inputs.iter().map(|&id| &self.values[id]);
            ids.find(|value| value.element == element)
        };
        if let (Some(value), Some(_)) = (holds(Element::Integer), holds(Element::Float)) {
            return Err(format!(
                "`{}` holds integers, other operands hold floats; cast them",
                value.name
            ));
        }
        let element = self.element_of(kind, inputs);
        let mut batched = operands.iter().any(|operand| operand.batched);
        if batched && !layer.keeps_batch(&operands) {
            if self.rebatched {
                return Err(format!(
                    "it mixes the pictures of a batch, and the model is made for a fixed batch: \
                     run it with that batch (shapes {shapes:?})"
                ));
            }
            batched = false;
        }
        // Constants are looked at last: there may be many elements.
        let known = |constant: bool| {
            inputs
                .iter()
                .all(|&id| self.values[id].constant.is_some() != constant || self.is_whole(id))
        };
        let whole = layer.gives_whole(false)
            || (layer.gives_whole(true) && known(false) && known(true))
            || kind == Kind::Bit;
        let output = self.push(Value {
            name: name.to_owned(),
            shape,
            element,
            whole,
            constant: None,
            batched,
        });
        self.nodes.push(LayerNode {
            name: name.to_owned(),
            layer,
            inputs: inputs.to_vec(),
            output,
        });
        Ok(output)
    }

    /// The value of a layer of constants.
    fn fold(&mut self, name: &str, layer: &Layer, inputs: &[ValueId]) -> Result<ValueId, String> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&id| self.shape(id)).collect();
        let kind_of = |&id: &ValueId| match self.values[id].element {
            Element::Boolean => Kind::Bit,
            _ => Kind::Number,
        };
        let kinds: Vec<Kind> = inputs.iter().map(kind_of).collect();
        let shape = layer.output_shape(&shapes)?;
        let count = elements(&shape)?;
        let element = self.element_of(layer.kind(&kinds)?, inputs);
        if layer.multiply_accumulates(&shapes) > FOLDED_WORK {
            return Err(TOO_MUCH.into());
        }
        self.spend(count)?;
        let arrays = inputs
            .iter()
            .filter_map(|&id| self.values[id].constant.as_deref());
        let arrays: Vec<&ArrayD<f64>> = arrays.collect();
        let bits: Vec<Option<ArrayD<bool>>> = arrays
            .iter()
            .zip(&kinds)
            .map(|(array, &kind)| (kind == Kind::Bit).then(|| array.mapv(|v| v != 0.0)))
            .collect();
        let given: Vec<Given<'_, Clear>> = arrays
            .iter()
            .zip(&bits)
            .map(|(&array, bits)| match bits {
                Some(bits) => Given::Bit(bits),
                None => Given::Number(array),
            })
            .collect();
        let Ok(folded) = ready(layer.evaluate(&Clear, &given));
        let folded = match folded {
            Evaluated::Number(array) => array,
            Evaluated::Bit(bits) => bits.mapv(|bit| f64::from(u8::from(bit))),
        };
        if element == Element::Integer {
            exact(&folded)?;
        }
        Ok(self.constant(name, folded, element))
    }

    /// What a layer of `inputs` makes that gives values of `kind`: integers of integers, floats of all else.
    fn element_of(&self, kind: Kind, inputs: &[ValueId]) -> Element {
        let float = |&id: &ValueId| self.values[id].element == Element::Float;
        match kind {
            Kind::Bit => Element::Boolean,
            Kind::Number if inputs.iter().any(float) => Element::Float,
            Kind::Number => Element::Integer,
        }
    }

    /// The same value, holding `element`s: for casts that change no number.
    ///
    /// # Errors
    /// If the value holds bits.
    pub(crate) fn retyped(
        &mut self,
        name: &str,
        id: ValueId,
        element: Element,
    ) -> Result<ValueId, String> {
        if self.values[id].element == element {
            return Ok(id);
        }
        if let Some(constant) = self.values[id].constant.clone() {
            return Ok(self.share_constant(name, constant, element));
        }
        // A layer that changes nothing, which a pass removes.
        let shape = self.values[id].shape.clone();
        let output = self.add(name, Reshape { shape }.into(), &[id])?;
        self.values[output].element = element;
        Ok(output)
    }

    /// What a value holds while a plan runs: constants are numbers, as all weights.
    pub(crate) fn kind(&self, id: ValueId) -> Kind {
        let value = &self.values[id];
        if value.element == Element::Boolean && value.constant.is_none() {
            Kind::Bit
        } else {
            Kind::Number
        }
    }

    /// Whether a value is known to hold whole numbers alone. It depends on stored numbers, so it must not decide what
    /// a plan becomes, only whether there is one.
    pub(crate) fn is_whole(&self, id: ValueId) -> bool {
        let value = &self.values[id];
        match &value.constant {
            _ if value.element != Element::Float => true,
            Some(constant) => constant.iter().all(|v| v.fract() == 0.0),
            None => value.whole,
        }
    }

    /// The shape of a value.
    pub(crate) fn shape(&self, id: ValueId) -> &[usize] {
        &self.values[id].shape
    }

    /// The elements of a constant.
    pub(crate) fn constant_of(&self, id: ValueId) -> Option<&Arc<ArrayD<f64>>> {
        self.values[id].constant.as_ref()
    }

    /// How often each value is used, as an operand or a result.
    pub(crate) fn uses(&mut self) -> Vec<usize> {
        self.walk();
        let mut uses = vec![0; self.values.len()];
        let operands = self.nodes.iter().flat_map(|node| &node.inputs);
        for &id in operands.chain(self.outputs.iter().map(|(_, id)| id)) {
            uses[id] += 1;
        }
        uses
    }

    /// The places of all layers, for one walk over them; counted, so that tests can tell that the passes' work grows
    /// with the number of layers and not with its square.
    pub(crate) fn walk(&mut self) -> Range<usize> {
        self.walked += self.nodes.len() as u64;
        0..self.nodes.len()
    }

    /// Count the constants that the layer at `index` now uses in the place of `before`, and drop those that nothing
    /// uses any more.
    pub(crate) fn renew(&mut self, uses: &mut Vec<usize>, before: &[ValueId], index: usize) {
        uses.resize(self.values.len(), 0);
        for &id in &self.nodes[index].inputs {
            uses[id] += 1;
        }
        for &id in before {
            uses[id] -= 1;
            if uses[id] == 0 {
                self.values[id].constant = None;
            }
        }
    }

    fn operand(&self, id: ValueId) -> Operand<'_> {
        let value = &self.values[id];
        Operand {
            shape: &value.shape,
            batched: value.batched,
        }
    }

    fn push(&mut self, value: Value) -> ValueId {
        self.values.push(value);
        self.values.len() - 1
    }
}
