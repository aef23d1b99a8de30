//! What can be wrong with a model, a plan or an input.

use thiserror::Error;

/// A model that cannot be read or compiled: which file, and what is wrong with it.
#[derive(Debug, Error)]
#[error("{file}: {problem}")]
pub struct ModelError {
    /// The model's file, as the caller named it.
    pub file: String,
    /// What is wrong.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a model.
#[derive(Debug, Error)]
pub enum Problem {
    /// The file, or a file that it refers to, cannot be read.
    #[error("cannot read the file: {0}")]
    Read(#[from] std::io::Error),
    /// The file is larger than the importer accepts.
    #[error("the file has {bytes} bytes; models up to {limit} bytes are read")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit, [`crate::defaults::MAX_FILE_BYTES`].
        limit: u64,
    },
    /// The bytes are not an ONNX model.
    #[error(
        "not an ONNX model, or damaged: {0}; export it again, or check the file with onnx.checker"
    )]
    NotOnnx(String),
    /// The file is what Git keeps in the place of a large file.
    #[error(
        "a Git LFS pointer, a text in the place of the model; fetch the model itself with: git lfs pull"
    )]
    LfsPointer,
    /// The model was made for an operator set that is not supported.
    #[error(
        "operator set {opset} is not supported (supported: {first} to {last}); export with opset_version={last}"
    )]
    Opset {
        /// The model's operator set.
        opset: i64,
        /// First supported.
        first: i64,
        /// Last supported.
        last: i64,
    },
    /// A graph input cannot be used.
    #[error("input `{name}`: {problem}")]
    Input {
        /// The input.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A stored tensor cannot be used.
    #[error("tensor `{name}`: {problem}")]
    Tensor {
        /// The initializer, or the node that holds the tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A value has no producer.
    #[error(
        "{user} uses the value `{value}`, which no node, input or initializer of the graph produces"
    )]
    Dangling {
        /// The node (or "the graph's output") that uses it.
        user: String,
        /// The value.
        value: String,
    },
    /// A value has two producers.
    #[error("the value `{value}` is produced twice (by {producers})")]
    Duplicate {
        /// The value.
        value: String,
        /// Who produces it.
        producers: String,
    },
    /// Nodes wait for each other.
    #[error("the graph has a cycle through node `{node}` ({operator})")]
    Cyclic {
        /// A node of the cycle.
        node: String,
        /// Its operator.
        operator: String,
    },
    /// An operator that is not in the table.
    #[error(
        "node `{node}`: operator {operator} (operator set {opset}) is not supported{}; supported: {supported}",
        because(*reason)
    )]
    UnsupportedOperator {
        /// The node.
        node: String,
        /// The operator, with its domain if that is not ONNX's own.
        operator: String,
        /// The model's operator set.
        opset: i64,
        /// Why, where there is more to say.
        reason: Option<&'static str>,
        /// Every supported operator.
        supported: String,
    },
    /// A node of a supported operator that cannot be compiled.
    #[error("node `{node}` ({operator}, operator set {opset}): {problem}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The model's operator set.
        opset: i64,
        /// What is wrong.
        problem: String,
    },
    /// The options do not fit each other or the model.
    #[error("{0}")]
    Options(String),
}

fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

impl Problem {
    /// This problem, in `file`.
    pub(crate) fn of(self, file: &str) -> ModelError {
        ModelError {
            file: file.to_owned(),
            problem: self,
        }
    }
}

/// A plan that cannot be used.
#[derive(Debug, Error)]
pub enum PlanError {
    /// The bytes are not a plan.
    #[error("not a plan, or damaged: {0}")]
    Encoding(#[from] postcard::Error),
    /// The plan is of another version of this library.
    #[error(
        "the plan has version {actual}, this program reads version {expected}; compile it again"
    )]
    Version {
        /// The version that this library reads.
        expected: u32,
        /// The version found.
        actual: u32,
    },
    /// The plan contradicts itself.
    #[error("inconsistent plan, {place}: {problem}")]
    Inconsistent {
        /// The step or list.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// An input, or a weight, that does not fit the plan. Nothing has been shared when it is returned.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InputError {
    /// Another number of tensors.
    #[error("{actual} tensors given, the plan takes {expected}")]
    Count {
        /// What the plan takes.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// A wrong shape.
    #[error("`{name}` has shape {actual:?}, the plan expects {expected:?}")]
    Shape {
        /// The input or weight.
        name: String,
        /// The plan's shape.
        expected: Vec<usize>,
        /// The shape given.
        actual: Vec<usize>,
    },
    /// A value that is not a number.
    #[error("`{name}` at {index:?} is {value}, not a finite number")]
    NotFinite {
        /// The input or weight.
        name: String,
        /// Where.
        index: Vec<usize>,
        /// The value.
        value: f64,
    },
    /// A value that the plan's number format cannot hold.
    #[error(
        "`{name}` at {index:?} is {value}, outside ±{limit} ({fraction_bits} fraction bits in a ring of {ring_bits} bits); use fewer fraction bits or scale the values"
    )]
    OutOfRange {
        /// The input or weight.
        name: String,
        /// Where.
        index: Vec<usize>,
        /// The value.
        value: f64,
        /// The magnitude that values must stay below.
        limit: f64,
        /// The plan's fraction bits.
        fraction_bits: u32,
        /// The plan's ring.
        ring_bits: u32,
    },
    /// A value outside the range that the model's owner declared for the input.
    #[error(
        "`{name}` at {index:?} is {value}, outside {low} to {high}, the range that the model is made for; prepare inputs as in training, or have the model compiled for a wider range"
    )]
    NotDeclared {
        /// The input.
        name: String,
        /// Where.
        index: Vec<usize>,
        /// The value.
        value: f64,
        /// The least that is allowed.
        low: f64,
        /// The greatest that is allowed.
        high: f64,
    },
}
