//! Every case on three parties: answers as in the clear, rounds and bytes as predicted.

use crate::build::{clear, distance, random};
use crate::cases;
use trefoil_mpc::Cost;
use trefoil_nn::{Options, Plan, RunRing, Secure, run, step_costs};
use trefoil_ring::{Z32, Z64};
use trefoil_testkit::{World, reconstruct};

fn secure_agrees<R: RunRing>(tolerance: f64) {
    let mut failures = Vec::new();
    for (case, seed) in cases::all().into_iter().zip(1..) {
        let inputs: Vec<_> = case
            .inputs
            .iter()
            .zip(1..)
            .map(|(shape, seed)| random(shape, seed))
            .collect();
        let graph = case.model.read().unwrap();
        let (plan, weights) = Plan::compile(&graph, &Options::ring(R::BITS)).unwrap();
        let expected = clear(&plan, &weights.to_clear(), &inputs);
        let encoded = inputs
            .iter()
            .map(|x| plan.format().encode_all::<R>(x.view()).unwrap());
        let all: Vec<(Vec<usize>, Vec<R>)> = weights
            .encode::<R>(&plan)
            .unwrap()
            .into_iter()
            .chain(encoded)
            .map(|tensor| (tensor.shape().to_vec(), tensor.iter().copied().collect()))
            .collect();
        let result = World::new(seed).run(&all, async |party, shares| {
            let backend = Secure::<R>::new(party.fork(), plan.format());
            let (weights, inputs) = shares.split_at(plan.weights.len());
            let outputs = run(&plan, &backend, weights, inputs.to_vec(), &mut ()).await;
            party.merge(&[backend.party()]);
            outputs
        });
        let found = Cost {
            rounds: result.rounds(),
            bytes: result.traffic.map(|t| t.bytes_sent()),
        };
        let predicted = step_costs(&plan).into_iter().fold(Cost::FREE, |a, b| a + b);
        if found != predicted {
            failures.push(format!("{}: {found:?}, predicted {predicted:?}", case.name));
        }
        let outputs = result.unwrap();
        let values = reconstruct([&outputs[0][0], &outputs[1][0], &outputs[2][0]]);
        let values = values.iter().map(|&v| plan.format().decode(v)).collect();
        let actual = ndarray::ArrayD::from_shape_vec(outputs[0][0].shape(), values).unwrap();
        let error = distance(&actual, &expected);
        if error > tolerance {
            failures.push(format!("{}: off by {error}", case.name));
        }
    }
    assert!(
        failures.is_empty(),
        "{} bits:\n{}",
        R::BITS,
        failures.join("\n")
    );
}

#[test]
fn three_parties_agree_with_clear() {
    // As in fixed point, and functions off by 2^-14 at most.
    secure_agrees::<Z64>(200.0 * (-20_f64).exp2());
}

#[test]
fn three_parties_agree_with_clear_in_32_bits() {
    secure_agrees::<Z32>(200.0 * (-10_f64).exp2());
}
