//! What each pass makes of a model. That results stay the same, the operator cases show.

use crate::build::{Build, clear, distance, int, ints, layers, random};

fn pool() -> Vec<tract_onnx::pb::AttributeProto> {
    vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])]
}

fn picture() -> Build {
    Build::opset(13)
        .input("x", &[1, 2, 6, 6])
        .random("w", &[4, 2, 3, 3])
}

fn plan_of(model: &Build) -> (Vec<&'static str>, usize) {
    let (plan, weights) = model.compile(None).unwrap();
    assert_eq!(plan.weights.len(), weights.len());
    (layers(&plan), weights.len())
}

#[test]
fn normalisation_and_bias_fold_into_the_convolution() {
    let model = picture()
        .random("b", &[4, 1, 1])
        .random("g", &[4])
        .floats("v", &[4], &[1.0, 2.0, 3.0, 4.0])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Add", &["c", "b"], "p", vec![])
        .node(
            "BatchNormalization",
            &["p", "g", "g", "g", "v"],
            "y",
            vec![],
        )
        .output("y");
    assert_eq!(plan_of(&model), (vec!["Conv"], 2));
}

#[test]
fn scale_and_shift_fold_into_products() {
    let model = Build::opset(13)
        .input("x", &[3, 5])
        .random("w", &[5, 4])
        .random("s", &[4])
        .random("t", &[1, 4])
        .node("MatMul", &["x", "w"], "m", vec![])
        .node("Mul", &["m", "s"], "n", vec![])
        .node("Sub", &["n", "t"], "y", vec![])
        .output("y");
    assert_eq!(plan_of(&model), (vec!["MatMul"], 2));
    let x = random(&[3, 5], 9);
    let (plan, weights) = model.compile(None).unwrap();
    let (w, s, t) = (random(&[5, 4], 2), random(&[4], 3), random(&[1, 4], 4));
    let matrix = |a: ndarray::ArrayD<f64>| a.into_dimensionality::<ndarray::Ix2>().unwrap();
    let expected = matrix(x.clone()).dot(&matrix(w)).into_dyn() * s - t;
    assert!(distance(&clear(&plan, &weights, &[x]), &expected) < 1e-6);
}

#[test]
fn a_normalised_input_folds_into_the_first_convolution() {
    let with_pads = |pads: i64| {
        Build::opset(13)
            .input("x", &[1, 2, 6, 6])
            .random("w", &[4, 1, 3, 3])
            .random("mean", &[1, 2, 1, 1])
            .floats("std", &[1, 2, 1, 1], &[0.25, 0.5])
            .node("Sub", &["x", "mean"], "a", vec![])
            .node("Div", &["a", "std"], "b", vec![])
            .node(
                "Conv",
                &["b", "w"],
                "y",
                vec![int("group", 2), ints("pads", &[pads; 4])],
            )
            .output("y")
    };
    assert_eq!(plan_of(&with_pads(0)), (vec!["Conv"], 2));
    // Padding is zero after the shift, so the shift stays.
    assert_eq!(plan_of(&with_pads(1)), (vec!["Add", "Conv"], 2));
    for pads in [0, 1] {
        let model = with_pads(pads);
        let x = random(&[1, 2, 6, 6], 3);
        let (mean, w) = (random(&[1, 2, 1, 1], 3), random(&[4, 1, 3, 3], 2));
        let std = crate::build::array(&[1, 2, 1, 1], &[0.25, 0.5]);
        let attributes = vec![int("group", 2), ints("pads", &[pads; 4])];
        let plain = Build::opset(13)
            .input("x", &[1, 2, 6, 6])
            .floats(
                "w",
                &[4, 1, 3, 3],
                &w.iter().map(|&v| v as f32).collect::<Vec<_>>(),
            )
            .node("Conv", &["x", "w"], "y", attributes)
            .output("y");
        let expected = plain.clear(&[(&x - &mean) / &std]);
        assert!(
            distance(&model.clear(&[x]), &expected) < 1e-6,
            "pads {pads}"
        );
    }
}

