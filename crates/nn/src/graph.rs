//! A model as its file describes it: ONNX's graph without protobuf.

use ndarray::ArrayD;
use std::collections::BTreeMap;
use std::fmt;

/// An ONNX graph, checked for structure only: every value has exactly one producer, and nodes come
/// in an order in which each can be evaluated. Operators are not interpreted.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The file it was read from, for messages.
    pub file: String,
    /// The graph's own name.
    pub name: String,
    /// Version of ONNX's operator set.
    pub opset: i64,
    /// The inputs that a user provides (initializers that are also listed as inputs are left out).
    pub inputs: Vec<GraphInput>,
    /// Names of the values that are the result.
    pub outputs: Vec<String>,
    /// The nodes, each after those whose values it uses.
    pub nodes: Vec<Node>,
    /// Stored tensors by name.
    pub initializers: BTreeMap<String, Constant>,
}

/// An input of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphInput {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<Dimension>,
    /// What its elements are. Users give numbers: whole ones for integers, 0 and 1 for truth values.
    pub element: Element,
}

/// Kinds of elements, as far as operators tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// Floating-point numbers of any precision.
    Float,
    /// Integers of any width.
    Integer,
    /// Truth values.
    Boolean,
}

impl Element {
    /// Whether `value` can be such an element.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Float => true,
            Self::Integer => value.fract() == 0.0,
            Self::Boolean => [0.0, 1.0].contains(&value),
        }
    }
}

/// A dimension of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// Of this size.
    Fixed(usize),
    /// Of any size, with the exporter's name for it (which may be empty).
    Free(String),
}

/// A node of a graph.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name; its first output if the exporter gave none.
    pub name: String,
    /// The operator, `domain.Operator` if the domain is not ONNX's own.
    pub operator: String,
    /// Names of the input values; empty where an optional input is left out.
    pub inputs: Vec<String>,
    /// Names of the output values; empty where an optional output is not wanted.
    pub outputs: Vec<String>,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// The version of ONNX's operator set that it is written in: the graph's, or that of the function it came from.
    pub opset: i64,
}

/// A graph inside a node: a branch of an `If`. It sees the values around it.
#[derive(Clone, Debug)]
pub struct Subgraph {
    /// Its nodes, each after those whose values it uses.
    pub nodes: Vec<Node>,
    /// Its stored tensors by name.
    pub initializers: BTreeMap<String, Constant>,
    /// Names of its results.
    pub outputs: Vec<String>,
    /// Names of the values that it uses of those around it.
    pub captured: Vec<String>,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// An integer.
    Int(i64),
    /// A number.
    Float(f32),
    /// A text.
    Text(String),
    /// Integers.
    Ints(Vec<i64>),
    /// Numbers.
    Floats(Vec<f32>),
    /// A tensor.
    Tensor(Constant),
    /// A graph.
    Graph(Subgraph),
    /// A kind that no supported operator uses (a sparse tensor, texts …).
    Other,
}

/// A stored tensor. Its `Debug` shows no element.
#[derive(Clone)]
pub enum Constant {
    /// Single precision.
    Float(ArrayD<f32>),
    /// Double precision.
    Double(ArrayD<f64>),
    /// Integers of any width.
    Int(ArrayD<i64>),
    /// Truth values.
    Bool(ArrayD<bool>),
}

impl Node {
    /// The names of the values that it uses, those that graphs inside it use too.
    pub(crate) fn uses(&self) -> impl Iterator<Item = &str> {
        let captured = self
            .attributes
            .values()
            .flat_map(|attribute| match attribute {
                Attribute::Graph(graph) => &graph.captured[..],
                _ => &[],
            });
        let names = self.inputs.iter().chain(captured).map(String::as_str);
        names.filter(|name| !name.is_empty())
    }
}

impl Graph {
    /// Give every free dimension called `name`, but for the batch, a size; whether there is one.
    pub fn bind(&mut self, name: &str, size: usize) -> bool {
        let mut found = false;
        let axes = self
            .inputs
            .iter_mut()
            .flat_map(|input| input.shape.iter_mut().skip(1));
        for dimension in axes {
            if matches!(dimension, Dimension::Free(own) if own == name) {
                *dimension = Dimension::Fixed(size);
                found = true;
            }
        }
        found
    }

    /// Give the free dimensions of input `index`, but for the batch, the sizes of samples of `shape`; dimensions of the
    /// same name get the same size.
    pub fn bind_samples(&mut self, index: usize, shape: &[usize]) {
        for (axis, &size) in shape.iter().enumerate().skip(1) {
            let dimension = self
                .inputs
                .get(index)
                .and_then(|input| input.shape.get(axis));
            let Some(Dimension::Free(name)) = dimension.cloned() else {
                continue;
            };
            if name.is_empty() {
                self.inputs[index].shape[axis] = Dimension::Fixed(size);
            } else {
                self.bind(&name, size);
            }
        }
    }

    /// Compute the output `name` alone; what it does not need is left out when the graph is compiled.
    ///
    /// # Errors
    /// The names of the outputs, if none is called so.
    pub fn keep_output(&mut self, name: &str) -> Result<(), String> {
        if self.outputs.iter().any(|output| output == name) {
            self.outputs = vec![name.to_owned()];
            return Ok(());
        }
        Err(self.outputs.join("`, `"))
    }
}

impl Constant {
    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float(array) => array.shape(),
            Self::Double(array) => array.shape(),
            Self::Int(array) => array.shape(),
            Self::Bool(array) => array.shape(),
        }
    }

    /// What its elements are.
    pub fn element(&self) -> Element {
        match self {
            Self::Float(_) | Self::Double(_) => Element::Float,
            Self::Int(_) => Element::Integer,
            Self::Bool(_) => Element::Boolean,
        }
    }

    /// Its values as 64-bit floats: exact, but for integers beyond 2^53.
    pub fn to_f64(&self) -> ArrayD<f64> {
        match self {
            Self::Float(array) => array.mapv(f64::from),
            Self::Double(array) => array.clone(),
            Self::Int(array) => array.mapv(|v| v as f64),
            Self::Bool(array) => array.mapv(|v| f64::from(u8::from(v))),
        }
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Float(_) => "Float",
            Self::Double(_) => "Double",
            Self::Int(_) => "Int",
            Self::Bool(_) => "Bool",
        };
        write!(f, "{kind}{:?}", self.shape())
    }
}
