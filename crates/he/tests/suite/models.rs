//! Small models and samples for tests.

use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use trefoil_he::{HeError, Options, compile, poly::Interval};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Attribute, Constant, Dimension, Element, GraphInput, Node};

/// Numbers in [-1, 1), the same for a seed.
pub(crate) fn numbers(seed: u64, shape: &[usize]) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

pub(crate) fn node(operator: &str, name: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        name: name.into(),
        operator: operator.into(),
        inputs: inputs.iter().map(|&input| input.into()).collect(),
        outputs: vec![output.into()],
        attributes: BTreeMap::new(),
        opset: 17,
    }
}

pub(crate) fn with(mut node: Node, name: &str, attribute: Attribute) -> Node {
    node.attributes.insert(name.into(), attribute);
    node
}

/// A graph from `x`, of a free batch and `shape`, to `output`.
pub(crate) fn graph(
    shape: &[usize],
    nodes: Vec<Node>,
    constants: &[(&str, ArrayD<f64>)],
    output: &str,
) -> Graph {
    let batch = [Dimension::Free("batch".into())];
    let own = shape.iter().map(|&size| Dimension::Fixed(size));
    Graph {
        file: "test.onnx".into(),
        name: "test".into(),
        opset: 17,
        inputs: vec![GraphInput {
            name: "x".into(),
            shape: batch.into_iter().chain(own).collect(),
            element: Element::Float,
        }],
        outputs: vec![output.into()],
        nodes,
        initializers: constants
            .iter()
            .map(|(name, values)| ((*name).to_owned(), Constant::Double(values.clone())))
            .collect(),
    }
}

/// A convolution, an activation, average pooling, a residual sum of two dense layers, an activation, a dense layer: pictures of one
/// channel and 6 x 6 to three numbers.
pub(crate) fn small(activation: &str) -> Graph {
    let nodes = vec![
        with(
            node("Conv", "conv", &["x", "w1", "b1"], "c"),
            "strides",
            Attribute::Ints(vec![2, 2]),
        ),
        node(activation, "act1", &["c"], "a"),
        with(
            node("AveragePool", "pool", &["a"], "p"),
            "kernel_shape",
            Attribute::Ints(vec![2, 2]),
        ),
        node("Flatten", "flat", &["p"], "f"),
        node("Gemm", "left", &["f", "w2", "b2"], "l"),
        node("Sub", "residual", &["l", "f"], "r"),
        node(activation, "act2", &["r"], "t"),
        node("Gemm", "last", &["t", "w3", "b3"], "y"),
    ];
    let constants = [
        ("w1", numbers(1, &[2, 1, 3, 3])),
        ("b1", numbers(2, &[2])),
        ("w2", numbers(3, &[2, 2])),
        ("b2", numbers(4, &[2])),
        ("w3", numbers(5, &[2, 3])),
        ("b3", numbers(6, &[3])),
    ];
    graph(&[1, 6, 6], nodes, &constants, "y")
}

/// `count` samples for [`small`], in [0, 1].
pub(crate) fn samples(count: usize, seed: u64) -> ArrayD<f64> {
    numbers(seed, &[count, 1, 6, 6]).mapv(|x| x.midpoint(1.0))
}

/// A dense network of `depth` activations.
pub(crate) fn deep(depth: usize, options: &Options) -> Result<trefoil_he::Compiled, HeError> {
    let mut nodes = Vec::new();
    let mut constants = Vec::new();
    let names: Vec<String> = (0..=3 * depth).map(|at| format!("v{at}")).collect();
    let mut value = "x".to_owned();
    for layer in 0..depth {
        let (w, dense, act) = (
            &names[3 * layer],
            &names[3 * layer + 1],
            &names[3 * layer + 2],
        );
        constants.push((w.as_str(), numbers(layer as u64, &[3, 3])));
        nodes.push(node(
            "MatMul",
            &format!("dense{layer}"),
            &[&value, w],
            dense,
        ));
        nodes.push(node("Tanh", &format!("tanh{layer}"), &[dense], act));
        value.clone_from(act);
    }
    compile(
        &graph(&[3], nodes, &constants, &value),
        &vectors(40, 9),
        options,
    )
}

/// The smallest plan that multiplies: one activation, three inputs.
pub(crate) fn tiny() -> trefoil_he::Compiled {
    let options = Options {
        widen: 3.0,
        ..options()
    };
    deep(1, &options).unwrap()
}

/// `count` samples for [`deep`] and [`tiny`], in [0, 1].
pub(crate) fn vectors(count: usize, seed: u64) -> ArrayD<f64> {
    numbers(seed, &[count, 3]).mapv(|x| x.midpoint(1.0))
}

/// The options for models with inputs in [0, 1] of few bits.
pub(crate) fn options() -> Options {
    Options {
        input_range: Interval::new(0.0, 1.0).unwrap(),
        input_bits: 4,
        weight_bits: 5,
        ..Options::default()
    }
}
