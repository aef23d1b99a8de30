//! What a plan is said to cost is what it costs: rounds and bytes of every step, before and after a run.

#![allow(clippy::expect_used)]

use std::time::Duration;
use trefoil_nn::{Cost, Graph, Options, Plan, step_costs};
use trefoil_serve::{Client, Inference};

/// Predict `model`, run it at three threads, and compare.
fn exact(name: &str, model: &[u8], ring_bits: u32, batch: usize) {
    let graph = Graph::from_bytes(model, name).expect("a good model");
    let options = Options {
        batch: Some(batch),
        ..Options::ring(ring_bits)
    };
    let (plan, weights) = Plan::compile(&graph, &options).expect("a plan");
    let predicted = step_costs(&plan);
    let (pictures, _) = trefoil_digits::generate(batch, 3);
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &[pictures.mapv(f64::from).into_dyn()],
        observe: false,
    };
    let mut client = Client::in_process(None, Duration::from_mins(1)).expect("a client");
    let report = client.infer(&job, &mut |_| ()).expect("an answer").report;
    let measured = &report.phases[report.phases.len() - plan.steps.len()..];
    let case = format!("{name}, ring of {ring_bits} bits, batch {batch}");
    assert_eq!(predicted.len(), measured.len(), "{case}");
    for (predicted, measured) in predicted.iter().zip(measured) {
        let measured_cost = Cost {
            rounds: measured.rounds,
            bytes: measured.bytes_sent,
        };
        assert_eq!(*predicted, measured_cost, "{case}: {}", measured.name);
    }
    let all = Cost {
        rounds: report.rounds,
        bytes: report.bytes_sent_per_party,
    };
    let sum = predicted.iter().fold(Cost::FREE, |sum, &cost| sum + cost);
    assert_eq!(sum, all, "{case}");
    assert!(sum.rounds > 0, "{case}");
}

fn on_both_rings_and_batches(name: &str, model: &[u8]) {
    for ring_bits in [32, 64] {
        for batch in [1, 5] {
            exact(name, model, ring_bits, batch);
        }
    }
}

#[test]
fn digits_costs_what_was_said() {
    on_both_rings_and_batches("digits.onnx", trefoil_digits::MODEL);
}

#[test]
fn lenet5_costs_what_was_said() {
    on_both_rings_and_batches("lenet5.onnx", trefoil_digits::LENET5);
}

#[test]
fn norm_costs_what_was_said() {
    on_both_rings_and_batches("norm.onnx", trefoil_digits::NORM);
}
