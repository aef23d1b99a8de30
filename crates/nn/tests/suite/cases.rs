//! Small models, at least one for every operator. Each input is random in (-1, 1).

use crate::build::{Build, float, int, ints, tensor, text};

/// A model and the shapes of its inputs.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) model: Build,
    pub(crate) inputs: Vec<Vec<usize>>,
}

fn case(name: &'static str, model: Build, inputs: &[&[usize]]) -> Case {
    let inputs = inputs.iter().map(|shape| shape.to_vec()).collect();
    Case {
        name,
        model: model.output("y"),
        inputs,
    }
}

fn picture() -> Build {
    Build::opset(13).input("x", &[2, 4, 7, 6])
}

const PICTURE: &[&[usize]] = &[&[2, 4, 7, 6]];
const MATRIX: &[&[usize]] = &[&[3, 5]];

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    [
        convolutions(),
        products(),
        arithmetic(),
        pools(),
        shapes(),
        reductions(),
        constants(),
        functions(),
        networks(),
    ]
    .concat_all()
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Case>;
}
impl<const N: usize> ConcatAll for [Vec<Case>; N] {
    fn concat_all(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}

fn convolutions() -> Vec<Case> {
    let conv = |weights: &[i64], attributes: Vec<_>| {
        picture()
            .random("w", weights)
            .random("b", &weights[..1])
            .node("Conv", &["x", "w", "b"], "y", attributes)
    };
    vec![
        case("conv", conv(&[3, 4, 3, 3], vec![]), PICTURE),
        case(
            "conv without bias",
            picture()
                .random("w", &[3, 4, 2, 3])
                .node("Conv", &["x", "w"], "y", vec![]),
            PICTURE,
        ),
        case(
            "conv strides",
            conv(&[3, 4, 3, 2], vec![ints("strides", &[2, 3])]),
            PICTURE,
        ),
        case(
            "conv pads",
            conv(&[3, 4, 3, 3], vec![ints("pads", &[2, 0, 1, 1])]),
            PICTURE,
        ),
        case(
            "conv dilations",
            conv(&[2, 4, 2, 3], vec![ints("dilations", &[3, 2])]),
            PICTURE,
        ),
        case(
            "conv groups",
            conv(&[6, 2, 3, 3], vec![int("group", 2)]),
            PICTURE,
        ),
        case(
            "conv depthwise",
            conv(&[8, 1, 3, 3], vec![int("group", 4), ints("pads", &[1; 4])]),
            PICTURE,
        ),
        case(
            "conv 1x1",
            conv(&[5, 4, 1, 1], vec![ints("kernel_shape", &[1, 1])]),
            PICTURE,
        ),
        case(
            "conv same upper",
            conv(
                &[3, 4, 4, 3],
                vec![text("auto_pad", "SAME_UPPER"), ints("strides", &[2, 2])],
            ),
            PICTURE,
        ),
        case(
            "conv same lower",
            conv(&[3, 4, 4, 2], vec![text("auto_pad", "SAME_LOWER")]),
            PICTURE,
        ),
        case(
            "conv valid",
            conv(&[3, 4, 4, 2], vec![text("auto_pad", "VALID")]),
            PICTURE,
        ),
    ]
}

fn products() -> Vec<Case> {
    let matrix = || Build::opset(13).input("x", &[3, 5]);
    let gemm = |weights: &[i64], bias: &[i64], attributes: Vec<_>| {
        matrix().random("w", weights).random("b", bias).node(
            "Gemm",
            &["x", "w", "b"],
            "y",
            attributes,
        )
    };
    vec![
        case(
            "matmul",
            matrix()
                .random("w", &[5, 4])
                .node("MatMul", &["x", "w"], "y", vec![]),
            MATRIX,
        ),
        case(
            "matmul constant left",
            matrix()
                .random("w", &[2, 3])
                .node("MatMul", &["w", "x"], "y", vec![]),
            MATRIX,
        ),
        case(
            "matmul of three axes",
            Build::opset(13)
                .input("x", &[2, 3, 5])
                .random("w", &[5, 4])
                .node("MatMul", &["x", "w"], "y", vec![]),
            &[&[2, 3, 5]],
        ),
        case(
            "matmul of stacks",
            Build::opset(13)
                .input("x", &[2, 3, 4, 5])
                .input("z", &[3, 5, 2])
                .node("MatMul", &["x", "z"], "y", vec![]),
            &[&[2, 3, 4, 5], &[3, 5, 2]],
        ),
        case(
            "matmul of a vector",
            matrix()
                .random("w", &[3])
                .node("MatMul", &["w", "x"], "y", vec![]),
            MATRIX,
        ),
        case(
            "matmul of two inputs",
            matrix()
                .input("z", &[5, 2])
                .node("MatMul", &["x", "z"], "y", vec![]),
            &[&[3, 5], &[5, 2]],
        ),
        case("gemm", gemm(&[5, 4], &[4], vec![]), MATRIX),
        case(
            "gemm transB",
            gemm(&[4, 5], &[1, 4], vec![int("transB", 1)]),
            MATRIX,
        ),
        case(
            "gemm transA",
            gemm(&[3, 4], &[5, 1], vec![int("transA", 1)]),
            MATRIX,
        ),
        case(
            "gemm alpha beta",
            gemm(
                &[5, 4],
                &[3, 4],
                vec![float("alpha", 0.5), float("beta", -1.5)],
            ),
            MATRIX,
        ),
        case(
            "gemm scalar bias",
            gemm(&[5, 4], &[1], vec![float("beta", 0.25)]),
            MATRIX,
        ),
        case(
            "gemm beta 0",
            gemm(&[5, 4], &[4], vec![float("beta", 0.0)]),
            MATRIX,
        ),
        case(
            "gemm of two inputs",
            matrix().input("z", &[5, 2]).random("b", &[2]).node(
                "Gemm",
                &["x", "z", "b"],
                "y",
                vec![float("alpha", 0.3)],
            ),
            &[&[3, 5], &[5, 2]],
        ),
    ]
}

fn arithmetic() -> Vec<Case> {
    let with = |operator: &str, shape: &[i64], inputs: &[&str]| {
        Build::opset(13)
            .input("x", &[2, 3, 4])
            .random("c", shape)
            .node(operator, inputs, "y", vec![])
    };
    let two = |operator: &str| {
        Build::opset(13)
            .input("x", &[2, 3, 4])
            .input("z", &[2, 1, 4])
            .node(operator, &["x", "z"], "y", vec![])
    };
    let x: &[&[usize]] = &[&[2, 3, 4]];
    let both: &[&[usize]] = &[&[2, 3, 4], &[2, 1, 4]];
    let divisor = Build::opset(13)
        .input("x", &[2, 3, 4])
        .floats("c", &[4], &[0.5, -2.0, 3.0, 8.0]);
    vec![
        case("add constant", with("Add", &[3, 1], &["x", "c"]), x),
        case("add to constant", with("Add", &[4], &["c", "x"]), x),
        case("add scalar", with("Add", &[], &["x", "c"]), x),
        case("add tensors", two("Add"), both),
        case("sub constant", with("Sub", &[3, 1], &["x", "c"]), x),
        case("sub from constant", with("Sub", &[3, 1], &["c", "x"]), x),
        case("sub tensors", two("Sub"), both),
        case("mul constant", with("Mul", &[4], &["x", "c"]), x),
        case("mul tensors", two("Mul"), both),
        case("mul widened", with("Mul", &[5, 1, 1, 1], &["x", "c"]), x),
        case(
            "div constant",
            divisor.node("Div", &["x", "c"], "y", vec![]),
            x,
        ),
        case("max of tensors", two("Max"), both),
        case("min of tensors", two("Min"), both),
        case("max with constant", with("Max", &[4], &["c", "x"]), x),
        case("sum", with("Sum", &[4], &["x", "c", "x"]), x),
        case("mean", with("Mean", &[4], &["x", "c", "x"]), x),
        case(
            "neg",
            Build::opset(13)
                .input("x", &[2, 3, 4])
                .node("Neg", &["x"], "y", vec![]),
            x,
        ),
    ]
}

fn pools() -> Vec<Case> {
    let pool =
        |operator: &str, attributes: Vec<_>| picture().node(operator, &["x"], "y", attributes);
    let (two, three) = (ints("kernel_shape", &[2, 2]), ints("kernel_shape", &[3, 3]));
    vec![
        case(
            "max pool",
            pool("MaxPool", vec![two.clone(), ints("strides", &[2, 2])]),
            PICTURE,
        ),
        case(
            "max pool overlapping",
            pool("MaxPool", vec![three.clone(), ints("strides", &[2, 1])]),
            PICTURE,
        ),
        case(
            "max pool pads",
            pool("MaxPool", vec![three.clone(), ints("pads", &[1, 2, 1, 0])]),
            PICTURE,
        ),
        case(
            "max pool same",
            pool(
                "MaxPool",
                vec![
                    two.clone(),
                    text("auto_pad", "SAME_UPPER"),
                    ints("strides", &[2, 2]),
                ],
            ),
            PICTURE,
        ),
        case(
            "max pool ceil",
            pool(
                "MaxPool",
                vec![two.clone(), ints("strides", &[2, 2]), int("ceil_mode", 1)],
            ),
            PICTURE,
        ),
        case(
            "average pool",
            pool("AveragePool", vec![two, ints("strides", &[2, 2])]),
            PICTURE,
        ),
        case(
            "average pool pads",
            pool("AveragePool", vec![three.clone(), ints("pads", &[1; 4])]),
            PICTURE,
        ),
        case(
            "average pool counting pads",
            pool(
                "AveragePool",
                vec![three, ints("pads", &[1; 4]), int("count_include_pad", 1)],
            ),
            PICTURE,
        ),
        case(
            "global average pool",
            pool("GlobalAveragePool", vec![]),
            PICTURE,
        ),
    ]
}

fn shapes() -> Vec<Case> {
    let reshape = |shape: &[i64]| {
        picture()
            .ints("s", shape)
            .node("Reshape", &["x", "s"], "y", vec![])
    };
    vec![
        case("reshape", reshape(&[2, 168]), PICTURE),
        case("reshape open", reshape(&[0, -1, 3]), PICTURE),
        case(
            "flatten",
            picture().node("Flatten", &["x"], "y", vec![]),
            PICTURE,
        ),
        case(
            "flatten axis",
            picture().node("Flatten", &["x"], "y", vec![int("axis", -1)]),
            PICTURE,
        ),
        case(
            "transpose",
            picture().node("Transpose", &["x"], "y", vec![ints("perm", &[0, 2, 3, 1])]),
            PICTURE,
        ),
        case(
            "transpose reversed",
            picture().node("Transpose", &["x"], "y", vec![]),
            PICTURE,
        ),
        case(
            "squeeze",
            picture()
                .node("GlobalAveragePool", &["x"], "p", vec![])
                .ints("a", &[2, -1])
                .node("Squeeze", &["p", "a"], "y", vec![]),
            PICTURE,
        ),
        case(
            "unsqueeze",
            picture()
                .ints("a", &[0, -2])
                .node("Unsqueeze", &["x", "a"], "y", vec![]),
            PICTURE,
        ),
        case(
            "concat",
            picture().random("c", &[2, 3, 7, 6]).node(
                "Concat",
                &["x", "c", "x"],
                "y",
                vec![int("axis", 1)],
            ),
            PICTURE,
        ),
        case(
            "identity",
            picture()
                .node("Identity", &["x"], "i", vec![])
                .node("Relu", &["i"], "y", vec![]),
            PICTURE,
        ),
        case(
            "dropout",
            picture()
                .node("Dropout", &["x"], "i", vec![])
                .node("Relu", &["i"], "y", vec![]),
            PICTURE,
        ),
    ]
}

fn reductions() -> Vec<Case> {
    let reduce = |operator: &str, axes: &[i64], keep: i64| {
        let attributes = vec![ints("axes", axes), int("keepdims", keep)];
        picture().node(operator, &["x"], "y", attributes)
    };
    let position = |operator: &str, last: i64| {
        let attributes = vec![int("axis", 1), int("select_last_index", last)];
        Build::opset(13)
            .input("x", &[3, 5])
            .node(operator, &["x"], "y", attributes)
    };
    vec![
        case("reduce mean", reduce("ReduceMean", &[2, 3], 1), PICTURE),
        case(
            "reduce sum",
            picture().ints("a", &[-1, 1]).node(
                "ReduceSum",
                &["x", "a"],
                "y",
                vec![int("keepdims", 0)],
            ),
            PICTURE,
        ),
        case(
            "reduce sum of squares",
            reduce("ReduceSumSquare", &[1], 0),
            PICTURE,
        ),
        case("reduce max", reduce("ReduceMax", &[1, 3], 0), PICTURE),
        case("reduce min", reduce("ReduceMin", &[-2], 1), PICTURE),
        case(
            "global max pool",
            picture().node("GlobalMaxPool", &["x"], "y", vec![]),
            PICTURE,
        ),
        case("argmax", position("ArgMax", 0), MATRIX),
        case("argmin", position("ArgMin", 0), MATRIX),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn constants() -> Vec<Case> {
    vec![
        case(
            "constant node",
            picture()
                .node(
                    "Constant",
                    &[],
                    "c",
                    vec![tensor("value", &[6], &[1., 2., 3., 4., 5., 6.])],
                )
                .node("Add", &["x", "c"], "y", vec![]),
            PICTURE,
        ),
        case(
            "expand",
            Build::opset(13)
                .input("x", &[3, 1])
                .ints("s", &[2, 1, 4])
                .node("Expand", &["x", "s"], "y", vec![]),
            &[&[3, 1]],
        ),
        case(
            "gather",
            picture().ints("i", &[3, 0, 1, -2]).node(
                "Gather",
                &["x", "i"],
                "y",
                vec![int("axis", 1)],
            ),
            PICTURE,
        ),
        case(
            "split",
            picture()
                .ints("parts", &[1, 3])
                .split("Split", &["x", "parts"], &["a", "b"], vec![int("axis", 1)])
                .node("Add", &["a", "b"], "y", vec![]),
            PICTURE,
        ),
        case(
            "shape",
            picture()
                .ints("i", &[0])
                .ints("rest", &[-1])
                .node("Shape", &["x"], "s", vec![])
                .node("Gather", &["s", "i"], "n", vec![])
                .node("Concat", &["n", "rest"], "t", vec![int("axis", 0)])
                .node("Reshape", &["x", "t"], "y", vec![]),
            PICTURE,
        ),
        case(
            "constant of shape",
            picture()
                .ints("s", &[7, 6])
                .node(
                    "ConstantOfShape",
                    &["s"],
                    "c",
                    vec![tensor("value", &[1], &[0.5])],
                )
                .node("Add", &["x", "c"], "y", vec![]),
            PICTURE,
        ),
        case(
            "slice",
            picture()
                .ints("start", &[1, -5])
                .ints("end", &[i64::MAX, -1])
                .ints("axis", &[1, 2])
                .node("Slice", &["x", "start", "end", "axis"], "y", vec![]),
            PICTURE,
        ),
        case(
            "slice steps",
            picture()
                .ints("start", &[0, 1, 0])
                .ints("end", &[9, 9, 9])
                .ints("axis", &[2, 3, 1])
                .ints("step", &[2, 2, 9])
                .node("Slice", &["x", "start", "end", "axis", "step"], "y", vec![]),
            PICTURE,
        ),
        case(
            "pad",
            picture()
                .ints("pads", &[0, 1, 2, 0, 0, 1, 0, 3])
                .floats("value", &[], &[0.5])
                .node("Pad", &["x", "pads", "value"], "y", vec![]),
            PICTURE,
        ),
        case(
            "folded weights",
            Build::opset(13)
                .input("x", &[3, 5])
                .random("w", &[2, 2, 5])
                .ints("s", &[4, 5])
                .node("Reshape", &["w", "s"], "r", vec![])
                .node("Transpose", &["r"], "t", vec![])
                .node("Identity", &["t"], "i", vec![])
                .node("MatMul", &["x", "i"], "y", vec![]),
            MATRIX,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list")]
fn functions() -> Vec<Case> {
    let function =
        |operator: &str, attributes: Vec<_>| picture().node(operator, &["x"], "y", attributes);
    let power = |exponent: f32| {
        picture()
            .floats("e", &[], &[exponent])
            .node("Pow", &["x", "e"], "y", vec![])
    };
    // Of numbers from 1 to 2, and a constant.
    let positive = |operator: &str, constant: &[f32]| {
        let inputs: &[&str] = match operator {
            "Div" => &["c", "p"],
            "Pow" => &["p", "c"],
            _ => &["p"],
        };
        let build = picture()
            .floats("middle", &[], &[1.5])
            .floats("half", &[], &[0.5]);
        let build = match constant {
            [] => build,
            constant => build.floats("c", &[], constant),
        };
        build
            .node("Mul", &["x", "half"], "h", vec![])
            .node("Add", &["h", "middle"], "p", vec![])
            .node(operator, inputs, "y", vec![])
    };
    vec![
        case("relu", function("Relu", vec![]), PICTURE),
        case("cast", function("Cast", vec![int("to", 1)]), PICTURE),
        case(
            "gelu",
            Build::opset(20).input("x", &[2, 4, 7, 6]).node(
                "Gelu",
                &["x"],
                "y",
                vec![text("approximate", "tanh")],
            ),
            PICTURE,
        ),
        case(
            "lrn",
            function(
                "LRN",
                vec![int("size", 3), float("alpha", 0.5), float("bias", 2.0)],
            ),
            PICTURE,
        ),
        case("pow", power(3.0), PICTURE),
        case("pow of a root", positive("Pow", &[1.5]), PICTURE),
        case("sqrt", positive("Sqrt", &[]), PICTURE),
        case("reciprocal", positive("Reciprocal", &[]), PICTURE),
        case("div by a tensor", positive("Div", &[-0.5]), PICTURE),
        case("abs", function("Abs", vec![]), PICTURE),
        case("elu", function("Elu", vec![float("alpha", 1.5)]), PICTURE),
        case(
            "leaky relu",
            function("LeakyRelu", vec![float("alpha", 0.2)]),
            PICTURE,
        ),
        case(
            "prelu",
            picture()
                .random("slope", &[4, 1, 1])
                .node("PRelu", &["x", "slope"], "y", vec![]),
            PICTURE,
        ),
        case(
            "clip",
            picture()
                .floats("low", &[], &[-0.25])
                .floats("high", &[], &[0.5])
                .node("Clip", &["x", "low", "high"], "y", vec![]),
            PICTURE,
        ),
        case(
            "clip above",
            picture()
                .floats("high", &[], &[0.5])
                .node("Clip", &["x", "", "high"], "y", vec![]),
            PICTURE,
        ),
        case(
            "hard sigmoid",
            function(
                "HardSigmoid",
                vec![float("alpha", 0.75), float("beta", 0.4)],
            ),
            PICTURE,
        ),
        case(
            "hard swish",
            Build::opset(14)
                .input("x", &[2, 4, 7, 6])
                .node("HardSwish", &["x"], "y", vec![]),
            PICTURE,
        ),
        case("sigmoid", function("Sigmoid", vec![]), PICTURE),
        case("tanh", function("Tanh", vec![]), PICTURE),
        case("softmax", function("Softmax", vec![]), PICTURE),
        case(
            "softmax axis",
            function("Softmax", vec![int("axis", 1)]),
            PICTURE,
        ),
        case(
            "batch normalization",
            picture()
                .random("gamma", &[4])
                .random("beta", &[4])
                .random("mean", &[4])
                .floats("variance", &[4], &[0.5, 1.0, 2.0, 0.1])
                .node(
                    "BatchNormalization",
                    &["x", "gamma", "beta", "mean", "variance"],
                    "y",
                    vec![float("epsilon", 1e-3)],
                ),
            PICTURE,
        ),
    ]
}

fn networks() -> Vec<Case> {
    let normalised = |conv: Vec<_>| {
        picture()
            .random("w", &[6, 2, 3, 3])
            .random("gamma", &[6])
            .random("beta", &[6])
            .random("mean", &[6])
            .floats("variance", &[6], &[0.5, 1.0, 2.0, 0.1, 0.7, 3.0])
            .node("Conv", &["x", "w"], "c", conv)
            .node(
                "BatchNormalization",
                &["c", "gamma", "beta", "mean", "variance"],
                "n",
                vec![],
            )
            .node("Relu", &["n"], "y", vec![])
    };
    vec![
        case(
            "convolution, normalisation, relu",
            normalised(vec![int("group", 2)]),
            PICTURE,
        ),
        case(
            "residual",
            picture()
                .random("w", &[4, 4, 3, 3])
                .node("Conv", &["x", "w"], "c", vec![ints("pads", &[1; 4])])
                .node("Relu", &["c"], "r", vec![])
                .node("Add", &["r", "x"], "a", vec![])
                .node("Relu", &["a"], "y", vec![]),
            PICTURE,
        ),
        case(
            "digits",
            Build::opset(13)
                .input("x", &[0, 1, 9, 9])
                .random("w", &[3, 1, 4, 4])
                .random("b", &[3, 1, 1])
                .random("d", &[27, 5])
                .random("e", &[5])
                .ints("s", &[-1, 27])
                .node("Conv", &["x", "w"], "c", vec![])
                .node("Add", &["c", "b"], "p", vec![])
                .node("Relu", &["p"], "r", vec![])
                .node(
                    "MaxPool",
                    &["r"],
                    "m",
                    vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
                )
                .node("Reshape", &["m", "s"], "f", vec![])
                .node("MatMul", &["f", "d"], "l", vec![])
                .node("Add", &["l", "e"], "o", vec![])
                .node("Softmax", &["o"], "y", vec![]),
            &[&[1, 1, 9, 9]],
        ),
    ]
}
