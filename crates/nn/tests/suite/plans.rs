//! Plans as parties exchange them, and what users may put in.

use crate::build::{Build, array, ints, random};
use trefoil_nn::{Clear, InputError, Kind, Options, Plan, PlanError, ready, run};
use trefoil_ring::Z64;

fn model() -> Build {
    Build::opset(13)
        .input("x", &[0, 1, 4, 4])
        .random("w", &[2, 1, 3, 3])
        .random("d", &[2, 3])
        .node("Conv", &["x", "w"], "c", vec![])
        .node("Relu", &["c"], "r", vec![])
        .node("MaxPool", &["r"], "m", vec![ints("kernel_shape", &[2, 2])])
        .node("Flatten", &["m"], "f", vec![])
        .node("MatMul", &["f", "d"], "y", vec![])
        .output("y")
}

#[test]
fn a_plan_survives_encoding() {
    let (plan, _) = model().compile(Some(2)).unwrap();
    let again = Plan::from_bytes(&plan.to_bytes()).unwrap();
    assert_eq!(plan, again);
    assert_eq!(plan.hash(), again.hash());
    let (other, _) = model().compile(Some(3)).unwrap();
    assert_ne!(plan.hash(), other.hash());
}

#[test]
fn damaged_plans_are_refused_without_panic() {
    let (plan, _) = model().compile(Some(2)).unwrap();
    let bytes = plan.to_bytes();
    for end in 0..bytes.len() {
        assert!(Plan::from_bytes(&bytes[..end]).is_err());
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Plan::from_bytes(&longer).is_err());
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for value in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            if let Ok(plan) = Plan::from_bytes(&damaged) {
                accepted += 1;
                plan.check().unwrap();
                let _ = plan
                    .steps
                    .iter()
                    .map(|step| plan.multiply_accumulates(step))
                    .sum::<u64>();
            }
        }
    }
    println!(
        "{accepted} of {} changed plans are consistent (names, formats)",
        7 * bytes.len()
    );
    let mut versioned = bytes;
    versioned[0] = 99;
    assert!(matches!(
        Plan::from_bytes(&versioned),
        Err(PlanError::Version { actual: 99, .. })
    ));
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let (plan, _) = model().compile(Some(2)).unwrap();
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        Plan::from_bytes(&plan.to_bytes()).unwrap_err().to_string()
    };
    assert!(changed(&|p| p.steps.swap(0, 1)).contains("before it is made"));
    assert!(changed(&|p| p.shapes[0] = vec![2, 1, 5, 4]).contains("output has shape"));
    assert!(changed(&|p| p.shapes[0] = vec![usize::MAX; 4]).contains("elements"));
    assert!(changed(&|p| p.ring_bits = 48).contains("32 and 64"));
    assert!(changed(&|p| p.fraction_bits = 31).contains("fraction bits"));
    assert!(changed(&|p| p.steps[0].inputs.clear()).contains("operands"));
    assert!(changed(&|p| p.outputs[0].value = 99).contains("not made"));
    assert!(changed(&|p| p.inputs[0].value = p.weights[0].value).contains("twice"));
}

#[test]
fn plans_with_wrong_kinds_are_refused() {
    let model = Build::opset(17)
        .input("x", &[1, 4])
        .floats("c", &[], &[0.5])
        .node("Less", &["x", "c"], "b", vec![])
        .node("Where", &["b", "x", "c"], "y", vec![])
        .output("y");
    let (plan, _) = model.compile(None).unwrap();
    let bits: Vec<_> = plan
        .kinds
        .iter()
        .filter(|&&kind| kind == Kind::Bit)
        .collect();
    assert_eq!(bits.len(), 1, "{:?}", plan.kinds);
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan.clone();
        change(&mut plan);
        Plan::from_bytes(&plan.to_bytes()).unwrap_err().to_string()
    };
    let bit = plan.steps[0].output;
    assert!(changed(&|p| p.kinds[bit] = Kind::Number).contains("of kind Bit"));
    assert!(changed(&|p| p.kinds[0] = Kind::Bit).contains("holds bits"));
    assert!(changed(&|p| p.outputs[0].value = bit).contains("holds bits"));
    assert!(changed(&|p| p.steps[1].inputs.swap(0, 1)).contains("kinds"));
    assert!(changed(&|p| p.steps[1].inputs[1] = bit).contains("kinds"));
    assert!(
        changed(&|p| {
            p.kinds.pop();
        })
        .contains("kinds of")
    );
}

