//! Cheating against the formula, tampering against fingerprints: small ones of the experiments in `docs/verify.md`.

use super::*;
use crate::{
    Ascent, Demand, InRing, MixPlan, Mode, PublicSet, derive_tolerance, log2_pass_probability,
    log2_pass_probability_at,
};
use trefoil_nn::{Graph, Options, Plan, Scores, Weights};
use trefoil_ring::Z64;

fn model(batch: usize) -> (Plan, Weights) {
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").unwrap();
    let options = Options {
        batch: Some(batch),
        ..Options::default()
    };
    Plan::compile(&graph, &options).unwrap()
}

fn drawn(count: usize) -> (ArrayD<f64>, Vec<usize>) {
    let (pictures, labels) = trefoil_digits::generate(count, 19);
    let labels = labels.into_iter().map(usize::from).collect();
    (pictures.mapv(f64::from).into_dyn(), labels)
}

/// The plan, the model, and an experiment with samples that the model answers rightly.
fn experiment<'a>(plan: &MixPlan, honest: &mut InRing<'_, Z64>, tolerance: f64) -> Experiment<'a> {
    let (pictures, _) = drawn(60);
    let answers = honest.answer(&pictures).unwrap();
    let labels: Vec<usize> = answers
        .outer_iter()
        .map(|answer| Scores::Classes(10).label(&answer).unwrap())
        .collect();
    let public = PublicSet::new(pictures.clone(), labels).unwrap();
    let public = public.select(&(20..60).collect::<Vec<_>>());
    Experiment::new(plan, &pictures, &public, None, tolerance, honest, 5).unwrap()
}

#[test]
fn the_server_of_the_formula_passes_as_often_as_it_says() {
    let (network, weights) = model(1);
    let mut honest = InRing::<Z64>::new(&network, &weights, *b"rounding coins 1").unwrap();
    let tolerance = derive_tolerance(&network, &weights, &drawn(2).0).unwrap();
    for (bits, tolerated) in [(2.0, 0), (4.0, 2)] {
        let demand = Demand {
            tolerated: Some(tolerated),
            ..Demand::new(5, bits)
        };
        let plan = demand.cheapest().unwrap();
        let (r, b, t) = (plan.queries, plan.copies, plan.public);
        let best = log2_pass_probability(r, b, t, tolerated);
        let corrupted = (1..=plan.runs())
            .find(|&m| log2_pass_probability_at(r, b, t, tolerated, m) > best - 1e-9)
            .unwrap();
        let experiment = experiment(&plan, &mut honest, tolerance);
        let mut servers = experiment.record(&mut honest).unwrap();
        let behaviour = Behaviour::Negate(corrupted);
        let tally = experiment
            .try_behaviour(&mut servers, &behaviour, 2000, &mut |_| {})
            .unwrap();
        let (expected, sigma) = (2000.0 * best.exp2(), (2000.0 * best.exp2()).sqrt());
        // Every trial follows from the seed; four deviations.
        assert!(
            (tally.harmed as f64 - expected).abs() < 4.0 * sigma,
            "{bits}: {tally:?} {expected}"
        );
        assert_eq!(tally.accepted, tally.harmed);
    }
}

#[test]
fn behaviours_end_as_they_should() {
    let (network, weights) = model(1);
    let mut honest = InRing::<Z64>::new(&network, &weights, *b"rounding coins 2").unwrap();
    let tolerance = derive_tolerance(&network, &weights, &drawn(2).0).unwrap();
    let plan = Demand {
        public: Some(20),
        ..Demand::new(6, 16.0)
    };
    let plan = plan.cheapest().unwrap();
    let experiment = experiment(&plan, &mut honest, tolerance);
    let runs = plan.runs();
    let mut end = |behaviour: Behaviour| {
        let mut servers = experiment.record(&mut honest).unwrap();
        experiment
            .try_behaviour(&mut servers, &behaviour, 10, &mut |_| {})
            .unwrap()
    };
    assert_eq!(end(Behaviour::Honest).accepted, 10);
    assert_eq!(end(Behaviour::Delay(Duration::from_millis(1))).accepted, 10);
    assert_eq!(end(Behaviour::Negate(1)).accepted, 0);
    assert_eq!(end(Behaviour::Negate(runs)).inaccurate, 10);
    assert_eq!(end(Behaviour::Label(3, runs)).inaccurate, 10);
    assert_eq!(end(Behaviour::AddError(1, 1.0)).harmed, 0);
    assert_eq!(end(Behaviour::Noise(0.3)).accepted, 0);
    assert_eq!(end(Behaviour::Stop(runs - 1)).failed, 10);
    assert_eq!(end(Behaviour::Replay(runs)).harmed, 0);
}

