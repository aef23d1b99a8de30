//! Ranges hold what runs produce, and tell before a run what the ring cannot hold.

use crate::build::{Build, array, clear, distance, float, random};
use crate::cases;
use ndarray::ArrayD;
use trefoil_nn::{
    Fixed, InputError, Need, Options, Plan, Ranges, Weights, layer_errors, ready, run,
};
use trefoil_ring::{Z32, Z64};

fn compiled(model: &Build) -> (Plan, Weights) {
    Plan::compile(&model.read().unwrap(), &Options::default()).unwrap()
}

fn worst(model: &Build, inputs: &[[f64; 2]]) -> (Plan, Ranges) {
    let (plan, weights) = compiled(model);
    let ranges = Ranges::worst_case(&plan, &weights, inputs, &mut ());
    (plan, ranges)
}

/// A model of one input (3) and one node.
fn function(operator: &str, attributes: Vec<tract_onnx::pb::AttributeProto>) -> Build {
    Build::opset(13)
        .input("x", &[1, 3])
        .node(operator, &["x"], "y", attributes)
        .output("y")
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(1.0)
}

#[test]
fn worst_cases_hold_samples() {
    for case in cases::all() {
        let (plan, weights) = compiled(&case.model);
        let wide = vec![[-1.0, 1.0]; plan.inputs.len()];
        let worst = Ranges::worst_case(&plan, &weights, &wide, &mut ());
        for seed in 1..4 {
            let inputs: Vec<_> = case
                .inputs
                .iter()
                .zip(1..)
                .map(|(shape, number)| random(shape, 10 * seed + number))
                .collect();
            let found = Ranges::of_samples(&plan, &weights, inputs.clone(), &mut ());
            for ((worst, found), step) in worst.steps.iter().zip(&found.steps).zip(&plan.steps) {
                let slack = 1e-9 * worst.high.abs().max(worst.low.abs()).max(1.0);
                assert!(
                    worst.low - slack <= found.low && found.high <= worst.high + slack,
                    "{} at {}: {} to {} in the worst case, found {} to {}",
                    case.name,
                    step.name,
                    worst.low,
                    worst.high,
                    found.low,
                    found.high
                );
                for extent in &found.extents {
                    let outer = worst.extents.iter().find(|o| o.need == extent.need);
                    let outer = outer.unwrap_or_else(|| panic!("{}: {extent:?}", case.name));
                    assert!(
                        outer.low - slack <= extent.low && extent.high <= outer.high + slack,
                        "{} at {}: {outer:?}, found {extent:?}",
                        case.name,
                        step.name
                    );
                }
            }
            // On points it computes what is computed in the clear.
            let output = clear(&plan, &weights.to_clear(), &inputs);
            let last = plan
                .steps
                .iter()
                .position(|s| s.output == plan.outputs[0].value);
            if let Some(last) = last {
                let high = output.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                assert!(close(found.steps[last].high, high), "{}", case.name);
            }
        }
    }
}

#[test]
fn values_used_twice_are_not_counted_twice() {
    let input = [[-3.0, 2.0]];
    let range = |model: &Build| {
        let (_, ranges) = worst(model, &input);
        let last = ranges.steps.last().unwrap();
        (last.low, last.high)
    };
    assert_eq!(
        range(&function("LeakyRelu", vec![float("alpha", 0.5)])),
        (-1.5, 2.0)
    );
    assert_eq!(range(&function("Abs", vec![])), (0.0, 3.0));
    let (low, high) = range(&function("Elu", vec![]));
    assert!(close(low, (-3_f64).exp() - 1.0) && close(high, 2.0));
    let square = Build::opset(13)
        .input("x", &[1, 3])
        .node("Mul", &["x", "x"], "y", vec![])
        .output("y");
    assert_eq!(range(&square), (0.0, 9.0));
    let pair = |operator: &str| {
        Build::opset(13)
            .input("x", &[1, 3])
            .floats("c", &[1, 3], &[-1.0, 0.0, 1.0])
            .node(operator, &["x", "c"], "y", vec![])
            .output("y")
    };
    assert_eq!(range(&pair("Max")), (-1.0, 2.0));
    assert_eq!(range(&pair("Min")), (-3.0, 1.0));
}

#[test]
fn products_that_wrap_are_found_before_they_do() {
    // Sums of products up to 3e7: above 2^22, below 2^26.
    let model = Build::opset(13)
        .input("x", &[1, 3])
        .floats("w", &[3, 1], &[1e6, -2e6, 3e6])
        .node("MatMul", &["x", "w"], "y", vec![])
        .output("y");
    let x = array(&[1, 3], &[5.0, -5.0, 5.0]);
    let (plan, ranges) = worst(&model, &[[-5.0, 5.0]]);
    let (step, room) = ranges.tightest(64, plan.fraction_bits);
    assert_eq!(step, Some(0));
    assert!(close(room, (22_f64.exp2() / 3e7).log2()), "{room}");
    let tightest = ranges.headroom(0, 64, plan.fraction_bits).unwrap();
    assert_eq!(tightest.extent.need, Need::Product);
    let in_fixed = |bits: u32| {
        let options = Options {
            fraction_bits: bits,
            ..Options::default()
        };
        let (plan, weights) = Plan::compile(&model.read().unwrap(), &options).unwrap();
        let backend = Fixed::<Z64>::new(plan.format(), [1; 16]);
        let weights = weights.encode::<Z64>(&plan).unwrap();
        let input = backend.encode(x.view()).unwrap();
        let Ok(y) = ready(run(&plan, &backend, &weights, vec![input], &mut ()));
        backend.decode(y[0].view())
    };
    let exact = array(&[1, 1], &[3e7]);
    // The ring wraps; with the bits that the ranges choose it does not.
    assert!(distance(&in_fixed(20), &exact) > 1e6);
    let chosen = ranges.fraction_bits(64, 20).unwrap();
    assert_eq!(chosen, 18);
    assert!(distance(&in_fixed(chosen), &exact) < 1.0);
    // In the ring of 32 bits nothing helps.
    assert_eq!(ranges.fraction_bits(32, 13), None);
}

