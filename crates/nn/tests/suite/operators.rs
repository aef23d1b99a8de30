//! Every case on every back end in the clear; what no reference does right, by hand.

use crate::build::{Build, array, clear, distance, int, ints, random};
use crate::cases;
use ndarray::ArrayD;
use tract_onnx::prelude::{
    Framework as _, InferenceModelExt as _, IntoRunnable as _, TValue, Tensor,
};
use trefoil_nn::{Fixed, Graph, Options, Plan, RunRing, ready, run, supported_operators};
use trefoil_ring::{Z32, Z64};

fn inputs(shapes: &[Vec<usize>]) -> Vec<ArrayD<f64>> {
    shapes
        .iter()
        .zip(1..)
        .map(|(shape, seed)| random(shape, seed))
        .collect()
}

/// The output of another implementation, in single precision.
fn reference(model: &Build, inputs: &[ArrayD<f64>]) -> ArrayD<f64> {
    let mut proto = model.proto.clone();
    for (input, array) in proto.graph.as_mut().unwrap().input.iter_mut().zip(inputs) {
        use tract_onnx::pb::{tensor_shape_proto::dimension::Value, type_proto};
        let Some(type_proto::Value::TensorType(tensor)) = &mut input.r#type.as_mut().unwrap().value
        else {
            panic!("no tensor")
        };
        for (dim, &size) in tensor
            .shape
            .as_mut()
            .unwrap()
            .dim
            .iter_mut()
            .zip(array.shape())
        {
            dim.value = Some(Value::DimValue(size as i64));
        }
    }
    let model = tract_onnx::onnx().model_for_proto_model(&proto).unwrap();
    let model = model.into_typed().unwrap().into_runnable().unwrap();
    let tensor = |array: &ArrayD<f64>| -> TValue {
        let values: Vec<f32> = array.iter().map(|&v| v as f32).collect();
        Tensor::from_shape(array.shape(), &values).unwrap().into()
    };
    let outputs = model.run(inputs.iter().map(tensor).collect()).unwrap();
    // Positions are integers there.
    let values: Vec<f64> = outputs[0]
        .cast_to::<f32>()
        .unwrap()
        .view()
        .as_slice::<f32>()
        .unwrap()
        .iter()
        .map(|&v| f64::from(v))
        .collect();
    array(outputs[0].shape(), &values)
}

#[test]
fn clear_agrees_with_the_reference() {
    // Equality of truth values, and integers of 64 bits to be dequantised, are not known there; the back ends are compared
    // with each other, and both are computed by hand elsewhere.
    let known = |case: &cases::Case| !["equal truth values", "dequantised"].contains(&case.name);
    for case in cases::all().into_iter().filter(known) {
        let inputs = inputs(&case.inputs);
        let (actual, expected) = (case.model.clear(&inputs), reference(&case.model, &inputs));
        let error = distance(&actual, &expected);
        assert!(error < 1e-5, "{}: {error}", case.name);
    }
}

#[test]
fn truth_values_are_equal_where_both_hold_or_neither() {
    let model = Build::opset(16)
        .input("x", &[1, 3])
        .floats("zero", &[], &[0.0])
        .floats("one", &[], &[1.0])
        .node("Less", &["x", "zero"], "p", vec![])
        .node("Greater", &["x", "one"], "q", vec![])
        .node("Equal", &["p", "q"], "b", vec![])
        .node("Cast", &["b"], "y", vec![int("to", 1)])
        .output("y");
    let y = model.clear(&[array(&[1, 3], &[-1.0, 0.5, 2.0])]);
    assert_eq!(y, array(&[1, 3], &[0.0, 1.0, 0.0]));
}

/// `Upsample`, which the reference does not know.
fn upsampled() -> Build {
    Build::opset(9)
        .input("x", &[1, 1, 2, 2])
        .floats("s", &[4], &[1.0, 1.0, 2.0, 1.5])
        .node("Upsample", &["x", "s"], "y", vec![])
        .output("y")
}

#[test]
fn upsampling_repeats_elements() {
    let y = upsampled().clear(&[array(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0])]);
    let rows = [
        [1.0, 1.0, 2.0],
        [1.0, 1.0, 2.0],
        [3.0, 3.0, 4.0],
        [3.0, 3.0, 4.0],
    ];
    assert_eq!(y, array(&[1, 1, 4, 3], rows.as_flattened()));
}

#[test]
fn every_operator_has_a_case() {
    let cases = cases::all();
    let graphs = cases.iter().map(|case| case.model.clone());
    let mut graphs = graphs.chain([upsampled()]);
    let used: Vec<String> = graphs
        .by_ref()
        .flat_map(|mut m| m.graph().node.clone())
        .map(|node| node.op_type)
        .collect();
    for operator in supported_operators() {
        assert!(
            used.iter().any(|name| name == operator),
            "no case for {operator}"
        );
    }
}

