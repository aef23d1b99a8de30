//! Comparisons, truth values, choices, and places of elements.

use super::{Case, PICTURE, case, picture};
use crate::build::{Build, float, int, ints, text};

/// Two tensors, of which the second is repeated.
const BOTH: &[&[usize]] = &[&[2, 3, 4], &[2, 1, 4]];
const ONE: &[&[usize]] = &[&[2, 3, 4]];

fn two() -> Build {
    Build::opset(16)
        .input("x", &[2, 3, 4])
        .input("z", &[2, 1, 4])
}

/// The truth values of `b` as numbers.
fn numbers(model: Build) -> Build {
    model.node("Cast", &["b"], "y", vec![int("to", 1)])
}

pub(super) fn comparisons() -> Vec<Case> {
    let compared = |operator: &str| numbers(two().node(operator, &["x", "z"], "b", vec![]));
    let bits = || {
        two()
            .floats("zero", &[], &[0.0])
            .node("Less", &["x", "z"], "p", vec![])
            .node("Greater", &["x", "zero"], "q", vec![])
    };
    let joined = |operator: &str| numbers(bits().node(operator, &["p", "q"], "b", vec![]));
    // Whole numbers, some of them equal: the positions of maxima.
    let places = two()
        .node("ArgMax", &["x"], "i", vec![int("axis", 2)])
        .node("ArgMax", &["z"], "j", vec![int("axis", 2)]);
    vec![
        case("less", compared("Less"), BOTH),
        case("less or equal", compared("LessOrEqual"), BOTH),
        case("greater", compared("Greater"), BOTH),
        case("greater or equal", compared("GreaterOrEqual"), BOTH),
        case(
            "less of integers",
            numbers(places.clone().node("Less", &["i", "j"], "b", vec![])),
            BOTH,
        ),
        case(
            "equal integers",
            numbers(places.node("Equal", &["i", "j"], "b", vec![])),
            BOTH,
        ),
        case("and", joined("And"), BOTH),
        case("or", joined("Or"), BOTH),
        case("xor", joined("Xor"), BOTH),
        case("equal truth values", joined("Equal"), BOTH),
        case(
            "not",
            numbers(bits().node("Not", &["p"], "b", vec![])),
            BOTH,
        ),
        case(
            "truth values moved",
            numbers(
                bits()
                    .node("Transpose", &["p"], "t", vec![ints("perm", &[0, 2, 1])])
                    .node("Transpose", &["q"], "u", vec![ints("perm", &[0, 2, 1])])
                    .node("Concat", &["t", "u"], "v", vec![int("axis", 1)])
                    .ints("from", &[1])
                    .ints("to", &[7])
                    .ints("axis", &[1])
                    .node("Slice", &["v", "from", "to", "axis"], "b", vec![]),
            ),
            BOTH,
        ),
        case(
            "never nan",
            numbers(two().node("IsNaN", &["x"], "b", vec![])),
            BOTH,
        ),
        case(
            "never infinite",
            numbers(two().node("IsInf", &["x"], "b", vec![])),
            BOTH,
        ),
        case(
            "sign",
            Build::opset(13)
                .input("x", &[2, 3, 4])
                .node("Sign", &["x"], "y", vec![]),
            ONE,
        ),
        case(
            "where of tensors",
            bits().node("Where", &["p", "x", "z"], "y", vec![]),
            BOTH,
        ),
        case(
            "where of a tensor and a number",
            bits()
                .floats("big", &[], &[-1000.0])
                .node("Where", &["q", "x", "big"], "y", vec![]),
            BOTH,
        ),
        case(
            "where by a stored condition",
            bits()
                .ints("mask", &[1, 0, 0, 1])
                .node("Cast", &["mask"], "m", vec![int("to", 9)])
                .node("Where", &["m", "x", "z"], "y", vec![]),
            BOTH,
        ),
        case(
            "and a stored condition",
            numbers(
                bits()
                    .ints("mask", &[1, 0, 0, 1])
                    .node("Cast", &["mask"], "m", vec![int("to", 9)])
                    .node("And", &["m", "p"], "b", vec![]),
            ),
            BOTH,
        ),
    ]
}

pub(super) fn places() -> Vec<Case> {
    let padded = |mode: &str, pads: &[i64]| {
        picture()
            .ints("p", pads)
            .node("Pad", &["x", "p"], "y", vec![text("mode", mode)])
    };
    let resized = |scales: &[f32], attributes: Vec<_>| {
        picture()
            .floats("s", &[4], scales)
            .node("Resize", &["x", "", "s"], "y", attributes)
    };
    vec![
        case(
            "pad reflect",
            padded("reflect", &[0, 0, 1, 2, 0, 0, 2, 0]),
            PICTURE,
        ),
        case(
            "pad edge",
            padded("edge", &[0, 0, 3, 0, 0, 0, 1, 2]),
            PICTURE,
        ),
        case(
            "resize nearest",
            resized(
                &[1.0, 1.0, 2.0, 3.0],
                vec![
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                    text("mode", "nearest"),
                ],
            ),
            PICTURE,
        ),
        case(
            "dequantised",
            Build::opset(13)
                .input("x", &[2, 3, 4])
                .ints("q", &[-3, 1, 0, 7])
                .floats("s", &[], &[0.25])
                .node("DequantizeLinear", &["q", "s"], "d", vec![])
                .node("Add", &["x", "d"], "y", vec![]),
            ONE,
        ),
        case(
            "gathered elements",
            Build::opset(13)
                .input("x", &[2, 3, 4])
                .ints("i", &[1, 0, 3, 2, 2, 2])
                .ints("s", &[2, 3, 1])
                .node("Reshape", &["i", "s"], "at", vec![])
                .node("GatherElements", &["x", "at"], "y", vec![int("axis", 2)]),
            ONE,
        ),
        case(
            "gathered at a secret place",
            two()
                .random("table", &[4, 3])
                .node(
                    "ArgMax",
                    &["x"],
                    "i",
                    vec![int("axis", 2), int("keepdims", 0)],
                )
                .node("Gather", &["table", "i"], "y", vec![]),
            BOTH,
        ),
        case(
            "gathered elements at secret places",
            two()
                .node("ArgMax", &["x"], "i", vec![int("axis", 2)])
                .node("GatherElements", &["x", "i"], "y", vec![int("axis", 2)]),
            BOTH,
        ),
        case(
            "cast like",
            Build::opset(15)
                .input("x", &[2, 3, 4])
                .floats("f", &[1], &[1.0])
                .floats("zero", &[], &[0.0])
                .node("Less", &["x", "zero"], "b", vec![])
                .node("CastLike", &["b", "f"], "c", vec![])
                .node("LeakyRelu", &["c"], "y", vec![float("alpha", 0.5)]),
            ONE,
        ),
    ]
}