#[test]
fn inputs_are_checked_before_anything_else() {
    let (plan, _) = model().compile(None).unwrap();
    let x = random(&[1, 1, 4, 4], 1);
    plan.check_inputs(std::slice::from_ref(&x)).unwrap();
    assert_eq!(
        plan.check_inputs(&[]),
        Err(InputError::Count {
            expected: 1,
            actual: 0
        })
    );
    let wrong = plan
        .check_inputs(&[array(&[4, 4], &[0.0; 16])])
        .unwrap_err();
    assert!(
        wrong.to_string().contains("`x` has shape [4, 4]"),
        "{wrong}"
    );
    let with = |value: f64| {
        let mut x = x.clone();
        x[[0, 0, 2, 3]] = value;
        plan.check_inputs(&[x]).map_err(|error| error.to_string())
    };
    for value in [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        -(42_f64.exp2()),
    ] {
        let error = with(value).unwrap_err();
        assert!(error.contains("`x` at [0, 0, 2, 3]"), "{error}");
    }
    with(42_f64.exp2() - 1.0).unwrap();
}

#[test]
fn weights_that_do_not_fit_are_named() {
    let model = Build::opset(13)
        .input("x", &[1, 2])
        .floats("w", &[2, 2], &[1.0, f32::INFINITY, 0.0, 0.0])
        .node("MatMul", &["x", "w"], "y", vec![])
        .output("y");
    let (plan, weights) = Plan::compile(&model.read().unwrap(), &Options::default()).unwrap();
    let error = weights.encode::<Z64>(&plan).unwrap_err().to_string();
    assert!(error.contains("`w` at [0, 1]"), "{error}");
}

#[test]
fn a_weight_that_is_no_number_is_named_when_the_file_is_read() {
    let model = Build::opset(13)
        .input("x", &[1, 2])
        .floats("w", &[2, 2], &[1.0, f32::NAN, 0.0, 0.0])
        .node("MatMul", &["x", "w"], "y", vec![])
        .output("y");
    let error = model.read().unwrap_err().to_string();
    for word in ["test.onnx", "`w`", "[0, 1]", "NaN"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn observers_see_every_step() {
    let (plan, weights) = model().compile(None).unwrap();
    let mut seen = Vec::new();
    let mut observer = |index: usize, name: &str, _| seen.push((index, name.to_owned()));
    ready(run(
        &plan,
        &Clear,
        &weights,
        vec![random(&[1, 1, 4, 4], 1)],
        &mut observer,
    ))
    .unwrap();
    let expected: Vec<_> = plan
        .steps
        .iter()
        .map(|step| step.name.clone())
        .enumerate()
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn work_is_counted() {
    let (plan, _) = model().compile(Some(2)).unwrap();
    let counts: Vec<u64> = plan
        .steps
        .iter()
        .map(|step| plan.multiply_accumulates(step))
        .collect();
    // 2 pictures, 2 filters, 2 x 2 positions, 9 taps; 2 rows of 2 by 3.
    assert_eq!(counts, [144, 0, 0, 0, 12]);
}

#[test]
fn formats_that_do_not_fit_are_refused() {
    let graph = model().read().unwrap();
    for (ring_bits, fraction_bits) in [(64, 31), (64, 0), (32, 15), (16, 4)] {
        let options = Options {
            batch: None,
            ring_bits,
            fraction_bits,
        };
        assert!(Plan::compile(&graph, &options).is_err(), "{options:?}");
    }
}
