//! What it costs to hide the model as well: a network of 16-8-4 with random weights, with its weights in the program and with its weights
//! encrypted. Costs do not depend on the weights.
//!
//!     cargo run --release -p trefoil-he --example encrypted_model

#![allow(clippy::print_stdout)]

use ndarray::{ArrayD, IxDyn};
use rand::Rng;
use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;
use trefoil_he::scheme::generate;
use trefoil_he::{Options, compile};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Constant, Dimension, Element, GraphInput, Node};

const SIZES: [usize; 3] = [16, 8, 4];

fn main() -> Result<(), Box<dyn Error>> {
    let graph = graph();
    let samples = random(&[200, SIZES[0]]).mapv(|x| x.midpoint(1.0));
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    for encrypted_model in [false, true] {
        let options = Options {
            encrypted_model,
            widen: 2.0,
            input_bits: 4,
            weight_bits: 6,
            ..Options::default()
        };
        let compiled = compile(&graph, &samples, &options)?;
        let plan = &compiled.plan;
        println!(
            "{} in the program, {} encrypted weights\n  {}",
            if encrypted_model {
                "nothing"
            } else {
                "weights"
            },
            plan.weights.len(),
            plan.program.parameters
        );
        let (secret, evaluation) = generate(&plan.program.parameters)?;
        let start = Instant::now();
        let query = plan.encrypt(&secret, &samples, threads)?;
        let encryption = start.elapsed().as_secs_f64();
        let bytes = query.to_bytes(&plan.program)?.len();
        let start = Instant::now();
        let answer = plan.program.infer(&evaluation, query, threads, &mut ())?;
        println!(
            "  encryption {encryption:.2} s, query {bytes} bytes, inference {:.2} s on {threads} threads",
            start.elapsed().as_secs_f64()
        );
        let exact = plan.exact(&plan.encode(&samples)?)?;
        println!(
            "  integers equal to those in the clear: {}",
            plan.decrypt(&secret, &answer)? == exact
        );
    }
    Ok(())
}

/// Numbers in [-1, 1).
fn random(shape: &[usize]) -> ArrayD<f64> {
    let mut rng = rand::rng();
    ArrayD::from_shape_simple_fn(IxDyn(shape), || rng.random_range(-1.0..1.0))
}

/// Dense, `Relu`, dense.
fn graph() -> Graph {
    let node = |operator: &str, name: &str, inputs: &[&str]| Node {
        name: name.into(),
        operator: operator.into(),
        inputs: inputs.iter().map(|&input| input.into()).collect(),
        outputs: vec![name.into()],
        attributes: BTreeMap::new(),
        opset: 17,
    };
    let shape = [Dimension::Free("batch".into()), Dimension::Fixed(SIZES[0])];
    let weights = [("w1", [SIZES[0], SIZES[1]]), ("w2", [SIZES[1], SIZES[2]])];
    Graph {
        file: "small".into(),
        name: "small".into(),
        opset: 17,
        inputs: vec![GraphInput {
            name: "x".into(),
            shape: shape.into_iter().collect(),
            element: Element::Float,
        }],
        outputs: vec!["scores".into()],
        nodes: vec![
            node("MatMul", "hidden", &["x", "w1"]),
            node("Relu", "relu", &["hidden"]),
            node("MatMul", "scores", &["relu", "w2"]),
        ],
        initializers: weights
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), Constant::Double(random(&shape))))
            .collect(),
    }
}