#[test]
fn values_that_are_used_twice_are_not_folded() {
    let model = picture()
        .random("b", &[4, 1, 1])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Add", &["c", "b"], "p", vec![])
        .node("Add", &["c", "p"], "y", vec![])
        .output("y");
    assert_eq!(plan_of(&model), (vec!["Conv", "Add", "Add"], 2));
    let also_output = picture()
        .random("b", &[4, 1, 1])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Add", &["c", "b"], "y", vec![])
        .output("y")
        .output("c");
    assert_eq!(plan_of(&also_output), (vec!["Conv", "Add"], 2));
}

#[test]
fn pools_come_before_activations() {
    let model = picture()
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Relu", &["c"], "r", vec![])
        .node("MaxPool", &["r"], "m", pool())
        .node("Flatten", &["m"], "y", vec![])
        .output("y");
    assert_eq!(plan_of(&model).0, ["Conv", "MaxPool", "Relu", "Reshape"]);
    let average = picture()
        .node("Relu", &["x"], "r", vec![])
        .node("AveragePool", &["r"], "y", pool())
        .output("y");
    assert_eq!(plan_of(&average).0, ["Relu", "AveragePool"]);
    let shared = picture()
        .node("Relu", &["x"], "r", vec![])
        .node("MaxPool", &["r"], "y", pool())
        .output("y")
        .output("r");
    assert_eq!(plan_of(&shared).0, ["Relu", "MaxPool"]);
    let x = random(&[1, 2, 6, 6], 4);
    let relu_first = x.mapv(|v| v.max(0.0));
    let swapped = picture()
        .node("Relu", &["x"], "r", vec![])
        .node("MaxPool", &["r"], "y", pool())
        .output("y");
    let only_pool = picture().node("MaxPool", &["x"], "y", pool()).output("y");
    assert_eq!(swapped.clear(&[x]), only_pool.clear(&[relu_first]));
}

#[test]
fn unused_and_idle_nodes_are_dropped() {
    let model = picture()
        .random("unused", &[9])
        .node("Conv", &["x", "w"], "dead", vec![])
        .node("Identity", &["x"], "i", vec![])
        .node("Dropout", &["i"], "d", vec![])
        .node("Relu", &["d"], "y", vec![])
        .output("y");
    assert_eq!(plan_of(&model), (vec!["Relu"], 0));
    let nothing = Build::opset(13)
        .input("x", &[2, 2])
        .node("Identity", &["x"], "y", vec![])
        .output("y");
    assert_eq!(plan_of(&nothing), (vec![], 0));
    let x = random(&[2, 2], 1);
    assert_eq!(nothing.clear(std::slice::from_ref(&x)), x);
}

#[test]
fn plans_do_not_depend_on_weights() {
    let model = |scale: f32| {
        let values: Vec<f32> = (0..4).map(|i| scale * (i as f32 - 1.0)).collect();
        picture()
            .floats("s", &[4, 1, 1], &values)
            .node("Conv", &["x", "w"], "c", vec![])
            .node("Mul", &["c", "s"], "m", vec![])
            .node("Relu", &["m"], "y", vec![])
            .output("y")
    };
    let hash = |scale: f32| model(scale).compile(None).unwrap().0.hash();
    assert_eq!(hash(0.0), hash(1.0));
    assert_eq!(hash(0.0), hash(-1e3));
}

