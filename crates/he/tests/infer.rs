//! Encrypted inference against the same network in the clear: exact in integers, close in floats.

mod models;

use models::{deep, graph, node, numbers, options, samples, small};
use ndarray::{Array1, Array2, ArrayD, ArrayView1, Axis};
use std::num::NonZeroUsize;
use trefoil_he::poly::{Interval, Method};
use trefoil_he::scheme::{Cipher, Server, generate};
use trefoil_he::{
    Compiled, HeError, IntegerLayer, Noise, NoiseBound, Options, Parameters, Plan, compile,
};
use trefoil_nn::Graph;

fn threads() -> NonZeroUsize {
    NonZeroUsize::new(2).unwrap()
}

fn label(scores: ArrayView1<'_, f64>) -> usize {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best
}

fn labels(scores: &Array2<f64>) -> Array1<usize> {
    scores.outer_iter().map(label).collect()
}

fn largest(x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    (x - y).iter().map(|d| d.abs()).fold(0.0, f64::max)
}

/// Encrypt, compute, decrypt; the integers must be those of the clear network, each digit of them. The numbers.
fn encrypted(compiled: &Compiled, samples: &ArrayD<f64>) -> Array2<f64> {
    let plan = &compiled.plan;
    let (secret, evaluation) = generate(&plan.parameters).unwrap();
    let query = plan.encrypt(&secret, samples, threads()).unwrap();
    let answer = plan.infer(&evaluation, query, threads(), &mut ()).unwrap();
    let integers = plan.decrypt(&secret, &answer).unwrap();
    assert_eq!(
        integers,
        plan.exact(&plan.encode(samples).unwrap()).unwrap()
    );
    plan.decode(&integers)
}

#[test]
fn a_small_network_with_each_activation_and_degree() {
    let clear = samples(40, 7);
    for (activation, degree, method) in [
        ("Relu", 2, Method::LeastSquares),
        ("Relu", 2, Method::Integrated),
        ("Sigmoid", 3, Method::Chebyshev),
        ("Tanh", 2, Method::LeastSquares),
    ] {
        let options = Options {
            degree,
            method,
            weight_bits: 8,
            input_bits: 8,
            ..options()
        };
        let compiled = compile(&small(activation), &clear, &options).unwrap();
        let scores = encrypted(&compiled, &clear);
        let replaced = compiled.replaced(&clear);
        let error = largest(&scores, &replaced);
        assert!(error < 0.05, "{activation} {degree}: {error}");
        let original = compiled.original(&clear);
        assert!(largest(&replaced, &original) < 0.7, "{activation}");
    }
}

/// The project's own network with batch normalizations, padding and overlapping averages, from its ONNX file; its softmax is the owner's.
#[test]
fn drawn_digits_are_labelled_as_in_the_clear() {
    let mut graph = Graph::from_bytes(trefoil_digits::NORM, "norm.onnx").unwrap();
    let softmax = graph
        .nodes
        .iter()
        .find(|node| node.operator == "Softmax")
        .unwrap();
    graph.outputs = vec![softmax.inputs[0].clone()];
    let (pictures, _) = trefoil_digits::generate(200, 11);
    let calibration = pictures.mapv(f64::from).into_dyn();
    let options = Options {
        input_bits: 4,
        weight_bits: 6,
        widen: 2.0,
        ..Options::default()
    };
    let compiled = compile(&graph, &calibration, &options).unwrap();
    let (pictures, _) = trefoil_digits::generate(24, 12);
    let fresh = pictures.mapv(f64::from).into_dyn();
    let scores = encrypted(&compiled, &fresh);
    let replaced = compiled.replaced(&fresh);
    let scale = replaced.iter().map(|v| v.abs()).fold(0.0, f64::max);
    let error = largest(&scores, &replaced);
    println!(
        "{} error {error:.4} of {scale:.4}",
        compiled.plan.parameters.degree()
    );
    assert!(error < 0.1 * scale, "{error} of {scale}");
    assert_eq!(labels(&scores), labels(&replaced));
}

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

/// Products of two encrypted tensors: x · erf(x), and moves that cost nothing.
#[test]
fn products_transposes_and_pads() {
    let nodes = vec![
        node("Erf", "erf", &["x"], "e"),
        node("Mul", "product", &["x", "e"], "m"),
        node("Transpose", "turn", &["m"], "t"),
        node("MatMul", "dense", &["m", "w"], "y"),
    ];
    let model = graph(&[4], nodes, &[("w", numbers(3, &[4, 2]))], "y");
    let clear = numbers(5, &[30, 4]);
    let options = Options {
        degree: 3,
        input_range: Interval::new(-1.0, 1.0).unwrap(),
        ..Options::default()
    };
    let compiled = compile(&model, &clear, &options).unwrap();
    assert!(largest(&encrypted(&compiled, &clear), &compiled.replaced(&clear)) < 0.05);
    assert!(largest(&compiled.replaced(&clear), &compiled.original(&clear)) < 0.05);
}

