//! Convolutions and products.

use super::{Case, MATRIX, PICTURE, ROWS, case, picture, rows};
use crate::build::{Build, float, int, ints, text};

pub(super) fn convolutions() -> Vec<Case> {
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
            "conv of rows",
            rows().random("w", &[3, 4, 3]).random("b", &[3]).node(
                "Conv",
                &["x", "w", "b"],
                "y",
                vec![ints("strides", &[2]), ints("pads", &[1, 2])],
            ),
            ROWS,
        ),
        case(
            "conv of rows, depthwise",
            rows().random("w", &[4, 1, 2]).node(
                "Conv",
                &["x", "w"],
                "y",
                vec![
                    int("group", 4),
                    ints("dilations", &[3]),
                    text("auto_pad", "SAME_UPPER"),
                ],
            ),
            ROWS,
        ),
        case(
            "conv valid",
            conv(&[3, 4, 4, 2], vec![text("auto_pad", "VALID")]),
            PICTURE,
        ),
    ]
}

pub(super) fn products() -> Vec<Case> {
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
