//! Batches of sessions that are over, opened and computed again.

#![allow(clippy::unwrap_used)]

use ndarray::{ArrayD, Axis, Slice};
use std::io::Write;
use std::time::Duration;
use trefoil_nn::{Graph, Options, Plan, Weights};
use trefoil_serve::{Client, Inference};

fn digits(ring_bits: u32) -> (Plan, Weights) {
    let mut file = tempfile::NamedTempFile::with_suffix(".onnx").unwrap();
    file.write_all(trefoil_digits::MODEL).unwrap();
    let graph = Graph::load(file.path()).unwrap();
    let options = Options {
        batch: Some(2),
        ..Options::ring(ring_bits)
    };
    Plan::compile(&graph, &options).unwrap()
}

fn pictures(count: usize) -> ArrayD<f64> {
    trefoil_digits::generate(count, 5)
        .0
        .mapv(f64::from)
        .into_dyn()
}

#[test]
fn recorded_batches_are_replayed_and_another_model_is_noticed() {
    for ring_bits in [64, 32] {
        let (plan, weights) = digits(ring_bits);
        let inputs = [pictures(5)];
        let job = Inference {
            plan: &plan,
            weights: &weights,
            guard: None,
            inputs: &inputs,
            observe: false,
        };
        let mut client = Client::in_process(None, Duration::from_secs(30)).expect("a client");
        let plain = client.infer(&job, &mut |_| {}).expect("an answer");
        let (outcome, receipt) = client
            .infer_with_receipt(&job, &mut |_| {})
            .expect("an answer");
        assert_eq!(receipt.batches(), 3);
        // Recording costs no message and no byte between the parties.
        assert_eq!(outcome.report.rounds, plain.report.rounds);
        assert_eq!(
            outcome.report.bytes_sent_per_party,
            plain.report.bytes_sent_per_party
        );
        for batch in 0..3 {
            let blame = client.replay(&job, &receipt, batch).expect("a replay");
            assert_eq!(blame, None);
        }
        // To whoever meant another model, or other queries, all three deviated.
        let mut tensors = weights.to_clear();
        tensors[0].iter_mut().for_each(|weight| *weight += 0.5);
        let other = Weights::from_tensors(&plan, tensors).expect("weights in range");
        let meant = Inference {
            weights: &other,
            ..job
        };
        let blame = client.replay(&meant, &receipt, 1).expect("a replay");
        assert!(blame.is_some());
        let later = [inputs[0].slice_axis(Axis(0), Slice::from(1..)).to_owned()];
        let meant = Inference {
            inputs: &later,
            ..job
        };
        assert!(
            client
                .replay(&meant, &receipt, 0)
                .expect("a replay")
                .is_some()
        );
    }
}

#[test]
fn what_is_not_recorded_is_not_opened() {
    let (plan, weights) = digits(64);
    let inputs = [pictures(2)];
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let mut client = Client::in_process(None, Duration::from_secs(30)).expect("a client");
    let (_, receipt) = client
        .infer_with_receipt(&job, &mut |_| {})
        .expect("an answer");
    // Other parties know nothing of that session.
    let mut others = Client::in_process(None, Duration::from_secs(30)).expect("a client");
    let error = others.replay(&job, &receipt, 0).expect_err("no record");
    assert!(error.to_string().contains("keeps no record"), "{error}");
}
