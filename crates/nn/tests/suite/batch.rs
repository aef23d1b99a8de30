//! Batches of models that were exported for one picture.

use crate::build::{Build, clear, distance, int, random};
use ndarray::{Axis, Slice};

/// As mnist-8: a fixed batch of 1, named again in a Reshape.
fn fixed() -> Build {
    Build::opset(8)
        .input("x", &[1, 2, 3])
        .ints("s", &[1, 6])
        .random("w", &[6, 4])
        .random("b", &[1, 4])
        .node("Reshape", &["x", "s"], "f", vec![])
        .node("MatMul", &["f", "w"], "m", vec![])
        .node("Add", &["m", "b"], "y", vec![])
        .output("y")
}

#[test]
fn a_fixed_batch_is_widened() {
    let x = random(&[5, 2, 3], 2);
    let (plan, weights) = fixed().compile(Some(5)).unwrap();
    let all = clear(&plan, &weights, std::slice::from_ref(&x));
    assert_eq!(all.shape(), [5, 4]);
    assert_eq!(plan.mixes_samples(), None);
    for i in 0..5 {
        let one = fixed().clear(&[x.slice_axis(Axis(0), Slice::from(i..=i)).to_owned()]);
        let row = all.slice_axis(Axis(0), Slice::from(i..=i)).to_owned();
        assert!(distance(&one, &row) < 1e-12);
    }
}

#[test]
fn an_open_reshape_does_not_swallow_the_batch() {
    let model = Build::opset(8)
        .input("x", &[1, 2, 3])
        .ints("s", &[1, -1])
        .node("Reshape", &["x", "s"], "y", vec![])
        .output("y");
    let (plan, _) = model.compile(Some(4)).unwrap();
    assert_eq!(plan.shape(plan.outputs[0].value), [4, 6]);
}

#[test]
fn models_that_mix_pictures_run_at_their_own_batch_only() {
    let mixing = [
        Build::opset(13)
            .input("x", &[1, 6])
            .node("Softmax", &["x"], "y", vec![int("axis", 0)]),
        Build::opset(13)
            .input("x", &[1, 6])
            .node("Transpose", &["x"], "y", vec![]),
        Build::opset(13).input("x", &[1, 6]).ints("s", &[6]).node(
            "Reshape",
            &["x", "s"],
            "y",
            vec![],
        ),
        Build::opset(13)
            .input("x", &[1, 6])
            .node("Concat", &["x", "x"], "y", vec![int("axis", 0)]),
        Build::opset(13)
            .input("x", &[1, 6])
            .random("w", &[3, 1])
            .node("MatMul", &["w", "x"], "y", vec![]),
        Build::opset(13)
            .input("x", &[1, 6])
            .random("w", &[3, 1])
            .node("Add", &["x", "w"], "y", vec![]),
    ];
    for model in mixing {
        let model = model.output("y");
        let (plan, _) = model.compile(None).unwrap();
        assert!(plan.mixes_samples().is_some());
        assert!(model.compile(Some(1)).is_ok());
        let error = model.compile(Some(3)).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.contains("node `y`") && error.contains("test.onnx"),
            "{error}"
        );
    }
}

#[test]
fn a_free_batch_takes_any_size() {
    let model = Build::opset(13)
        .input("x", &[0, 6])
        .node("Relu", &["x"], "y", vec![])
        .output("y");
    for (batch, expected) in [(None, 1), (Some(1), 1), (Some(64), 64)] {
        let (plan, _) = model.compile(batch).unwrap();
        assert_eq!(plan.shape(plan.inputs[0].value), [expected, 6]);
        assert_eq!(plan.batch, expected);
    }
}

#[test]
fn other_free_dimensions_are_refused() {
    let model = Build::opset(13)
        .input("x", &[1, 3, 0, 0])
        .node("Relu", &["x"], "y", vec![])
        .output("y");
    let error = model.refusal();
    assert!(
        error.contains("input `x`") && error.contains("dimension 2"),
        "{error}"
    );
}
