//! What the first answer of a deployed model takes, and what the next ones take in the same session.
//!
//! `cargo run --release -p trefoil --example again -- PROGRAM [MODEL.onnx]` starts `PROGRAM` (`trefoil-party` or `trefoil`) as three
//! processes over TLS, and asks LeNet-5, or the model, for one random sample five times.

#![allow(clippy::print_stdout, reason = "an example prints")]

use ndarray::ArrayD;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use trefoil::{Compile, Error, Link, Parties, Samples, Source, text};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let program = arguments
        .next()
        .ok_or_else(|| Error::misuse("name the program of a party, such as trefoil-party"))?;
    let source = match arguments.next() {
        Some(model) => Source::open(&model)?,
        None => Source::from_bytes(trefoil_digits::LENET5, "lenet5.onnx")?,
    };
    let compile = Compile {
        batch: Some(1),
        ..Compile::default()
    };
    let model = source.compile(1, &compile)?;
    let shape = model.plan.shape(model.plan.inputs[0].value);
    let mut rng = trefoil_digits::Rng::with_seed(1);
    let samples = Samples::of(ArrayD::from_shape_simple_fn(shape, || rng.f64()));
    let parties = Parties::spawn(&program, Link::Tls, Duration::from_mins(5))?;
    let mut deployment = parties.deploy(&model);
    let mut shared = 0;
    for number in 1..=5 {
        let start = Instant::now();
        deployment.answer(&samples)?;
        let sent = deployment.report.shared_bytes;
        println!(
            "answer {number}: {}, {} shared",
            text::time(start.elapsed().as_secs_f64()),
            text::bytes(sent - shared)
        );
        shared = sent;
    }
    Ok(())
}
