//! Encrypted inference against the same network in the clear: exact in integers, close in floats.

use crate::models::{deep, graph, node, numbers, options, samples, small, vectors};
use ndarray::{Array1, Array2, ArrayD, ArrayView1};
use std::num::NonZeroUsize;
use trefoil_he::poly::{Interval, Method};
use trefoil_he::scheme::{Cipher, Server, generate, generate_with};
use trefoil_he::{
    Compiled, HeError, IntegerLayer, IntegerOperation, NoiseBound, Options, Parameters, Plan,
    compile,
};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Dimension, Element, GraphInput};

pub(crate) fn threads() -> NonZeroUsize {
    NonZeroUsize::new(2).unwrap()
}

fn label(scores: &ArrayView1<'_, f64>) -> usize {
    let mut best = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = at;
        }
    }
    best
}

fn labels(scores: &Array2<f64>) -> Array1<usize> {
    scores.outer_iter().map(|row| label(&row)).collect()
}

pub(crate) fn largest(x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    (x - y).iter().map(|d| d.abs()).fold(0.0, f64::max)
}

/// Encrypt, compute, decrypt; the integers must be those of the clear network, each digit of them. The numbers.
pub(crate) fn encrypted(compiled: &Compiled, samples: &ArrayD<f64>) -> Array2<f64> {
    let plan = &compiled.plan;
    let rotations = plan.program.rotations().unwrap();
    let (secret, evaluation) = generate_with(&plan.program.parameters, &rotations).unwrap();
    let query = plan.encrypt(&secret, samples, threads()).unwrap();
    let answer = plan
        .program
        .infer(&evaluation, query, threads(), &mut ())
        .unwrap();
    let integers = plan.decrypt(&secret, &answer).unwrap();
    assert_eq!(
        integers,
        plan.exact(&plan.encode(samples).unwrap()).unwrap()
    );
    plan.decode(&integers)
}

#[test]
fn a_small_network_with_two_activations() {
    let clear = samples(40, 7);
    let options = Options {
        method: Method::Integrated,
        weight_bits: 6,
        input_bits: 5,
        ..options()
    };
    let compiled = compile(&small("Tanh"), &clear, &options).unwrap();
    let replaced = compiled.replaced(&clear);
    let error = largest(&encrypted(&compiled, &clear), &replaced);
    assert!(error < 0.2, "{error}");
    assert!(largest(&replaced, &compiled.original(&clear)) < 0.7);
}

/// The lowest degree for a stated error, and a given polynomial.
#[test]
fn one_activation_by_each_kind_of_polynomial() {
    let clear = vectors(12, 7);
    let fine = Options {
        degree: 6,
        error: Some(0.05),
        method: Method::Chebyshev,
        widen: 3.0,
        weight_bits: 7,
        ..options()
    };
    let compiled = deep(1, &fine).unwrap();
    let of = |compiled: &Compiled| compiled.plan.activations.iter().flatten().next().cloned();
    let chosen = of(&compiled).unwrap();
    let fit = &chosen.fit;
    assert!(
        fit.max_error <= 0.05 && fit.polynomial.degree() > 1,
        "{fit}"
    );
    assert!(fit.bound.jackson >= fit.polynomial.degree() as f64, "{fit}");
    let error = largest(&encrypted(&compiled, &clear), &compiled.original(&clear));
    assert!(error < 0.2, "{error}");

    // The same polynomial, of which nothing is fitted.
    let mut given = Options {
        degree: 2,
        error: None,
        ..fine
    };
    let polynomial = fit.polynomial.clone();
    given.polynomials.insert(chosen.node.clone(), polynomial);
    let again = of(&deep(1, &given).unwrap()).unwrap().fit;
    assert_eq!(again.method, Method::Given);
    assert_eq!(
        (&again.polynomial, again.max_error),
        (&fit.polynomial, fit.max_error)
    );
    given
        .polynomials
        .insert("none".into(), fit.polynomial.clone());
    match deep(1, &given).err().unwrap() {
        HeError::Input { problem } => assert!(problem.contains("`none`"), "{problem}"),
        other => panic!("{other}"),
    }
}

