//! One encrypted sample, from the owner to the server and back: times and sizes of single packing, on networks of random weights.
//!
//! Run with `cargo run --release -p trefoil-he --example single [RUNS]`.
#![allow(clippy::print_stdout)] // That is what an example does.

use ndarray::{ArrayD, IxDyn};
use rand::Rng;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Instant;
use trefoil_he::scheme::generate_with;
use trefoil_he::{Options, Packing, compile};
use trefoil_nn::Graph;
use trefoil_nn::graph::{Attribute, Constant, Dimension, Element, GraphInput, Node};

fn main() -> Result<(), Box<dyn Error>> {
    let runs = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 3,
    };
    let mlp = [
        step("Gemm", "first", &[446, 64]),
        step("Relu", "act", &[]),
        step("Gemm", "second", &[64, 30]),
    ];
    let bits = Options {
        input_bits: 1,
        weight_bits: 6,
        ..Options::default()
    };
    run("Location30's network, 446-64-30", &[446], &mlp, &bits, runs)?;
    let cnn = [
        step("Conv", "conv", &[5, 1, 5, 5]),
        step("Relu", "act1", &[]),
        step("Flatten", "flat", &[]),
        step("Gemm", "dense", &[845, 100]),
        step("Relu", "act2", &[]),
        step("Gemm", "scores", &[100, 10]),
    ];
    let bits = Options {
        input_bits: 4,
        weight_bits: 6,
        ..Options::default()
    };
    run("MNIST, 845-100-10", &[1, 28, 28], &cnn, &bits, runs)
}

/// Compile, and answer the same sample a few times: the fastest of each step.
fn run(
    name: &str,
    shape: &[usize],
    steps: &[Step],
    bits: &Options,
    runs: usize,
) -> Result<(), Box<dyn Error>> {
    let options = Options {
        packing: Packing::Single,
        widen: 2.0,
        ..bits.clone()
    };
    let mut rng = rand::rng();
    let all: Vec<usize> = [20].iter().chain(shape).copied().collect();
    let calibration = ArrayD::from_shape_simple_fn(all, || f64::from(rng.random_range(0..2)));
    let plan = compile(&graph(shape, steps), &calibration, &options)?.plan;
    let program = &plan.program;
    let sizes = program.sizes()?;
    println!("{name}: {}", program.parameters);
    println!(
        "  evaluation key {} bytes, query {}, answer {}",
        sizes.evaluation_key, sizes.query, sizes.answer
    );
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    println!(
        "  {:?} for each modulus; {threads} threads",
        program.operations()?
    );
    let (secret, evaluation) = generate_with(&program.parameters, &program.rotations()?)?;
    let start = Instant::now();
    let prepared = program.prepare(threads)?;
    println!("  made ready, once: {:.3} s", start.elapsed().as_secs_f64());
    let sample = calibration.select(ndarray::Axis(0), &[0]);
    let exact = plan.exact(&plan.encode(&sample)?)?;
    let mut best = [f64::INFINITY; 3];
    for _ in 0..runs {
        let mut times = [0.0; 3];
        let start = Instant::now();
        let query = plan.encrypt(&secret, &sample, threads)?;
        times[0] = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let answer = prepared.infer(&evaluation, query, threads, &mut ())?;
        times[1] = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let right = plan.decrypt(&secret, &answer)? == exact;
        times[2] = start.elapsed().as_secs_f64();
        if !right {
            return Err("an answer is not that of the network in the clear".into());
        }
        best.iter_mut()
            .zip(times)
            .for_each(|(best, time)| *best = best.min(time));
    }
    let [encrypt, infer, decrypt] = best;
    println!(
        "  encryption {encrypt:.3} s, inference {infer:.3} s, decryption {decrypt:.3} s, in all {:.3} s: the best of {runs}; all digits right\n",
        encrypt + infer + decrypt
    );
    Ok(())
}

/// An operator of a chain, and the shape of its weights.
struct Step {
    operator: &'static str,
    name: &'static str,
    weights: Vec<usize>,
}

fn step(operator: &'static str, name: &'static str, weights: &[usize]) -> Step {
    Step {
        operator,
        name,
        weights: weights.to_vec(),
    }
}

/// A chain of operators with random weights.
fn graph(shape: &[usize], steps: &[Step]) -> Graph {
    let mut rng = rand::rng();
    let mut draw = |shape: &[usize], terms: usize| {
        let scale = (3.0 / terms as f64).sqrt();
        ArrayD::from_shape_simple_fn(IxDyn(shape), || rng.random_range(-scale..scale))
    };
    let mut nodes = Vec::new();
    let mut constants = Vec::new();
    let mut last = "x".to_owned();
    for Step {
        operator,
        name,
        weights,
    } in steps
    {
        let mut inputs = vec![last];
        if let Some((&first, rest)) = weights.split_first() {
            // Convolutions have their outputs in front, dense layers behind.
            let (outputs, terms) = match operator {
                &"Conv" => (first, rest.iter().product()),
                _ => (rest[0], first),
            };
            for (kind, value) in [
                ("w", draw(weights, terms)),
                ("b", draw(&[outputs], outputs * terms)),
            ] {
                constants.push((format!("{name}.{kind}"), Constant::Double(value)));
                inputs.push(format!("{name}.{kind}"));
            }
        }
        let window = [
            ("strides".to_owned(), Attribute::Ints(vec![2, 2])),
            ("pads".to_owned(), Attribute::Ints(vec![1; 4])),
        ];
        let is_window = *operator == "Conv";
        nodes.push(Node {
            name: (*name).into(),
            operator: (*operator).into(),
            inputs,
            outputs: vec![(*name).into()],
            attributes: window.into_iter().filter(|_| is_window).collect(),
            opset: 17,
        });
        last = String::from(*name);
    }
    let own = shape.iter().map(|&size| Dimension::Fixed(size));
    let batch = Dimension::Free("batch".into());
    Graph {
        file: "random".into(),
        name: "random".into(),
        opset: 17,
        inputs: vec![GraphInput {
            name: "x".into(),
            shape: std::iter::once(batch).chain(own).collect(),
            element: Element::Float,
        }],
        outputs: vec![last],
        nodes,
        initializers: constants.into_iter().collect(),
    }
}
