//! Small networks.

use super::{Case, PICTURE, case, picture};
use crate::build::{Build, int, ints};

pub(super) fn networks() -> Vec<Case> {
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
