//! Numbers of very different size: scaling apart from the plan, softmaxes of far logits, masks, single logits.

use crate::build::{Build, array, clear, distance, int, random};
use ndarray::ArrayD;
use trefoil_nn::{Fixed, Options, Plan, Ranges, Scores, Weights, examine, ready, run};
use trefoil_ring::Z64;

fn compiled(model: &Build) -> (Plan, Weights) {
    Plan::compile(&model.read().unwrap(), &Options::default()).unwrap()
}

fn fixed(plan: &Plan, weights: &Weights, input: &ArrayD<f64>) -> ArrayD<f64> {
    let backend = Fixed::<Z64>::new(plan.format(), [3; 16]);
    let encoded = backend.encode(input.view()).unwrap();
    let weights = weights.encode::<Z64>(plan).unwrap();
    let outputs = ready(run(plan, &backend, &weights, vec![encoded], &mut ())).unwrap();
    backend.decode(outputs[0].view())
}

/// Three features of very different size, a scaler, and a layer.
fn scaler() -> Build {
    Build::opset(13)
        .input("x", &[0, 3])
        .floats("mean", &[3], &[5e4, 2e6, 3.0])
        .floats("std", &[3], &[2e4, 1e6, 1.5])
        .floats("w", &[3, 2], &[0.7, -0.2, 0.4, 0.3, -0.5, 0.1])
        .node("Sub", &["x", "mean"], "centred", vec![])
        .node("Div", &["centred", "std"], "scaled", vec![])
        .node("MatMul", &["scaled", "w"], "y", vec![])
        .output("y")
}

#[test]
fn scaling_apart_from_the_plan_computes_the_same_and_is_precise() {
    let x = array(&[2, 3], &[6e4, 1e5, 4.0, 1e4, 3e6, 1.0]);
    let small = Build::opset(13)
        .input("x", &[0, 3])
        .floats("w", &[3, 2], &[7e-6, -2e-5, 4e-7, 3e-7, -0.5, 0.1])
        .node("MatMul", &["x", "w"], "y", vec![])
        .output("y");
    for (model, steps) in [(scaler(), 2), (small, 1)] {
        let options = Options {
            batch: Some(2),
            ..Options::default()
        };
        let graph = model.read().unwrap();
        let (plan, weights) = Plan::compile(&graph, &options).unwrap();
        let exact = clear(&plan, weights.clear(), std::slice::from_ref(&x));
        assert!(distance(&fixed(&plan, &weights, &x), &exact) > 1e-3);
        let (plan, weights, scaling) = Plan::compile_scaled(&graph, &options).unwrap();
        let scaling = scaling.unwrap();
        assert!(scaling.steps().count() >= steps);
        plan.check().unwrap();
        let scaled = scaling.apply(&x).unwrap();
        let same = clear(&plan, weights.clear(), std::slice::from_ref(&scaled));
        assert!(distance(&same, &exact) < 1e-9);
        assert!(distance(&fixed(&plan, &weights, &scaled), &exact) < 1e-4);
        // Any number of samples.
        let five = ndarray::concatenate(ndarray::Axis(0), &[x.view(), x.view(), x.view()]).unwrap();
        assert_eq!(scaling.apply(&five).unwrap().shape(), [6, 3]);
    }
    let plain = Build::opset(13)
        .input("x", &[1, 3])
        .node("Relu", &["x"], "y", vec![])
        .output("y");
    let graph = plain.read().unwrap();
    let (_, _, scaling) = Plan::compile_scaled(&graph, &Options::default()).unwrap();
    assert!(scaling.is_none());
}

#[test]
fn widened_softmaxes_compute_the_same() {
    let x = random(&[4, 5], 3) * 40.0;
    let far = array(&[1, 5], &[1000.0, 999.0, 0.0, -1000.0, 500.0]);
    for operator in ["Softmax", "LogSoftmax"] {
        let model = |rows: i64| {
            Build::opset(13)
                .input("x", &[rows, 5])
                .node(operator, &["x"], "y", vec![int("axis", 1)])
                .output("y")
        };
        for (rows, x) in [(4, &x), (1, &far)] {
            let (mut plan, mut weights) = compiled(&model(rows));
            let exact = clear(&plan, weights.clear(), std::slice::from_ref(x));
            let ranges = Ranges::of_samples(&plan, &weights, vec![x.clone()], &mut ());
            assert_eq!(ranges.far_softmaxes(64, 20).is_empty(), rows == 4);
            plan.widen_softmaxes(&mut weights, &[0]);
            plan.check().unwrap();
            let same = clear(&plan, weights.clear(), std::slice::from_ref(x));
            assert!(distance(&same, &exact) < 1e-9, "{operator}");
            assert!(
                distance(&fixed(&plan, &weights, x), &exact) < 1e-4,
                "{operator}"
            );
        }
    }
}

#[test]
fn masks_hold_what_the_format_can_and_other_weights_do_not_change() {
    let mask = [0.0, f32::NEG_INFINITY, f32::MIN, -1e9, -5.0, 0.0];
    let model = Build::opset(13)
        .input("x", &[1, 6])
        .floats("m", &[1, 6], &mask)
        .node("Add", &["x", "m"], "masked", vec![])
        .node("Softmax", &["masked"], "y", vec![int("axis", 1)])
        .output("y");
    let (plan, weights) = compiled(&model);
    assert!(weights.clear()[0][[0, 1]].is_infinite());
    let held = weights.held();
    let held: Vec<f64> = held[0].iter().copied().collect();
    assert_eq!(held, [0.0, -96.0, -96.0, -96.0, -5.0, 0.0]);
    let x = random(&[1, 6], 5) * 10.0;
    let found = examine(&plan, &weights, std::slice::from_ref(&x), [1; 16], &mut ()).unwrap();
    assert!(distance(&found.exact[0], &found.rounded[0]) < 1e-4);
    // Without a softmax behind it, it is no mask.
    let sum = Build::opset(13)
        .input("x", &[1, 6])
        .floats("m", &[1, 6], &mask)
        .node("Add", &["x", "m"], "y", vec![])
        .output("y");
    let (plan, weights) = compiled(&sum);
    let error = weights.encode::<Z64>(&plan).unwrap_err().to_string();
    assert!(error.contains("`m` at [0, 1]"), "{error}");
}

#[test]
fn a_single_logit_becomes_the_pair_that_a_guard_takes() {
    let model = Build::opset(13)
        .input("x", &[2, 3])
        .floats("w", &[3, 1], &[0.5, -1.0, 2.0])
        .node("MatMul", &["x", "w"], "logit", vec![])
        .node("Sigmoid", &["logit"], "y", vec![])
        .output("y");
    let (mut plan, weights) = compiled(&model);
    assert_eq!(plan.scores(), Some(Scores::Probability));
    let x = random(&[2, 3], 4);
    let exact = clear(&plan, weights.clear(), std::slice::from_ref(&x));
    assert!(plan.open_at_logits());
    assert_eq!(plan.scores(), Some(Scores::Logit));
    assert!(plan.pair_logits());
    plan.check().unwrap();
    assert_eq!(plan.logits_shape(), Some([2, 2]));
    let both = clear(&plan, weights.clear(), std::slice::from_ref(&x));
    for (row, p) in both.rows().into_iter().zip(&exact) {
        let pair = row[1].exp() / (row[0].exp() + row[1].exp());
        assert!((pair - p).abs() < 1e-12);
    }
}
