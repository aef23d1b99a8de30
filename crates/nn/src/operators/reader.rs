//! What an operator sees of its node, and how it adds layers.

use super::Layer;
use super::layer_graph::LayerGraph;
use crate::defaults::MAX_SIZE;
use crate::graph::{Attribute, Element, Node};
use crate::value::ValueId;
use ndarray::ArrayD;
use std::sync::Arc;

/// A node while it is read.
pub(crate) struct Reader<'a> {
    pub(super) node: &'a Node,
    /// The operator set of the node.
    pub(super) opset: i64,
    /// The batch that a fixed-batch model was made for, and the one it is compiled for.
    pub(super) batch: (usize, usize),
    inputs: Vec<Option<ValueId>>,
    network: &'a mut LayerGraph,
}

impl<'a> Reader<'a> {
    /// The reader of `node`, whose inputs are `inputs`.
    pub(crate) fn new(
        node: &'a Node,
        batch: (usize, usize),
        inputs: Vec<Option<ValueId>>,
        network: &'a mut LayerGraph,
    ) -> Self {
        Self {
            node,
            opset: node.opset,
            batch,
            inputs,
            network,
        }
    }

    /// Input `index`, which must be there.
    pub(super) fn input(&self, index: usize) -> Result<ValueId, String> {
        self.optional(index)
            .ok_or_else(|| format!("its input {index} is missing"))
    }

    /// Input `index`, if it is there.
    pub(super) fn optional(&self, index: usize) -> Option<ValueId> {
        self.inputs.get(index).copied().flatten()
    }

    /// All inputs, which must be there.
    pub(super) fn inputs(&self) -> Result<Vec<ValueId>, String> {
        (0..self.inputs.len())
            .map(|index| self.input(index))
            .collect()
    }

    /// The shape of a value.
    pub(super) fn shape(&self, id: ValueId) -> Vec<usize> {
        self.network.shape(id).to_vec()
    }

    /// The elements of a value that does not depend on the model's inputs.
    pub(super) fn constant(&self, id: ValueId) -> Option<Arc<ArrayD<f64>>> {
        self.network.constant_of(id).cloned()
    }

    /// What the elements of a value are in the model.
    pub(super) fn element(&self, id: ValueId) -> Element {
        self.network.values[id].element
    }

    /// Whether a value holds integers.
    pub(super) fn is_integer(&self, id: ValueId) -> bool {
        self.element(id) == Element::Integer
    }

    /// Whether a value is known to hold whole numbers alone, whatever the model calls them. It may decide whether there
    /// is a plan, but not what it is: of constants, it depends on the numbers.
    pub(super) fn is_whole(&self, id: ValueId) -> bool {
        self.network.is_whole(id)
    }

    /// The same value holding `element`s.
    pub(super) fn retyped(&mut self, id: ValueId, element: Element) -> Result<ValueId, String> {
        self.network.retyped(&self.node.name, id, element)
    }

    /// Whether axis 0 of a value counts the pictures of the batch.
    pub(super) fn is_batched(&self, id: ValueId) -> bool {
        self.network.values[id].batched
    }

    /// The integers of input `index`, which must be constant.
    pub(super) fn integers(&self, index: usize) -> Result<Vec<i64>, String> {
        let id = self.input(index)?;
        let value = &self.network.values[id];
        match &value.constant {
            Some(array) if value.element == Element::Integer && array.ndim() <= 1 => {
                Ok(array.iter().map(|&v| v as i64).collect())
            }
            Some(_) => Err(format!(
                "its input {index} (`{}`) is no list of integers",
                value.name
            )),
            None => Err(format!(
                "its input {index} (`{}`) depends on the model's inputs; it must be constant",
                value.name
            )),
        }
    }

    /// Account for a constant of `count` elements that is to be made.
    pub(super) fn spend(&mut self, count: usize) -> Result<(), String> {
        self.network.spend(count)
    }

    /// Add a layer.
    pub(super) fn layer(
        &mut self,
        layer: impl Into<Layer>,
        inputs: &[ValueId],
    ) -> Result<ValueId, String> {
        self.network.layer(&self.node.name, layer.into(), inputs)
    }

    /// Add a constant.
    pub(super) fn add_constant(&mut self, array: ArrayD<f64>, element: Element) -> ValueId {
        self.network.constant(&self.node.name, array, element)
    }

    /// Add a constant that grows with attributes or shapes.
    pub(super) fn add_computed(
        &mut self,
        array: ArrayD<f64>,
        element: Element,
    ) -> Result<ValueId, String> {
        self.network.computed(&self.node.name, array, element)
    }

    /// An attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.node.attributes.get(name)
    }

    /// An integer attribute.
    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(&Attribute::Int(value)) => Ok(Some(value)),
            Some(_) => Err(format!("its attribute {name} is not an integer")),
        }
    }

    /// A number attribute, finite.
    pub(super) fn float(&self, name: &str, default: f64) -> Result<f64, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(&Attribute::Float(value)) if value.is_finite() => Ok(f64::from(value)),
            Some(_) => Err(format!("its attribute {name} is not a finite number")),
        }
    }

    /// A text attribute.
    pub(super) fn text(&self, name: &str, default: &'a str) -> Result<&'a str, String> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Text(value)) => Ok(value),
            Some(_) => Err(format!("its attribute {name} is not a text")),
        }
    }

    /// A list attribute.
    pub(super) fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, String> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values)),
            Some(_) => Err(format!("its attribute {name} is not a list of integers")),
        }
    }

    /// A list attribute of `N` sizes from `least` to [`MAX_SIZE`].
    pub(super) fn sizes<const N: usize>(
        &self,
        name: &str,
        least: usize,
    ) -> Result<Option<[usize; N]>, String> {
        let Some(values) = self.ints(name)? else {
            return Ok(None);
        };
        let sizes: Option<Vec<usize>> = values
            .iter()
            .map(|&v| {
                usize::try_from(v)
                    .ok()
                    .filter(|size| (least..=MAX_SIZE).contains(size))
            })
            .collect();
        let refuse =
            || format!("its attribute {name} is {values:?}; {N} sizes from {least} are supported");
        sizes
            .and_then(|sizes| sizes.try_into().ok())
            .map(Some)
            .ok_or_else(refuse)
    }
}
