//! What is refused, by which error: models, plans that overflow or drown in noise, inputs, and what belongs to others.

use crate::infer::threads;
use crate::models::{deep, numbers, options, samples, small, tiny, vectors};
use ndarray::ArrayD;
use trefoil_he::poly::Method;
use trefoil_he::scheme::{EvaluationKey, generate};
use trefoil_he::{HeError, Options, Parameters, Plan, compile};
use trefoil_nn::Graph;

#[test]
fn models_that_encryption_cannot_compute_are_refused_by_node() {
    let (pictures, _) = trefoil_digits::generate(4, 1);
    let calibration = pictures.mapv(f64::from).into_dyn();
    for (model, layer) in [
        (trefoil_digits::MODEL, "MaxPool"),
        (trefoil_digits::LENET5, "MaxPool"),
        (trefoil_digits::NORM, "Softmax"),
    ] {
        let graph = Graph::from_bytes(model, "digits.onnx").unwrap();
        let operator = graph
            .nodes
            .iter()
            .find(|node| node.operator == layer)
            .unwrap();
        match compile(&graph, &calibration, &Options::default())
            .err()
            .unwrap()
        {
            HeError::Unsupported {
                node, layer: named, ..
            } => {
                assert_eq!((node, named.as_str()), (operator.name.clone(), layer));
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn what_would_overflow_or_drown_is_refused_by_layer() {
    // Scales grow with every product: 5 bits become 2^5 times as many.
    let wide = Options {
        weight_bits: 16,
        input_bits: 16,
        degree: 3,
        ..options()
    };
    match deep(3, &wide).err().unwrap() {
        HeError::Overflow { node, bits, limit } => {
            assert!(node.contains("dense") || node.contains("tanh"), "{node}");
            assert!(bits > limit);
        }
        other => panic!("{other}"),
    }
    // A plan from elsewhere that claims too little.
    let compiled = deep(
        2,
        &Options {
            degree: 2,
            method: Method::Chebyshev,
            ..options()
        },
    );
    let mut plan = compiled.unwrap().plan;
    plan.check().unwrap();
    for noise in [false, true] {
        let mut less = plan.clone();
        let bits = if noise {
            &mut less.program.noise_bits
        } else {
            &mut less.value_bits
        };
        bits[0] -= 5.0;
        match less.check() {
            Err(HeError::Damaged { problem, .. }) => assert!(problem.contains("bits"), "{problem}"),
            other => panic!("{other:?}"),
        }
    }
    plan.program.parameters = Parameters::new(plan.program.parameters.degree(), 1, 20).unwrap();
    assert!(
        matches!(plan.check(), Err(HeError::Overflow { .. })),
        "{:?}",
        plan.check()
    );
    let bits = plan.value_bits.last().copied().unwrap();
    let each = (bits / 3.0).ceil() as u32 + 1;
    plan.program.parameters = Parameters::new(4096, 3, each.min(34)).unwrap();
    match plan.check() {
        Err(HeError::Noise { node, noise, limit }) => {
            assert!(noise > limit && !node.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn inputs_outside_the_range_or_the_fitted_interval_are_refused() {
    let clear = samples(30, 3);
    let narrow = Options {
        widen: 1.0,
        ..options()
    };
    // Calibrated on faint pictures alone.
    let compiled = compile(&small("Relu"), &clear.mapv(|x| x / 4.0), &narrow).unwrap();
    let plan = &compiled.plan;
    let (secret, _) = generate(&plan.program.parameters).unwrap();
    let refused = |samples: &ArrayD<f64>| match plan.encrypt(&secret, samples, threads()).err() {
        Some(HeError::Input { problem }) => problem,
        other => panic!("{other:?}"),
    };
    assert!(
        refused(&clear).contains("at node `act1`"),
        "{}",
        refused(&clear)
    );
    assert!(refused(&clear.mapv(|x| x + 1.0)).contains("outside the declared range"));
    assert!(refused(&numbers(1, &[3, 1, 5, 6])).contains("shape"));
    let slots = plan.program.parameters.slots();
    let many = ArrayD::zeros(ndarray::IxDyn(&[slots + 1, 1, 6, 6]));
    assert!(refused(&many).contains("slots"));
}

#[test]
fn foreign_keys_queries_and_answers_are_refused() {
    let clear = vectors(5, 3);
    let plan = &tiny().plan;
    let (secret, evaluation) = generate(&plan.program.parameters).unwrap();
    let (other_secret, other_evaluation) = generate(&plan.program.parameters).unwrap();
    let foreign = |result: Result<(), HeError>, says: &str| match result {
        Err(HeError::Foreign { problem, .. }) => assert!(problem.contains(says), "{problem}"),
        other => panic!("{other:?}"),
    };
    let query = || plan.encrypt(&secret, &clear, threads()).unwrap();
    let infer = |plan: &Plan, key: &EvaluationKey| {
        let program = &plan.program;
        program.infer(key, query(), threads(), &mut ())
    };
    foreign(infer(plan, &other_evaluation).map(drop), "made with key");
    let answer = infer(plan, &evaluation).unwrap();
    foreign(
        plan.decrypt(&other_secret, &answer).map(drop),
        "made with key",
    );
    let mut second = plan.clone();
    second.program.network.name = "another".into();
    foreign(infer(&second, &evaluation).map(drop), "another plan");
    foreign(second.decrypt(&secret, &answer).map(drop), "another plan");
    // Another modulus, and the same with a prime less.
    let whole = &plan.program.parameters;
    let others = [
        Parameters::new(4096, 1, 20).unwrap(),
        whole.clone().shortened(2).unwrap(),
    ];
    for other in others.iter().filter(|other| *other != whole) {
        let (foreign_secret, foreign_evaluation) = generate(other).unwrap();
        let says = format!("it is for {other}");
        foreign(
            plan.encrypt(&foreign_secret, &clear, threads()).map(drop),
            &says,
        );
        foreign(infer(plan, &foreign_evaluation).map(drop), &says);
        foreign(plan.decrypt(&foreign_secret, &answer).map(drop), &says);
    }
}
