//! Arithmetic and functions of elements.

use super::{Case, PICTURE, case, picture};
use crate::build::{Build, float, int, text};

pub(super) fn arithmetic() -> Vec<Case> {
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

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn functions() -> Vec<Case> {
    let function =
        |operator: &str, attributes: Vec<_>| picture().node(operator, &["x"], "y", attributes);
    let opset = |version: i64, operator: &str| {
        Build::opset(version)
            .input("x", &[2, 4, 7, 6])
            .node(operator, &["x"], "y", vec![])
    };
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
        // The reference takes no other alpha; ONNX's own test of Celu does.
        case("celu", function("Celu", vec![]), PICTURE),
        case("mish", opset(18, "Mish"), PICTURE),
        case("selu", function("Selu", vec![]), PICTURE),
        case("softplus", function("Softplus", vec![]), PICTURE),
        case("softsign", function("Softsign", vec![]), PICTURE),
        case(
            "layer normalization",
            Build::opset(17)
                .input("x", &[2, 4, 7, 6])
                .random("scale", &[7, 6])
                .random("bias", &[7, 6])
                .node(
                    "LayerNormalization",
                    &["x", "scale", "bias"],
                    "y",
                    vec![int("axis", 2)],
                ),
            PICTURE,
        ),
        case(
            "instance normalization",
            picture().random("scale", &[4]).random("bias", &[4]).node(
                "InstanceNormalization",
                &["x", "scale", "bias"],
                "y",
                vec![],
            ),
            PICTURE,
        ),
        case("erf", function("Erf", vec![]), PICTURE),
        case("exp", function("Exp", vec![]), PICTURE),
        case("log", positive("Log", &[]), PICTURE),
        case(
            "log softmax",
            function("LogSoftmax", vec![int("axis", 1)]),
            PICTURE,
        ),
        case(
            "exact gelu",
            Build::opset(20)
                .input("x", &[2, 4, 7, 6])
                .node("Gelu", &["x"], "y", vec![]),
            PICTURE,
        ),
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