#[test]
fn what_is_there_twice_is_computed_once() {
    let twice = |second: &str| {
        picture()
            .random("v", &[4, 2, 3, 3])
            .node("Conv", &["x", "w"], "a", vec![])
            .node("Conv", &["x", second], "b", vec![])
            .node("Relu", &["a"], "r", vec![])
            .node("Relu", &["b"], "s", vec![])
            .node("Add", &["r", "s"], "y", vec![])
            .output("y")
    };
    assert_eq!(plan_of(&twice("w")), (vec!["Conv", "Relu", "Add"], 1));
    assert_eq!(plan_of(&twice("v")).0.len(), 5);
    let x = random(&[1, 2, 6, 6], 4);
    let once = picture()
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Relu", &["c"], "y", vec![])
        .output("y");
    let doubled = once.clear(std::slice::from_ref(&x)) * 2.0;
    assert_eq!(twice("w").clear(&[x]), doubled);
    // Other parameters, other values.
    let pools = |size: i64| {
        let window = |size: i64| vec![ints("kernel_shape", &[size, size])];
        picture()
            .node("AveragePool", &["x"], "a", window(2))
            .node("AveragePool", &["x"], "b", window(size))
            .output("a")
            .output("b")
    };
    assert_eq!(plan_of(&pools(2)).0, ["AveragePool"]);
    assert_eq!(plan_of(&pools(3)).0.len(), 2);
    let (plan, _) = pools(2).compile(None).unwrap();
    assert_eq!(plan.outputs.len(), 2);
    plan.check().unwrap();
}

#[test]
fn orders_of_axes_join_and_vanish() {
    let transposed = |second: &[i64]| {
        Build::opset(13)
            .input("x", &[2, 3, 4, 5])
            .node("Transpose", &["x"], "a", vec![ints("perm", &[0, 2, 3, 1])])
            .node("Transpose", &["a"], "b", vec![ints("perm", second)])
            .node("Relu", &["b"], "y", vec![])
            .output("y")
    };
    assert_eq!(plan_of(&transposed(&[0, 3, 1, 2])).0, ["Relu"]);
    assert_eq!(plan_of(&transposed(&[0, 3, 2, 1])).0, ["Transpose", "Relu"]);
    let x = random(&[2, 3, 4, 5], 2);
    let y = transposed(&[1, 3, 0, 2]).clear(std::slice::from_ref(&x));
    let by_hand = x
        .view()
        .permuted_axes(vec![0, 2, 3, 1])
        .permuted_axes(vec![1, 3, 0, 2])
        .mapv(|v| v.max(0.0));
    assert_eq!(y, by_hand);
    let shapes = |last: &[i64]| {
        Build::opset(13)
            .input("x", &[2, 6])
            .ints("s", &[3, 4])
            .ints("t", last)
            .node("Reshape", &["x", "s"], "a", vec![])
            .node("Reshape", &["a", "t"], "y", vec![])
            .output("y")
    };
    assert_eq!(plan_of(&shapes(&[4, 3])).0, ["Reshape"]);
    assert_eq!(plan_of(&shapes(&[2, 6])).0, Vec::<&str>::new());
}

#[test]
fn normalisation_of_rows_folds_too() {
    let model = Build::opset(13)
        .input("x", &[1, 2, 8])
        .random("w", &[4, 2, 3])
        .random("g", &[4])
        .floats("v", &[4], &[1.0, 2.0, 3.0, 4.0])
        .node("Conv", &["x", "w"], "c", vec![])
        .node(
            "BatchNormalization",
            &["c", "g", "g", "g", "v"],
            "y",
            vec![],
        )
        .output("y");
    assert_eq!(plan_of(&model), (vec!["Conv"], 2));
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_is_compiled() {
    // Passes whose work grew with the square would take hours.
    let count = 100_000;
    let mut model = Build::opset(13)
        .input("x", &[1, 2])
        .random("w", &[2, 2])
        .floats("c", &[2], &[1.0, 1.0])
        .node("MatMul", &["x", "w"], "0", vec![]);
    for index in 0..count {
        let (operator, inputs) = match index % 4 {
            0 => ("Mul", vec![index.to_string(), "c".into()]),
            3 => ("Relu", vec![index.to_string()]),
            _ => ("Add", vec![index.to_string(), "c".into()]),
        };
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        model = model.node(operator, &inputs, &(index + 1).to_string(), vec![]);
    }
    let model = model.output(&count.to_string());
    let (plan, _) = model.compile(None).unwrap();
    // The first layers are part of the product.
    assert_eq!(plan.steps.len(), count - 2);
}
