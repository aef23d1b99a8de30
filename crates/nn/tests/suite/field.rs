//! Small models of kinds that people bring, with the right answers of ONNX Runtime, on every back end.

use crate::build::{clear, distance};
use ndarray::ArrayD;
use std::path::Path;
use trefoil_mpc::Cost;
use trefoil_nn::{Fixed, Graph, Options, Plan, Secure, Weights, ready, run, step_costs};
use trefoil_ring::Z64;
use trefoil_testkit::{World, reconstruct};

/// An answer of ONNX Runtime, a model and what it is asked.
struct Field {
    graph: Graph,
    input: ArrayD<f64>,
    right: ArrayD<f64>,
}

fn field(name: &str) -> Field {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/field");
    let read = |ending: &str| -> ArrayD<f64> {
        let array: ArrayD<f32> =
            ndarray_npy::read_npy(folder.join(format!("{name}.{ending}"))).unwrap();
        array.mapv(f64::from)
    };
    let graph = Graph::load(folder.join(format!("{name}.onnx")));
    Field {
        graph: graph.unwrap_or_else(|error| panic!("{error}")),
        input: read("x.npy"),
        right: read("right.npy"),
    }
}

/// The answers of three parties; their rounds and bytes are those that were predicted.
pub(crate) fn on_three_parties(
    plan: &Plan,
    weights: &Weights,
    inputs: &[ArrayD<f64>],
) -> ArrayD<f64> {
    let encoded = inputs
        .iter()
        .map(|x| plan.format().encode_all::<Z64>(x.view()).unwrap());
    let all: Vec<(Vec<usize>, Vec<Z64>)> = weights
        .encode::<Z64>(plan)
        .unwrap()
        .into_iter()
        .chain(encoded)
        .map(|tensor| (tensor.shape().to_vec(), tensor.iter().copied().collect()))
        .collect();
    let result = World::new(5).run(&all, async |party, shares| {
        let backend = Secure::<Z64>::new(party.fork(), plan.format());
        let (weights, inputs) = shares.split_at(plan.weights.len());
        let outputs = run(plan, &backend, weights, inputs.to_vec(), &mut ()).await;
        party.merge(&[backend.party()]);
        outputs
    });
    let found = Cost {
        rounds: result.rounds(),
        bytes: result.traffic.map(|t| t.bytes_sent()),
    };
    let predicted = step_costs(plan).into_iter().fold(Cost::FREE, |a, b| a + b);
    assert_eq!(found, predicted);
    let outputs = result.unwrap();
    let shares = [0, 1, 2].map(|party: usize| &outputs[party][0]);
    let values = reconstruct(shares);
    let values = values.iter().map(|&v| plan.format().decode(v)).collect();
    ArrayD::from_shape_vec(shares[0].shape(), values).unwrap()
}

/// The answers in fixed point.
pub(crate) fn in_fixed_point(
    plan: &Plan,
    weights: &Weights,
    inputs: &[ArrayD<f64>],
) -> ArrayD<f64> {
    let backend = Fixed::<Z64>::new(plan.format(), [7; 16]);
    let inputs = inputs
        .iter()
        .map(|x| backend.encode(x.view()).unwrap())
        .collect();
    let encoded = weights.encode::<Z64>(plan).unwrap();
    let Ok(outputs) = ready(run(plan, &backend, &encoded, inputs, &mut ()));
    backend.decode(outputs[0].view())
}

/// All back ends give what is right.
fn right_everywhere(name: &str) {
    let Field {
        graph,
        input,
        right,
    } = field(name);
    let options = Options {
        batch: Some(input.shape()[0]),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options).unwrap_or_else(|error| panic!("{error}"));
    plan.check().unwrap();
    let inputs = [input];
    for (place, answers) in [
        ("in the clear", clear(&plan, &weights.to_clear(), &inputs)),
        ("in fixed point", in_fixed_point(&plan, &weights, &inputs)),
        (
            "on three parties",
            on_three_parties(&plan, &weights, &inputs),
        ),
    ] {
        let error = distance(&answers, &right);
        assert!(error < 1e-3, "{name} {place}: off by {error}");
    }
}

#[test]
fn quantised_weights_become_numbers_again() {
    right_everywhere("dq_weights_only");
}

#[test]
fn an_if_of_a_constant_takes_its_branch() {
    right_everywhere("if_const");
}

#[test]
fn functions_of_the_file_take_the_place_of_their_calls() {
    right_everywhere("local_function");
}

#[test]
fn outputs_that_nothing_uses_do_not_matter() {
    right_everywhere("multi_out_unused");
}

#[test]
fn negative_pads_cut_off() {
    right_everywhere("pad_negative");
}

#[test]
fn pads_reflect() {
    right_everywhere("pad_reflect");
}

#[test]
fn masks_are_chosen_by_where() {
    right_everywhere("causal_where_1e4");
}

#[test]
fn shapes_of_old_exporters_are_computed() {
    right_everywhere("attention_old_exporter");
}

#[test]
fn squeezing_at_the_batch_of_the_samples() {
    right_everywhere("squeeze_noaxes_batch");
}
