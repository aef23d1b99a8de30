//! A model between graph and plan: typed layers, known shapes, evaluated constants.

use crate::backend::Clear;
use crate::defaults::{FOLDED_ELEMENTS, FOLDED_PER_STORED, FOLDED_WORK};
use crate::executor::ready;
use crate::layer::Operand;
use crate::operators::Layer;
use crate::shape::elements;
use ndarray::ArrayD;
use std::ops::Range;
use std::sync::Arc;

/// Index of a value in `Network::values` (and, after numbering, in a plan).
pub type ValueId = usize;

/// What operators are read into and passes rewrite.
#[derive(Default)]
pub(crate) struct Network {
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
    /// Layers that passes have looked at, see [`Network::walk`].
    pub(crate) walked: u64,
}

/// A tensor of a network.
#[derive(Clone)]
pub(crate) struct Value {
    /// A name for messages and plans.
    pub(crate) name: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
    /// Whether it holds integers (only constants do).
    pub(crate) integer: bool,
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

impl Network {
    /// An empty network for a file that stores `stored` elements.
    pub(crate) fn new(stored: usize) -> Self {
        let folding = FOLDED_ELEMENTS.saturating_add(stored.saturating_mul(FOLDED_PER_STORED));
        Self {
            folding,
            ..Self::default()
        }
    }

    /// Add a constant.
    pub(crate) fn constant(&mut self, name: &str, array: ArrayD<f64>, integer: bool) -> ValueId {
        let shape = array.shape().to_vec();
        let array = if array.is_standard_layout() {
            array
        } else {
            array.as_standard_layout().into_owned()
        };
        let constant = Some(Arc::new(array));
        self.push(Value {
            name: name.to_owned(),
            shape,
            integer,
            constant,
            batched: false,
        })
    }

    /// Add a value that a user provides.
    pub(crate) fn input(&mut self, name: &str, shape: Vec<usize>, batched: bool) -> ValueId {
        let name = name.to_owned();
        let id = self.push(Value {
            name,
            shape,
            integer: false,
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
        let operands: Vec<Operand<'_>> = inputs.iter().map(|&id| self.operand(id)).collect();
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape).collect();
        let shape = layer.output_shape(&shapes)?;
        let count = elements(&shape)?;
        if inputs.iter().all(|&id| self.values[id].constant.is_some()) {
            if layer.multiply_accumulates(&shapes) > FOLDED_WORK || count > self.folding {
                return Err("folding this constant takes more memory or work than allowed".into());
            }
            self.folding -= count;
            let arrays: Vec<&ArrayD<f64>> = inputs
                .iter()
                .filter_map(|&id| self.values[id].constant.as_deref())
                .collect();
            let Ok(folded) = ready(layer.run(&Clear, &arrays));
            let integer = inputs.iter().all(|&id| self.values[id].integer);
            return Ok(self.constant(name, folded, integer));
        }
        if let Some(&id) = inputs.iter().find(|&&id| self.values[id].integer) {
            let name = &self.values[id].name;
            return Err(format!(
                "`{name}` holds integers; only FLOAT and DOUBLE are computed with"
            ));
        }
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
        let (name, output) = (name.to_owned(), self.values.len());
        let value = Value {
            name: name.clone(),
            shape,
            integer: false,
            constant: None,
            batched,
        };
        self.values.push(value);
        self.nodes.push(LayerNode {
            name,
            layer,
            inputs: inputs.to_vec(),
            output,
        });
        Ok(output)
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
