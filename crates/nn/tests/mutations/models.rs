//! Small models that use most operators.

use crate::build::{Build, float, int, ints, tensor, text};
use tract_onnx::pb::ModelProto;

/// The models, each of one input and one output.
pub(crate) fn all() -> Vec<ModelProto> {
    [
        convolutions(),
        elements(),
        shapes(),
        reductions(),
        sequence(),
        old(),
    ]
    .into_iter()
    .map(|model| model.proto)
    .collect()
}

fn convolutions() -> Build {
    Build::opset(18)
        .input("x", &[0, 2, 9, 9])
        .random("w", &[4, 2, 3, 3])
        .random("b", &[4])
        .random("depth", &[4, 1, 3, 3])
        .floats("one", &[4], &[1.0, 0.5, 2.0, 1.5])
        .random("mean", &[4])
        .ints("flat", &[0, -1])
        .random("d", &[3, 8])
        .random("e", &[3])
        .node(
            "Conv",
            &["x", "w", "b"],
            "c",
            vec![ints("pads", &[1; 4]), ints("strides", &[2, 2])],
        )
        .node(
            "BatchNormalization",
            &["c", "one", "mean", "mean", "one"],
            "n",
            vec![],
        )
        .node("Relu", &["n"], "r", vec![])
        .node(
            "Conv",
            &["r", "depth"],
            "h",
            vec![
                int("group", 4),
                ints("dilations", &[2, 2]),
                text("auto_pad", "SAME_UPPER"),
            ],
        )
        .node("HardSwish", &["h"], "s", vec![])
        .node(
            "MaxPool",
            &["s"],
            "m",
            vec![
                ints("kernel_shape", &[3, 3]),
                ints("strides", &[2, 2]),
                int("ceil_mode", 1),
            ],
        )
        .node(
            "AveragePool",
            &["m"],
            "a",
            vec![ints("kernel_shape", &[2, 1])],
        )
        .node("GlobalAveragePool", &["s"], "g", vec![])
        .node("GlobalMaxPool", &["s"], "q", vec![])
        .node("Concat", &["g", "q"], "k", vec![int("axis", 1)])
        .node("Add", &["a", "q"], "unused", vec![])
        .node("Reshape", &["k", "flat"], "f", vec![])
        .node(
            "Gemm",
            &["f", "d", "e"],
            "z",
            vec![int("transB", 1), float("alpha", 0.5)],
        )
        .node("Softmax", &["z"], "y", vec![int("axis", -1)])
        .output("y")
}

fn elements() -> Build {
    Build::opset(13)
        .input("x", &[2, 3, 4])
        .random("c", &[3, 1])
        .floats("two", &[], &[2.0])
        .floats("low", &[], &[-1.0])
        .floats("high", &[], &[6.0])
        .random("slope", &[4])
        .node("Mul", &["x", "c"], "a", vec![])
        .node("Sub", &["a", "two"], "b", vec![])
        .node("Div", &["b", "two"], "d", vec![])
        .node("Pow", &["d", "two"], "e", vec![])
        .node("Clip", &["e", "low", "high"], "f", vec![])
        .node("LeakyRelu", &["f"], "g", vec![float("alpha", 0.1)])
        .node("PRelu", &["g", "slope"], "h", vec![])
        .node("Elu", &["h"], "i", vec![])
        .node("Sigmoid", &["i"], "j", vec![])
        .node("Tanh", &["j"], "k", vec![])
        .node("HardSigmoid", &["k"], "l", vec![])
        .node("Abs", &["l"], "m", vec![])
        .node("Sqrt", &["m"], "n", vec![])
        .node("Neg", &["n"], "o", vec![])
        .node("Max", &["o", "a", "x"], "p", vec![])
        .node("Min", &["p", "x"], "q", vec![])
        .node("Sum", &["q", "a"], "r", vec![])
        .node("Mean", &["r", "x"], "y", vec![])
        .output("y")
}