/// The project's own network with batch normalizations, padding and overlapping averages, from its ONNX file; its softmax is the owner's.
/// The whole of it in integers; on ciphertexts what stands behind the pool, which has half as many inputs and one activation.
#[test]
fn drawn_digits_are_labelled_as_in_the_clear() {
    let graph = Graph::from_bytes(trefoil_digits::NORM, "norm.onnx").unwrap();
    let place = |operator: &str| {
        let at = graph.nodes.iter().position(|n| n.operator == operator);
        at.unwrap()
    };
    let (pool, softmax) = (place("AveragePool"), place("Softmax"));
    let mut whole = graph.clone();
    whole.outputs = vec![graph.nodes[softmax].inputs[0].clone()];
    whole.nodes.truncate(softmax);
    let mut head = whole.clone();
    head.outputs.clone_from(&graph.nodes[pool].outputs);
    head.nodes.truncate(pool + 1);
    let mut tail = whole.clone();
    tail.inputs[0] = GraphInput {
        name: head.outputs[0].clone(),
        shape: [Dimension::Free("batch".into())]
            .into_iter()
            .chain([8, 7, 7].map(Dimension::Fixed))
            .collect(),
        element: Element::Float,
    };
    tail.nodes.drain(..=pool);

    let digits = |count, seed| {
        let (pictures, _) = trefoil_digits::generate(count, seed);
        pictures.mapv(f64::from).into_dyn()
    };
    let (calibration, fresh) = (digits(50, 11), digits(12, 12));
    let few = Options {
        input_bits: 4,
        weight_bits: 6,
        widen: 2.0,
        ..Options::default()
    };
    let agree = |compiled: &Compiled, scores: &Array2<f64>, samples: &ArrayD<f64>| {
        let replaced = compiled.replaced(samples);
        let scale = replaced.iter().map(|v| v.abs()).fold(0.0, f64::max);
        let error = largest(scores, &replaced);
        assert!(error < 0.1 * scale, "{error} of {scale}");
        assert_eq!(labels(scores), labels(&replaced));
    };
    let compiled = compile(&whole, &calibration, &few).unwrap();
    let plan = &compiled.plan;
    let exact = plan.exact(&plan.encode(&fresh).unwrap()).unwrap();
    agree(&compiled, &plan.decode(&exact), &fresh);

    let features = |samples: &ArrayD<f64>, head: &Compiled| {
        let rows = head.original(samples);
        let count = rows.nrows();
        rows.into_shape_with_order(ndarray::IxDyn(&[count, 8, 7, 7]))
            .unwrap()
    };
    let head = compile(&head, &calibration, &few).unwrap();
    let (calibration, fresh) = (features(&calibration, &head), features(&fresh, &head));
    let most = fresh.iter().copied().fold(1.0, f64::max);
    let options = Options {
        input_range: Interval::new(0.0, most).unwrap(),
        ..few
    };
    let calibration = calibration.mapv(|x| x.min(most));
    let compiled = compile(&tail, &calibration, &options).unwrap();
    agree(&compiled, &encrypted(&compiled, &fresh), &fresh);
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
    let (secret, evaluation) = generate(&plan.program.parameters).unwrap();
    let bound = NoiseBound::new(&plan.program.parameters);
    let mut slack = Vec::new();
    for channel in plan.program.parameters.channels().unwrap().iter() {
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
        for cipher in inputs.iter().take(3) {
            assert!(channel.noise(&secret, cipher).unwrap() as f64 <= bound.fresh().bits());
        }
        let server = Server::new(channel, &evaluation).unwrap();
        let mut watch = |index: usize, layer: &IntegerLayer, values: &[Cipher]| {
            // The first ones: measuring takes longer than computing.
            for cipher in values.iter().take(3) {
                let measured = channel.noise(&secret, cipher)? as f64;
                let allowed = plan.program.noise_bits[index];
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
        plan.program
            .network
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
fn noise_bounds_grow_with_every_operation() {
    use trefoil_he::scheme::Arithmetic;
    let bound = NoiseBound::new(&Parameters::new(8192, 2, 30).unwrap());
    let fresh = bound.fresh();
    let product = bound.multiply(&fresh, &fresh).unwrap();
    assert!(product.bits() > fresh.bits() + 30.0);
    let sum = bound.combine(&[(&product, -3), (&fresh, 7)], 5).unwrap();
    assert!(sum.magnitude > 3.0 * product.magnitude && sum.magnitude < 4.0 * product.magnitude);
    assert_eq!((fresh.parts, product.parts, sum.parts), (2, 3, 3));
    // Only three parts are switched to two, at a cost.
    assert_eq!(bound.settle(fresh).unwrap(), fresh);
    let settled = bound.settle(sum).unwrap();
    assert!(settled.magnitude > sum.magnitude && settled.parts == 2);
}

/// The server of an encrypted model sees no weight, and the answers are those of the model in the clear.
#[test]
fn encrypted_models_answer_as_their_plain_ones() {
    let options = Options {
        widen: 3.0,
        ..options()
    };
    let plain = deep(1, &options).unwrap();
    let hidden = Options {
        encrypted_model: true,
        ..options
    };
    let hidden = deep(1, &hidden).unwrap();
    // Nine weights and three constants; averages and moves would need none.
    assert_eq!(hidden.plan.weights.len(), 12);
    let layers = &hidden.plan.program.network.layers;
    let public = layers.iter().all(|layer| match &layer.operation {
        IntegerOperation::Affine(map) => map.rows.iter().flatten().all(|(_, w)| *w == 1),
        _ => true,
    });
    assert!(public);
    let clear = vectors(6, 3);
    let scores = encrypted(&hidden, &clear);
    let exact = plain
        .plan
        .exact(&plain.plan.encode(&clear).unwrap())
        .unwrap();
    assert_eq!(scores, plain.plan.decode(&exact));
    let copy = Plan::from_bytes(&hidden.plan.to_bytes().unwrap()).unwrap();
    assert_eq!(copy, hidden.plan);
}
