//! Rounds and bytes of the guard by variant and number of classes, from its cost functions.
//!
//! `cargo run --release -p trefoil-guard --example guard_costs`
#![allow(clippy::print_stdout)] // Its output is what it is for.

use std::time::Instant;
use trefoil_guard::{
    LoadedClassifier, NetworkShape, Settings, Steps, Variant, each_part, part_costs, protect,
};
use trefoil_mpc::Cost;
use trefoil_nn::{Priced, Secure, ready};
use trefoil_ring::Z64;
use trefoil_testkit::World;

fn price(settings: &Settings, rows: usize) -> Cost {
    let backend = Priced::<Z64>::new(settings.format());
    let tensors = settings.shape.tensors();
    let Ok(network) = ready(LoadedClassifier::new(&backend, settings, &tensors));
    let Ok(_) = ready(protect(
        &backend,
        settings,
        &network,
        &vec![rows, settings.classes()],
    ));
    backend.cost()
}

fn main() {
    println!("| variant | h | n | steps | rows | rounds | rounds a step | MB together |");
    println!("|---|---|---|---|---|---|---|---|");
    for hidden in [vec![128, 64], vec![256, 128, 64]] {
        for (outer, inner) in [(3, 10), (3, 19)] {
            for n in [8, 10, 30, 100, 1000] {
                for variant in [Variant::Fast, Variant::Faithful] {
                    for rows in [1, 64] {
                        if variant == Variant::Faithful && (n > 100 || rows > 1) {
                            continue;
                        }
                        let mut settings = Settings::new(NetworkShape {
                            inputs: n,
                            hidden: hidden.clone(),
                        });
                        let beta = 0.5;
                        settings.steps = Steps { outer, inner, beta };
                        settings.variant = variant;
                        let cost = price(&settings, rows);
                        println!(
                            "| {variant:?} | {hidden:?} | {n} | {outer}x{inner} | {rows} | {} | {:.1} | {:.2} |",
                            cost.rounds,
                            f64::from(cost.rounds) / f64::from(outer * inner),
                            cost.total_bytes() as f64 / 1e6 / rows as f64
                        );
                    }
                }
            }
        }
    }
    println!(
        "\nParts at n = 10, h = n-256-128-64-1, one query; times of party 1 of three threads, best of five:\n"
    );
    println!("| part | rounds | bytes: party 0, 1, 2 | ms | ms of 64 at once |");
    println!("|---|---|---|---|---|");
    let settings = Settings::new(NetworkShape::new(10));
    let (one, many) = (times(&settings, 1), times(&settings, 64));
    for (index, (name, cost)) in part_costs(&settings, 1).into_iter().enumerate() {
        let [p0, p1, p2] = cost.bytes;
        println!(
            "| {name} | {} | {p0}, {p1}, {p2} | {:.2} | {:.2} |",
            cost.rounds, one[index], many[index]
        );
    }
}

/// Milliseconds of each part at three threads, the best of five.
fn times(settings: &Settings, rows: usize) -> Vec<f64> {
    let mut best: Vec<f64> = Vec::new();
    for seed in 0..5 {
        // Time does not depend on the values.
        let shapes = settings.shape.tensors();
        let mut inputs: Vec<(Vec<usize>, Vec<Z64>)> = Vec::new();
        for shape in shapes.into_iter().chain([vec![rows, settings.classes()]]) {
            let zeros = vec![Z64::default(); shape.iter().product()];
            inputs.push((shape, zeros));
        }
        let run = World::new(seed).run(&inputs, async |party, shares| {
            let backend = Secure::<Z64>::new(party.fork(), settings.format());
            let Some((logits, tensors)) = shares.split_last() else {
                unreachable!("logits are the last input");
            };
            let network = LoadedClassifier::new(&backend, settings, tensors).await?;
            let mut times = Vec::new();
            let mut start = Instant::now();
            let mut done = |_| {
                times.push(start.elapsed().as_secs_f64() * 1e3);
                start = Instant::now();
            };
            let parts = each_part(&backend, settings, &network, logits, &mut done);
            Box::pin(parts).await?;
            party.merge(&[backend.party()]);
            Ok(times)
        });
        let Ok(times) = &run.outputs[1] else {
            unreachable!("nobody disturbs the parties");
        };
        best.resize(times.len(), f64::INFINITY);
        best.iter_mut()
            .zip(times)
            .for_each(|(best, &now)| *best = best.min(now));
    }
    best
}
