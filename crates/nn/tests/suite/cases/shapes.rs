//! Pools, shapes, reductions and constants.

use super::{Case, MATRIX, PICTURE, ROWS, case, picture, rows};
use crate::build::{Build, int, integer_tensor, ints, tensor, text};

pub(super) fn pools() -> Vec<Case> {
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
            "max pool of rows",
            rows().node(
                "MaxPool",
                &["x"],
                "y",
                vec![
                    ints("kernel_shape", &[3]),
                    ints("strides", &[2]),
                    ints("pads", &[1, 0]),
                ],
            ),
            ROWS,
        ),
        case(
            "average pool of rows",
            rows().node(
                "AveragePool",
                &["x"],
                "y",
                vec![ints("kernel_shape", &[3]), ints("pads", &[1, 1])],
            ),
            ROWS,
        ),
        case(
            "global average pool of rows",
            rows().node("GlobalAveragePool", &["x"], "y", vec![]),
            ROWS,
        ),
        case(
            "global average pool",
            pool("GlobalAveragePool", vec![]),
            PICTURE,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub(super) fn shapes() -> Vec<Case> {
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
            "depth to space",
            picture().node("DepthToSpace", &["x"], "y", vec![int("blocksize", 2)]),
            PICTURE,
        ),
        case(
            "depth to space by columns",
            picture().node(
                "DepthToSpace",
                &["x"],
                "y",
                vec![int("blocksize", 2), text("mode", "CRD")],
            ),
            PICTURE,
        ),
        case(
            "space to depth",
            Build::opset(13).input("x", &[2, 3, 4, 6]).node(
                "SpaceToDepth",
                &["x"],
                "y",
                vec![int("blocksize", 2)],
            ),
            &[&[2, 3, 4, 6]],
        ),
        case(
            "tile",
            Build::opset(13)
                .input("x", &[2, 3, 4])
                .ints("n", &[1, 2, 3])
                .node("Tile", &["x", "n"], "y", vec![]),
            &[&[2, 3, 4]],
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

pub(super) fn reductions() -> Vec<Case> {
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
        case("reduce l1", reduce("ReduceL1", &[1, 2], 1), PICTURE),
        case("reduce l2", reduce("ReduceL2", &[1], 0), PICTURE),
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
pub(super) fn constants() -> Vec<Case> {
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
            // As PyTorch exports x.expand(2, 3, 4): sizes of -1 stand for 1.
            "expand where",
            Build::opset(13)
                .input("x", &[3, 1])
                .ints("n", &[3])
                .ints("minus", &[-1])
                .ints("s", &[2, -1, 4])
                .split(
                    "ConstantOfShape",
                    &["n"],
                    &["ones"],
                    vec![integer_tensor("value", 1)],
                )
                .node("Mul", &["ones", "minus"], "open", vec![])
                .node("Equal", &["s", "open"], "e", vec![])
                .node("Where", &["e", "ones", "s"], "t", vec![])
                .node("Expand", &["x", "t"], "y", vec![]),
            &[&[3, 1]],
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