fn shapes() -> Build {
    let split = Build::opset(13)
        .input("x", &[1, 2, 3, 4])
        .ints("starts", &[0, 1])
        .ints("ends", &[2, 100])
        .ints("axes", &[2, 3])
        .ints("index", &[1, 0])
        .ints("one", &[1])
        .ints("pads", &[0, 0, 1, 0, 0, 1, 0, 1])
        .ints("to", &[2, 2, 4, 2])
        .ints("halves", &[1, 2])
        .node("Slice", &["x", "starts", "ends", "axes"], "s", vec![])
        .node("Gather", &["s", "index"], "g", vec![int("axis", 2)])
        .node("Pad", &["g", "pads"], "p", vec![])
        .node("Transpose", &["p"], "t", vec![ints("perm", &[0, 3, 2, 1])])
        .split("Split", &["t", "halves"], &["u", "v"], vec![int("axis", 3)]);
    split
        .node("Concat", &["u", "v"], "k", vec![int("axis", 3)])
        .node("Shape", &["k"], "shape", vec![])
        .node("Gather", &["shape", "one"], "size", vec![])
        .node(
            "Concat",
            &["one", "size", "m1"],
            "target",
            vec![int("axis", 0)],
        )
        .node("Constant", &[], "m1f", vec![tensor("value", &[1], &[-1.0])])
        .node("Cast", &["m1f"], "m1", vec![int("to", 7)])
        .node("Reshape", &["k", "target"], "r", vec![])
        .node("Unsqueeze", &["r", "one"], "w", vec![])
        .node("Squeeze", &["w", "one"], "q", vec![])
        .node("ConstantOfShape", &["size"], "zeros", vec![])
        .ints("count", &[2, 3])
        .node("ConstantOfShape", &["count"], "fill", vec![])
        .node("Expand", &["fill", "count"], "filled", vec![])
        .node("Identity", &["q"], "i", vec![])
        .node("Dropout", &["i"], "y", vec![])
        .output("y")
}

fn reductions() -> Build {
    Build::opset(18)
        .input("x", &[2, 3, 4])
        .ints("last", &[-1])
        .ints("middle", &[1])
        .ints("wide", &[2, 3, 4])
        .node("ReduceMean", &["x", "last"], "a", vec![])
        .node("ReduceMax", &["x", "last"], "b", vec![])
        .node("ReduceMin", &["x", "last"], "c", vec![])
        .node("ReduceSum", &["x", "last"], "d", vec![])
        .node("ReduceSumSquare", &["x", "last"], "e", vec![])
        .node("Add", &["a", "b"], "f", vec![])
        .node("Mul", &["c", "d"], "g", vec![])
        .node("Add", &["f", "g"], "h", vec![])
        .node("Add", &["h", "e"], "i", vec![])
        .node("Expand", &["i", "wide"], "j", vec![])
        .node(
            "ReduceMean",
            &["j", "middle"],
            "y",
            vec![int("keepdims", 0)],
        )
        .output("y")
}

fn sequence() -> Build {
    Build::opset(17)
        .input("x", &[1, 4, 6])
        .random("q", &[6, 6])
        .random("v", &[6, 6])
        .node("MatMul", &["x", "q"], "a", vec![])
        .node("Transpose", &["a"], "b", vec![ints("perm", &[0, 2, 1])])
        .node("MatMul", &["x", "b"], "c", vec![])
        .node("Softmax", &["c"], "d", vec![int("axis", 2)])
        .node("MatMul", &["x", "v"], "e", vec![])
        .node("MatMul", &["d", "e"], "f", vec![])
        .node("Add", &["f", "x"], "y", vec![])
        .output("y")
}

/// Attributes where later operator sets have inputs.
fn old() -> Build {
    Build::opset(9)
        .input("x", &[1, 3, 6, 6])
        .random("w", &[2, 3, 1, 1])
        .random("d", &[8, 2])
        .node("LRN", &["x"], "l", vec![int("size", 3)])
        .node("Conv", &["l", "w"], "c", vec![])
        .node(
            "Clip",
            &["c"],
            "r",
            vec![float("min", 0.0), float("max", 6.0)],
        )
        .node(
            "Slice",
            &["r"],
            "s",
            vec![
                ints("starts", &[1, 1]),
                ints("ends", &[5, 5]),
                ints("axes", &[2, 3]),
            ],
        )
        .node(
            "Pad",
            &["s"],
            "p",
            vec![ints("pads", &[0, 0, 0, 0, 0, 0, 0, 0])],
        )
        .node(
            "AveragePool",
            &["p"],
            "a",
            vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
        )
        .node("Flatten", &["a"], "f", vec![])
        .node("MatMul", &["f", "d"], "y", vec![])
        .output("y")
}
