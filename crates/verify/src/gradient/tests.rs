//! Gradients against central differences.

use super::*;
use crate::random::Random;
use trefoil_nn::{Graph, Options};

/// `Σ seed · output` at these weights and this input.
fn value(plan: &Plan, weights: &[ArrayD<f64>], input: &ArrayD<f64>, seed: &ArrayD<f64>) -> f64 {
    (Tape::run(plan, weights, input).output() * seed).sum()
}

/// Compare directional derivatives along random directions, of the input and of each weight, with
/// central differences.
fn agrees(plan: &Plan, weights: &[ArrayD<f64>], input: &ArrayD<f64>, seed: u64) {
    let mut random = Random::seeded(seed);
    let mut normal = |shape: &[usize]| ArrayD::from_shape_fn(shape, |_| random.normal().unwrap());
    let tape = Tape::run(plan, weights, input);
    let seed = normal(tape.output().shape());
    let gradient = tape.backward(&seed, Of::All).unwrap();
    let step = 1e-6;
    let check = |analytic: f64, plus: f64, minus: f64, place: &str| {
        let numeric = (plus - minus) / (2.0 * step);
        let scale = analytic.abs().max(numeric.abs()).max(1e-3);
        assert!(
            (analytic - numeric).abs() < 2e-4 * scale,
            "{place}: {analytic} {numeric}"
        );
    };
    let direction = normal(input.shape());
    let moved = |by: f64| value(plan, weights, &(input + &(&direction * by)), &seed);
    let analytic = (gradient.input(plan) * &direction).sum();
    check(analytic, moved(step), moved(-step), "the input");
    for (index, (part, port)) in gradient
        .weights(plan)
        .into_iter()
        .zip(&plan.weights)
        .enumerate()
    {
        let direction = normal(weights[index].shape());
        let moved = |by: f64| {
            let mut weights = weights.to_vec();
            weights[index] = &weights[index] + &(&direction * by);
            value(plan, &weights, input, &seed)
        };
        check(
            (part * &direction).sum(),
            moved(step),
            moved(-step),
            &port.name,
        );
    }
    // A partial gradient is the same one.
    let inputs = tape.backward(&seed, Of::Inputs).unwrap();
    assert_eq!(inputs.input(plan), gradient.input(plan));
    assert_eq!(
        tape.backward(&seed, Of::Weights).unwrap().weights(plan),
        gradient.weights(plan)
    );
}

#[test]
fn gradients_of_networks_agree_with_differences() {
    let (pictures, _) = trefoil_digits::generate(3, 5);
    let pictures = pictures.mapv(f64::from).into_dyn();
    for (model, name) in [
        (trefoil_digits::MODEL, "digits"),
        (trefoil_digits::LENET5, "lenet5"),
        (trefoil_digits::NORM, "norm"),
    ] {
        let graph = Graph::from_bytes(model, name).unwrap();
        let options = Options {
            batch: Some(3),
            ..Options::default()
        };
        let (plan, weights) = Plan::compile(&graph, &options).unwrap();
        check(&plan).unwrap();
        // Away from the pictures' many equal pixels, at which maxima have kinks.
        let mut random = Random::seeded(9);
        let input =
            &pictures + &ArrayD::from_shape_fn(pictures.shape(), |_| 0.1 * random.unit().unwrap());
        agrees(&plan, &weights.to_clear(), &input, 1);
    }
}
