//! The guard at three processes of this program over TLS, and at three threads over emulated networks.
//!
//! `cargo run --release -p trefoil-serve --example guard` prints a row for each measurement; `trefoil bench --only guard`
//! does the same with options.
#![allow(clippy::print_stdout)] // Its output is what it is for.

use ndarray::ArrayD;
use std::error::Error;
use std::time::Duration;
use trefoil_guard::{Classifier, GuardFile, NetworkShape, Settings, Steps, Variant};
use trefoil_net::Network;
use trefoil_nn::{Options, Plan, Weights};
use trefoil_serve::{Client, Inference, Link, Service};

/// How long to wait for a party.
const TIMEOUT: Duration = Duration::from_mins(5);

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("party") {
        return Ok(Service::spawned()?.run(&mut |_| ())?);
    }
    println!("| variant | n | steps | link | at once | best s | each s | rounds | MB each |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut tls = Client::processes(&std::env::current_exe()?, Link::Tls, TIMEOUT)?;
    for n in [8, 10, 30, 100] {
        for variant in [Variant::Fast, Variant::Faithful] {
            for inner in [10, 19] {
                row(&mut tls, "TLS, 3 processes", n, inner, variant, 1, 5)?;
            }
        }
    }
    row(&mut tls, "TLS, 3 processes", 10, 10, Variant::Fast, 64, 3)?;
    for (name, network) in [("LAN", "lan"), ("WAN", "wan")] {
        let network: Network = network.parse()?;
        let mut client = Client::in_process(Some(network), TIMEOUT)?;
        row(&mut client, name, 10, 10, Variant::Fast, 1, 1)?;
        if name == "WAN" {
            row(&mut client, name, 10, 10, Variant::Fast, 64, 1)?;
            row(&mut client, name, 100, 10, Variant::Fast, 1, 1)?;
        }
        row(&mut client, name, 10, 10, Variant::Faithful, 1, 1)?;
    }
    Ok(())
}

fn row(
    client: &mut Client,
    link: &str,
    n: usize,
    inner: u32,
    variant: Variant,
    queries: usize,
    repeats: u32,
) -> Result<(), Box<dyn Error>> {
    // Cost does not depend on the weights: any fixed sequence serves.
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let shape = NetworkShape::new(n);
    let classifier = Classifier::sample(&shape, &mut draw)?;
    let mut settings = Settings::new(shape);
    let (outer, beta) = (3, 0.5);
    settings.steps = Steps { outer, inner, beta };
    settings.variant = variant;
    classifier.fit(&mut settings);
    let guard = GuardFile::new(settings, classifier)?;
    let plan = Plan::of_logits(queries, n, &Options::default());
    let weights = Weights::from_tensors(&plan, Vec::new())?;
    let logits = ArrayD::from_shape_simple_fn(vec![queries, n], || 8.0 * draw());
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: Some(&guard),
        inputs: std::slice::from_ref(&logits),
        observe: false,
    };
    let mut best: Option<trefoil_serve::Report> = None;
    for _ in 0..repeats {
        let report = client.infer(&job, &mut |_| ())?.report;
        if best.as_ref().is_none_or(|best| report.wall_s < best.wall_s) {
            best = Some(report);
        }
    }
    let Some(best) = best else { return Ok(()) };
    let bytes: u64 = best.bytes_sent_per_party.iter().sum();
    println!(
        "| {variant:?} | {n} | {outer}x{inner} | {link} | {queries} | {:.3} | {:.4} | {} | {:.2} |",
        best.wall_s,
        best.wall_s / queries as f64,
        best.rounds,
        bytes as f64 / 1e6 / queries as f64
    );
    Ok(())
}