fn fixed_agrees<R: RunRing>(tolerance: f64) {
    for case in cases::all() {
        let inputs = inputs(&case.inputs);
        let graph = case.model.read().unwrap();
        let (plan, weights) = Plan::compile(&graph, &Options::ring(R::BITS)).unwrap();
        let expected = clear(&plan, &weights.to_clear(), &inputs);
        let backend = Fixed::<R>::new(plan.format(), [7; 16]);
        let weights = weights.encode::<R>(&plan).unwrap();
        let inputs = inputs
            .iter()
            .map(|x| backend.encode(x.view()).unwrap())
            .collect();
        let output = ready(run(&plan, &backend, &weights, inputs, &mut ()))
            .unwrap()
            .remove(0);
        let error = distance(&backend.decode(output.view()), &expected);
        assert!(
            error < tolerance,
            "{} in {} bits: {error}",
            case.name,
            R::BITS
        );
    }
}

#[test]
fn fixed_agrees_with_clear() {
    // The longest sums have 36 products, each off by at most two halves of a unit.
    fixed_agrees::<Z64>(100.0 * (-20_f64).exp2());
    fixed_agrees::<Z32>(100.0 * (-10_f64).exp2());
}

#[test]
fn softmax_joins_axes_before_operator_set_13() {
    let x = random(&[2, 3, 4], 5);
    let old = Build::opset(9)
        .input("x", &[2, 3, 4])
        .node("Softmax", &["x"], "y", vec![])
        .output("y");
    let flat = Build::opset(13)
        .input("x", &[2, 12])
        .node("Softmax", &["x"], "y", vec![])
        .output("y");
    let expected = flat.clear(&[x.to_shape(vec![2, 12]).unwrap().into_owned()]);
    let actual = old.clear(&[x]);
    assert_eq!(actual.shape(), [2, 3, 4]);
    assert!(
        distance(
            &actual.to_shape(vec![2, 12]).unwrap().into_owned(),
            &expected
        ) < 1e-12
    );
    assert!((expected.sum() - 2.0).abs() < 1e-12);
}

#[test]
fn shapes_are_computed_while_compiling() {
    // [2, 12 / 5, 6 * 1]: divided as integers.
    let model = Build::opset(13)
        .input("x", &[2, 12])
        .ints("a", &[2, 12, 6])
        .ints("b", &[1, 5, 1])
        .node("Div", &["a", "b"], "s", vec![])
        .node("Reshape", &["x", "s"], "y", vec![])
        .output("y");
    assert_eq!(model.clear(&[random(&[2, 12], 1)]).shape(), [2, 2, 6]);
}

#[test]
fn a_pool_that_reaches_beyond_its_padding() {
    let x = array(&[1, 1, 1, 5], &[1.0, 2.0, 3.0, 4.0, 10.0]);
    let pool = |operator: &str| {
        let attributes = vec![
            ints("kernel_shape", &[1, 2]),
            ints("strides", &[1, 2]),
            int("ceil_mode", 1),
        ];
        Build::opset(19)
            .input("x", &[1, 1, 1, 5])
            .node(operator, &["x"], "y", attributes)
            .output("y")
    };
    let row = |build: Build| {
        build
            .clear(std::slice::from_ref(&x))
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(row(pool("MaxPool")), [2.0, 4.0, 10.0]);
    assert_eq!(row(pool("AveragePool")), [1.5, 3.5, 10.0]);
}

#[test]
fn truncation_is_unbiased_and_within_a_unit() {
    // A product of two numbers with 20 fraction bits, 200,000 times.
    let model = Build::opset(13)
        .input("x", &[1, 200_000])
        .input("z", &[1, 1]);
    let model = model.node("Mul", &["x", "z"], "y", vec![]).output("y");
    let graph: Graph = model.read().unwrap();
    let (plan, _) = Plan::compile(&graph, &Options::default()).unwrap();
    let backend = Fixed::<Z64>::new(plan.format(), [3; 16]);
    let unit = plan.format().ulp();
    let x = ArrayD::from_elem(vec![1, 200_000], -3.0 - unit);
    let z = ArrayD::from_elem(vec![1, 1], 0.25);
    let inputs = [&x, &z].map(|v| backend.encode(v.view()).unwrap());
    let y = ready(run(&plan, &backend, &[], inputs.to_vec(), &mut ()))
        .unwrap()
        .remove(0);
    let errors = (backend.decode(y.view()) - (-3.0 - unit) * 0.25) / unit;
    assert!(errors.iter().all(|e| e.abs() < 1.0));
    // Errors are 1/4 - 1 and 1/4: standard deviation 0.43, of the mean 0.001.
    let mean = errors.mean().unwrap();
    assert!(mean.abs() < 5e-3, "bias of {mean} units");
    let again = Fixed::<Z64>::new(plan.format(), [3; 16]);
    assert_eq!(
        ready(run(&plan, &again, &[], inputs.to_vec(), &mut ()))
            .unwrap()
            .remove(0),
        y
    );
}

#[test]
fn operators_that_users_may_ask_for_are_refused_with_the_reason() {
    for (operator, reason) in [
        ("ConvTranspose", "segmentation"),
        ("LSTM", "unroll"),
        ("Loop", "must not depend on secret values"),
    ] {
        let model = Build::opset(13)
            .input("x", &[1, 2, 4, 4])
            .node(operator, &["x"], "up", vec![])
            .output("up");
        let refusal = model.refusal();
        for part in [
            "node `up`",
            operator,
            "operator set 13",
            reason,
            "ReduceSum",
        ] {
            assert!(refusal.contains(part), "no `{part}` in {refusal}");
        }
    }
}
