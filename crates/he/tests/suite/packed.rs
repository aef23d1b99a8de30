//! Single packing: the same integers as throughput packing, noise below its bound, keys that fit.

use crate::infer::{encrypted, largest, threads};
use crate::models::{graph, node, numbers, options, samples, small, with};
use ndarray::ArrayD;
use trefoil_he::scheme::{Cipher, generate, generate_with};
use trefoil_he::{Compiled, HeError, IntegerLayer, Options, Packing, Plan, compile};
use trefoil_nn::graph::Attribute;

fn single() -> Options {
    Options {
        packing: Packing::Single,
        ..options()
    }
}

/// A convolution of few terms whose input is gathered, an activation, a layer of more rows than columns, an activation, a layer of fewer.
fn gathered() -> (Compiled, ArrayD<f64>) {
    let nodes = vec![
        with(
            node("Conv", "conv", &["x", "w1", "b1"], "c"),
            "strides",
            Attribute::Ints(vec![2, 2]),
        ),
        node("Relu", "act1", &["c"], "a"),
        node("Flatten", "flat", &["a"], "f"),
        node("Gemm", "narrow", &["f", "w2", "b2"], "n"),
        node("Relu", "act2", &["n"], "t"),
        node("Gemm", "wide", &["t", "w3", "b3"], "y"),
    ];
    let constants = [
        ("w1", numbers(1, &[2, 1, 2, 2])),
        ("b1", numbers(2, &[2])),
        ("w2", numbers(3, &[50, 3])),
        ("b2", numbers(4, &[3])),
        ("w3", numbers(5, &[3, 20])),
        ("b3", numbers(6, &[20])),
    ];
    let model = graph(&[1, 10, 10], nodes, &constants, "y");
    let clear = numbers(7, &[30, 1, 10, 10]).mapv(|x| x.midpoint(1.0));
    (compile(&model, &clear, &single()).unwrap(), clear)
}

/// Those of a few samples.
fn few(clear: &ArrayD<f64>) -> ArrayD<f64> {
    clear.select(ndarray::Axis(0), &[0, 1])
}

#[test]
fn single_samples_decrypt_to_the_integers_of_the_clear_network() {
    let (compiled, clear) = gathered();
    // Four weights for the taps, three rows of 50 in four diagonals, 20 rows of 3 in 22 of 32; a square and its relinearisation each.
    let operations = compiled.plan.program.operations().unwrap();
    assert_eq!((operations.products, operations.settled), (2, 2));
    assert_eq!(operations.weighed, 4 + 4 + 22);
    // One each for the taps of the convolution.
    let sizes = compiled.plan.program.sizes().unwrap();
    let parameters = &compiled.plan.program.parameters;
    let cipher = (parameters.degree() as f64 * parameters.cipher_bits() / 8.0).floor();
    let ciphers = sizes.query as f64 / cipher / parameters.plain_moduli().len() as f64;
    assert!((ciphers - 4.0).abs() < 0.1, "{ciphers}");
    assert!(
        largest(
            &encrypted(&compiled, &few(&clear)),
            &compiled.replaced(&few(&clear))
        ) < 3.0
    );

    // A residual sum, average pooling, inputs as they are.
    let clear = samples(40, 7);
    let compiled = compile(&small("Tanh"), &clear, &single()).unwrap();
    let scores = encrypted(&compiled, &few(&clear));
    assert!(largest(&scores, &compiled.replaced(&few(&clear))) < 0.5);
    let copy = Plan::from_bytes(&compiled.plan.to_bytes().unwrap()).unwrap();
    assert_eq!(copy, compiled.plan);
}

#[test]
fn noise_of_rotations_and_weights_is_below_its_bound_and_not_far() {
    let (compiled, clear) = gathered();
    let plan = &compiled.plan;
    let program = &plan.program;
    let rotations = program.rotations().unwrap();
    let (secret, evaluation) = generate_with(&program.parameters, &rotations).unwrap();
    let channels = program.parameters.channels().unwrap();
    let query = plan.encrypt(&secret, &few(&clear), threads()).unwrap();
    // Two samples.
    let query_bytes = query.to_bytes(program).unwrap().len() as u64 / 2;
    let mut slack = Vec::new();
    // Any channel measures any ciphertext of its own modulus; with one thread they come in order.
    let layers = program.network.layers.len();
    let mut watch = |index: usize, layer: &IntegerLayer, values: &[Cipher]| {
        let channel = &channels[slack.len() / (2 * layers)];
        let measured = channel.noise(&secret, &values[0])? as f64;
        let allowed = program.noise_bits[index];
        assert!(
            measured <= allowed + 1.0,
            "{}: {measured} {allowed}",
            layer.name
        );
        slack.push(allowed - measured);
        Ok(())
    };
    let answer = program
        .infer(&evaluation, query, std::num::NonZeroUsize::MIN, &mut watch)
        .unwrap();
    let answer_bytes = answer.to_bytes(program).unwrap().len() as u64 / 2;
    let key_bytes = evaluation.to_bytes().unwrap().len() as u64;
    let sizes = program.sizes().unwrap();
    for (foreseen, written) in [
        (sizes.query, query_bytes),
        (sizes.answer, answer_bytes),
        (sizes.evaluation_key, key_bytes),
    ] {
        let ratio = written as f64 / foreseen as f64;
        assert!((0.99..1.01).contains(&ratio), "{written} of {foreseen}");
    }
    assert_eq!(slack.len(), 2 * layers * channels.len());
    let most = slack.into_iter().fold(0.0, f64::max);
    assert!(
        most < 40.0,
        "the bound is {most} bits above what is measured"
    );
}

#[test]
fn keys_without_rotations_large_values_and_encrypted_models_are_refused() {
    let (compiled, clear) = gathered();
    let plan = &compiled.plan;
    let (secret, evaluation) = generate(&plan.program.parameters).unwrap();
    let query = plan.encrypt(&secret, &few(&clear), threads()).unwrap();
    match plan
        .program
        .infer(&evaluation, query, threads(), &mut ())
        .err()
    {
        Some(HeError::Foreign { what, problem }) => {
            assert_eq!(what, "evaluation key");
            assert!(problem.contains("rotations"), "{problem}");
        }
        _ => panic!("computed without rotations"),
    }
    let model = graph(
        &[9000],
        vec![node("MatMul", "dense", &["x", "w"], "y")],
        &[("w", numbers(3, &[9000, 2]))],
        "y",
    );
    let wide = numbers(2, &[2, 9000]).mapv(|x| x.midpoint(1.0));
    match compile(&model, &wide, &single()).err() {
        Some(HeError::Unsupported { node, reason, .. }) => {
            assert_eq!(node, "the input");
            assert!(reason.contains("pack batches"), "{reason}");
        }
        _ => panic!("too many elements were packed"),
    }
    let hidden = Options {
        encrypted_model: true,
        ..single()
    };
    let error = crate::models::deep(1, &hidden).err().unwrap().to_string();
    assert!(error.contains("throughput packing"), "{error}");
}
