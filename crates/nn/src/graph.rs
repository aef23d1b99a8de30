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
    /// A kind that no supported operator uses (a graph, a sparse tensor …).
    Other,
}

/// A stored tensor. Its `Debug` shows no element.
#[derive(Clone)]
pub enum Constant {
    /// Single precision.
    Float(ArrayD<f32>),
    /// Double precision.
    Double(ArrayD<f64>),
    /// Integers of any width, and booleans as 0 and 1.
    Int(ArrayD<i64>),
}

impl Constant {
    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float(array) => array.shape(),
            Self::Double(array) => array.shape(),
            Self::Int(array) => array.shape(),
        }
    }

    /// Whether it holds integers.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    /// Its values as 64-bit floats: exact, but for integers beyond 2^53.
    pub fn to_f64(&self) -> ArrayD<f64> {
        match self {
            Self::Float(array) => array.mapv(f64::from),
            Self::Double(array) => array.clone(),
            Self::Int(array) => array.mapv(|v| v as f64),
        }
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Float(_) => "Float",
            Self::Double(_) => "Double",
            Self::Int(_) => "Int",
        };
        write!(f, "{kind}{:?}", self.shape())
    }
}