/// Noise as the secret key measures it, after every layer, against the bound that refuses plans.
#[test]
fn measured_noise_is_below_its_bound_and_not_far() {
    let clear = samples(20, 8);
    let compiled = compile(&small("Relu"), &clear, &options()).unwrap();
    let plan = &compiled.plan;
    let (secret, evaluation) = generate(&plan.parameters).unwrap();
    let bound = NoiseBound::new(&plan.parameters);
    let mut slack = Vec::new();
    for channel in plan.parameters.channels().unwrap().iter() {
        let encoded = plan.encode(&clear).unwrap();
        let t = i128::from(channel.modulus());
        let inputs: Vec<Cipher> = encoded
            .columns()
            .into_iter()
            .map(|column| {
                let residues: Vec<u64> = column.iter().map(|x| x.rem_euclid(t) as u64).collect();
                channel.encrypt(&secret, &residues).unwrap()
            })
            .collect();
        for cipher in &inputs {
            assert!(channel.noise(&secret, cipher).unwrap() as f64 <= bound.fresh().bits());
        }
        let server = Server::new(channel, &evaluation).unwrap();
        let mut watch = |index: usize, layer: &IntegerLayer, values: &[Cipher]| {
            for cipher in values {
                let measured = channel.noise(&secret, cipher)? as f64;
                let allowed = plan.noise_bits[index];
                // Whole bits are rounded up.
                assert!(
                    measured <= allowed + 1.0,
                    "{}: {measured} {allowed}",
                    layer.name
                );
                slack.push(allowed - measured);
            }
            Ok(())
        };
        plan.network
            .run(&server, inputs, threads(), &mut watch)
            .unwrap();
    }
    let most = slack.into_iter().fold(0.0, f64::max);
    assert!(
        most < 40.0,
        "the bound is {most} bits above what is measured"
    );
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
    plan.parameters = Parameters::new(plan.parameters.degree(), 1, 20).unwrap();
    assert!(
        matches!(plan.check(), Err(HeError::Overflow { .. })),
        "{:?}",
        plan.check()
    );
    let bits = plan.value_bits.last().copied().unwrap();
    let each = (bits / 3.0).ceil() as u32 + 1;
    plan.parameters = Parameters::new(4096, 3, each.min(34)).unwrap();
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
    let (secret, _) = generate(&plan.parameters).unwrap();
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
    let slots = plan.parameters.slots();
    let many = ArrayD::zeros(ndarray::IxDyn(&[slots + 1, 1, 6, 6]));
    assert!(refused(&many).contains("slots"));
    let _ = clear.len_of(Axis(0));
}

#[test]
fn foreign_keys_queries_and_answers_are_refused() {
    let clear = samples(5, 3);
    let compiled = compile(&small("Relu"), &clear, &options()).unwrap();
    let plan: &Plan = &compiled.plan;
    let (secret, evaluation) = generate(&plan.parameters).unwrap();
    let (other_secret, other_evaluation) = generate(&plan.parameters).unwrap();
    let foreign = |result: Result<(), HeError>, says: &str| match result {
        Err(HeError::Foreign { problem, .. }) => assert!(problem.contains(says), "{problem}"),
        other => panic!("{other:?}"),
    };
    let query = || plan.encrypt(&secret, &clear, threads()).unwrap();
    foreign(
        plan.infer(&other_evaluation, query(), threads(), &mut ())
            .map(drop),
        "made with key",
    );
    let answer = plan
        .infer(&evaluation, query(), threads(), &mut ())
        .unwrap();
    foreign(
        plan.decrypt(&other_secret, &answer).map(drop),
        "made with key",
    );
    let mut second = plan.clone();
    second.network.name = "another".into();
    foreign(
        second
            .infer(&evaluation, query(), threads(), &mut ())
            .map(drop),
        "another plan",
    );
    foreign(second.decrypt(&secret, &answer).map(drop), "another plan");
    let parameters = Parameters::new(4096, 1, 20).unwrap();
    let (small_secret, small_evaluation) = generate(&parameters).unwrap();
    foreign(
        plan.encrypt(&small_secret, &clear, threads()).map(drop),
        "degree 4096",
    );
    foreign(
        plan.infer(&small_evaluation, query(), threads(), &mut ())
            .map(drop),
        "degree 4096",
    );
    foreign(
        plan.decrypt(&small_secret, &answer).map(drop),
        "degree 4096",
    );
}

#[test]
fn noise_bounds_grow_with_every_operation() {
    use trefoil_he::scheme::Arithmetic;
    let bound = NoiseBound::new(&Parameters::new(8192, 2, 30).unwrap());
    let fresh = bound.fresh();
    let product = bound.multiply(&fresh, &fresh).unwrap();
    assert!(product.bits() > fresh.bits() + 30.0);
    let sum = bound.combine(&[(&product, -3), (&fresh, 7)], 5).unwrap();
    assert!(sum.0 > 3.0 * product.0 && sum.0 < 4.0 * product.0);
    assert!(Noise(8.0).bits() == 3.0);
}