#[test]
fn arguments_of_functions_have_their_own_limits() {
    let need = |model: &Build, input: [f64; 2], need: Need| {
        let (plan, ranges) = worst(model, &[input]);
        let extents = ranges.steps.iter().flat_map(|step| &step.extents);
        let found = extents.filter(|extent| extent.need == need);
        found
            .map(|extent| extent.headroom(plan.ring_bits, plan.fraction_bits))
            .fold(f64::INFINITY, f64::min)
    };
    let elu = function("Elu", vec![]);
    assert!(close(need(&elu, [-64.0, 5.0], Need::Exponent), 1.0));
    assert!(need(&elu, [-129.0, 5.0], Need::Exponent) < 0.0);
    let inverse = function("Reciprocal", vec![]);
    assert!(close(need(&inverse, [0.25, 2.0], Need::Positive), 18.0));
    assert!(need(&inverse, [-1.0, 1.0], Need::Positive) < 0.0);
    assert!(need(&function("Sqrt", vec![]), [1.0, 1e7], Need::Positive) < 0.0);
    let softmax = function("Softmax", vec![]);
    assert!(close(need(&softmax, [-32.0, 32.0], Need::Spread), 1.0));
    assert!(need(&softmax, [-100.0, 100.0], Need::Spread) < 0.0);
}

#[test]
fn batches_of_samples_join() {
    let (plan, weights) = compiled(&function("Relu", vec![]));
    let of = |values: [f64; 3]| {
        Ranges::of_samples(&plan, &weights, vec![array(&[1, 3], &values)], &mut ())
    };
    let joined = of([1.0, -2.0, 0.5]).and(&of([0.0, 4.0, 1.0]));
    assert_eq!(joined.inputs, [[-2.0, 4.0]]);
    assert_eq!((joined.steps[0].low, joined.steps[0].high), (0.0, 4.0));
    assert_eq!(joined.samples, Some(2));
    assert!(close(joined.wanted(), 1.0));
}

#[test]
fn inputs_outside_the_declared_range_are_refused() {
    let (mut plan, _) = compiled(&function("Relu", vec![]));
    let undeclared = plan.hash();
    plan.declare_ranges(&[[-1.0, 2.0]]);
    assert_ne!(plan.hash(), undeclared);
    let plan = Plan::from_bytes(&plan.to_bytes()).unwrap();
    plan.check_inputs(&[array(&[1, 3], &[-1.0, 2.0, 0.0])])
        .unwrap();
    let error = plan
        .check_inputs(&[array(&[1, 3], &[0.0, 0.0, 2.5])])
        .unwrap_err();
    assert!(
        matches!(&error, InputError::NotDeclared { index, .. } if *index == [0, 2]),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("`x` at [0, 2] is 2.5, outside -1 to 2")
    );
    let mut damaged = plan.clone();
    damaged.input_ranges[0] = [1.0, f64::NAN];
    assert!(Plan::from_bytes(&damaged.to_bytes()).is_err());
    damaged.input_ranges = vec![[0.0, 1.0]; 2];
    assert!(Plan::from_bytes(&damaged.to_bytes()).is_err());
}

#[test]
fn errors_of_layers_are_those_of_fixed_point() {
    let model = Build::opset(13)
        .input("x", &[1, 3])
        .floats("w", &[3, 2], &[0.3, -0.7, 0.1, 0.9, 0.5, 0.2])
        .node("MatMul", &["x", "w"], "m", vec![])
        .node("Relu", &["m"], "r", vec![])
        .node("Mul", &["r", "r"], "y", vec![])
        .output("y");
    let x: ArrayD<f64> = random(&[1, 3], 4);
    for ring_bits in [32, 64] {
        let graph = model.read().unwrap();
        let (plan, weights) = Plan::compile(&graph, &Options::ring(ring_bits)).unwrap();
        let inputs = [x.clone()];
        let errors = layer_errors(&plan, &weights, &inputs, [5; 16], &mut ()).unwrap();
        assert_eq!(errors.len(), plan.steps.len());
        // The last one, by hand.
        let exact = clear(&plan, &weights.to_clear(), &inputs);
        let rounded = if ring_bits == 32 {
            by_hand::<Z32>(&plan, &weights, &x)
        } else {
            by_hand::<Z64>(&plan, &weights, &x)
        };
        let last = errors.last().unwrap();
        assert!(close(last.largest, distance(&exact, &rounded)));
        assert!(last.largest > 0.0 && last.mean() <= last.largest);
        let joined = errors[0].and(errors[2]);
        assert!(joined.largest >= errors[0].largest.max(errors[2].largest));
    }
}

fn by_hand<R: trefoil_nn::RunRing>(plan: &Plan, weights: &Weights, x: &ArrayD<f64>) -> ArrayD<f64> {
    let backend = Fixed::<R>::new(plan.format(), [5; 16]);
    let weights = weights.encode::<R>(plan).unwrap();
    let input = backend.encode(x.view()).unwrap();
    let Ok(y) = ready(run(plan, &backend, &weights, vec![input], &mut ()));
    backend.decode(y[0].view())
}
