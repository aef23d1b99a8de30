//! Rounds and bytes of the guard by variant and number of classes, from its cost functions.
//!
//! `cargo run -p trefoil-guard --example costs`
#![allow(clippy::print_stdout)] // Its output is what it is for.

use trefoil_guard::{Network, NetworkShape, Settings, Steps, Variant, part_costs, protect};
use trefoil_mpc::Cost;
use trefoil_nn::{Priced, ready};
use trefoil_ring::Z64;

fn price(settings: &Settings, rows: usize) -> Cost {
    let backend = Priced::<Z64>::new(settings.format());
    let tensors = settings.shape.tensors();
    let Ok(network) = ready(Network::new(&backend, settings, &tensors));
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
    println!("\nParts at n = 10, h = n-256-128-64-1, one query:\n");
    println!("| part | rounds | bytes: party 0, 1, 2 |");
    println!("|---|---|---|");
    for (name, cost) in part_costs(&Settings::new(NetworkShape::new(10)), 1) {
        let [zero, one, two] = cost.bytes;
        println!("| {name} | {} | {zero}, {one}, {two} |", cost.rounds);
    }
}