#[test]
fn three_real_parties_are_caught_as_the_ring_is() {
    let (network, weights) = model(1);
    let mut honest = InRing::<Z64>::new(&network, &weights, *b"rounding coins 3").unwrap();
    let tolerance = derive_tolerance(&network, &weights, &drawn(2).0).unwrap();
    let plan = Demand::new(2, 3.0).cheapest().unwrap();
    let experiment = experiment(&plan, &mut honest, tolerance);
    let mut parties = Parties::<Z64>::new(&network, &weights).unwrap();
    let mut end = |deviation, count| {
        experiment
            .try_deviation(&mut parties, deviation, count, 3, &mut |_| {})
            .unwrap()
    };
    assert_eq!(end(Deviation::NegateShares, 0).accepted, 3);
    assert_eq!(end(Deviation::NegateShares, 1).accepted, 0);
    assert_eq!(end(Deviation::NegateShares, plan.runs()).inaccurate, 3);
    // The client compares the copies of each component of the answer itself.
    assert_eq!(end(Deviation::OneShare, 1).failed, 3);
    assert_eq!(end(Deviation::FlipMessage(0), 1).harmed, 0);
}

#[test]
fn tamperings_move_weights_and_are_noticed_honest_runs_are_not() {
    let (one, weights) = model(1);
    let (lesson, _) = model(8);
    let (pictures, labels) = drawn(60);
    let natural = pictures.select(Axis(0), &(0..6).collect::<Vec<_>>());
    let ascent = Ascent::within(0.0, 1.0).steps(4);
    let detection = Detection::new(&one, &weights, &natural, 3, &ascent, 2, &mut |_| {}).unwrap();
    for row in detection.honest(30, &mut |_| {}).unwrap() {
        assert_eq!(row.noticed, [0, 0, 0], "{row:?}");
    }
    let mut tamperer = Tamperer::new(&lesson, &weights, &pictures, &labels, 3).unwrap();
    let whole = tamperer.accuracy(&weights);
    assert!(whole > 0.9, "{whole}");
    for kind in Tampering::ALL {
        let rows = detection
            .tampered(&mut tamperer, kind, 3, &mut |_| {})
            .unwrap();
        let row = rows
            .iter()
            .find(|row| row.sensitive && row.mode == Mode::Confidences)
            .unwrap();
        assert!(row.moved > 1e-5, "{row:?}");
        assert!(row.noticed[2] >= 2, "{row:?}");
        assert!(row.noticed.is_sorted());
    }
    assert!(Tamperer::new(&lesson, &weights, &pictures, &labels[1..], 3).is_err());
}

#[test]
fn retraining_teaches_what_it_is_told() {
    let (lesson, weights) = model(16);
    let (pictures, labels) = drawn(16);
    let taught: Vec<usize> = labels.iter().map(|label| (label + 1) % 10).collect();
    let mut tensors = weights.to_clear();
    let wrong = retrain::Lesson {
        samples: pictures.clone(),
        labels: taught.clone(),
    };
    for _ in 0..30 {
        retrain::step(&lesson, &mut tensors, &wrong, 0.02).unwrap();
    }
    let weights = Weights::from_tensors(&lesson, tensors).unwrap();
    let tamperer = Tamperer::new(&lesson, &weights, &pictures, &taught, 1).unwrap();
    assert!(tamperer.accuracy(&weights) > 0.8);
}
