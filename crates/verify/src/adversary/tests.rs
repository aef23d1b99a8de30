//! Cheating against the formula, tampering against fingerprints: small ones of the experiments in `docs/verify.md`.

use super::*;
use crate::{
    Ascent, Blame, Demand, InRing, MixPlan, Mode, PublicSet, Replayed, derive_tolerance,
    log2_pass_probability, log2_pass_probability_at,
};
use trefoil_net::Role;
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
    let flip = Deviation::FlipMessage {
        role: Role::P1,
        number: 0,
        hides: false,
    };
    assert_eq!(end(flip, 1).harmed, 0);
}

/// A deviation in one recorded batch, and what its replay says.
fn replayed(
    parties: &mut Parties<'_, Z64>,
    deviation: Deviation,
    query: &ArrayD<f64>,
) -> Option<Blame> {
    parties.record();
    parties.deviate(deviation, 1, 1).unwrap();
    // The client may notice by itself that shares do not fit.
    let _ = parties.answer(query);
    parties.replay(0).unwrap()
}

#[test]
fn a_replay_names_the_server_that_altered_any_message() {
    let (network, weights) = model(1);
    let mut parties = Parties::<Z64>::new(&network, &weights).unwrap();
    let query = drawn(1).0;
    let mut random = Random::seeded(7);
    let (mut alone, mut both) = (0, 0);
    for trial in 0..130 {
        let role = Role::ALL[random.below(3).unwrap()];
        let number = random.below(parties.messages(role)).unwrap();
        let hides = trial >= 100;
        let deviation = Deviation::FlipMessage {
            role,
            number,
            hides,
        };
        let blame = replayed(&mut parties, deviation, &query).unwrap();
        match blame {
            Blame::Sender(..) if !hides => {
                assert_eq!(blame.parties(), [role], "{blame}");
                alone += 1;
            }
            // Its word is against the receiver's.
            Blame::Either(roles, _) if hides => {
                assert!(roles.contains(&role), "{blame}");
                both += 1;
            }
            _ => panic!("{deviation:?}: {blame}"),
        }
    }
    assert_eq!((alone, both), (100, 30));
}

#[test]
fn a_replay_names_whoever_deviates_in_another_way_and_nobody_else() {
    let (network, weights) = model(1);
    let (other, _) = {
        let (pictures, labels) = drawn(20);
        let mut tamperer = Tamperer::new(&network, &weights, &pictures, &labels, 3).unwrap();
        tamperer.tamper(Tampering::Weaker).unwrap()
    };
    let parties = Parties::<Z64>::new(&network, &weights).unwrap();
    let mut parties = parties.with_other(&other).unwrap();
    let (pictures, _) = drawn(6);
    let query = pictures.select(Axis(0), &[0]);
    for deviation in [Deviation::ShiftLayer(1.0), Deviation::ShiftLogit(3, 0.25)] {
        let blame = replayed(&mut parties, deviation, &query).unwrap();
        assert!(matches!(blame, Blame::Sender(Role::P1, _)), "{blame}");
    }
    let blame = replayed(&mut parties, Deviation::OneShare, &query).unwrap();
    assert_eq!(blame, Blame::Answer(Role::P1));
    let blame = replayed(&mut parties, Deviation::NegateShares, &query).unwrap();
    assert_eq!(blame, Blame::Answer(Role::P0));
    assert!(replayed(&mut parties, Deviation::OtherModel, &query).is_some());
    let runs =
        ReplayedRuns::new(&mut parties, Deviation::OldAnswer, &pictures, &mut |_| {}).unwrap();
    assert_eq!(runs.false_alarms(), 0);
    assert!(runs.blames().iter().all(Option::is_some));
}

#[test]
fn consistent_cheaters_move_what_they_want_and_all_copies_agree() {
    let (network, weights) = model(1);
    let mut parties = Parties::<Z64>::new(&network, &weights).unwrap();
    let (pictures, _) = drawn(20);
    parties
        .deviate(Deviation::ShiftLogit(3, 0.25), 0, 20)
        .unwrap();
    let honest = parties.answer(&pictures).unwrap();
    parties
        .deviate(Deviation::ShiftLogit(3, 0.25), 20, 20)
        .unwrap();
    let moved = parties.answer(&pictures).unwrap() - &honest;
    for (index, &by) in moved.indexed_iter() {
        let expected = if index[1] == 3 { 0.25 } else { 0.0 };
        assert!((by - expected).abs() < 1e-3, "{index:?}: {by}");
    }
    parties
        .deviate(Deviation::ShiftLogit(3, 100.0), 20, 20)
        .unwrap();
    let chosen = Scores::Classes(10).labels(&parties.answer(&pictures).unwrap());
    assert_eq!(chosen, vec![Some(3); 20]);
    parties.deviate(Deviation::ShiftLayer(1.0), 20, 20).unwrap();
    let moved = parties.answer(&pictures).unwrap() - &honest;
    assert!(moved.iter().any(|by| by.abs() > 0.1), "{moved}");
}

#[test]
fn consistent_cheaters_pass_as_often_as_public_samples_let_them() {
    let (network, weights) = model(1);
    let (pictures, _) = drawn(80);
    let mut honest = InRing::<Z64>::new(&network, &weights, *b"rounding coins 4").unwrap();
    let tolerance = derive_tolerance(&network, &weights, &drawn(2).0).unwrap();
    let labels = Scores::Classes(10).labels(&honest.answer(&pictures).unwrap());
    let labels = labels.into_iter().map(Option::unwrap).collect();
    let pool = PublicSet::new(pictures.clone(), labels).unwrap();
    let plan = Demand {
        tolerated: Some(1),
        ..Demand::new(3, 3.0)
    };
    let plan = plan.cheapest().unwrap();
    let mut parties = Parties::<Z64>::new(&network, &weights).unwrap();
    parties
        .deviate(Deviation::ShiftLogit(3, 6.0), 1000, 1000)
        .unwrap();
    let counted = Consistent::count(&plan, &pictures, &pool, tolerance, &mut parties, (1000, 5));
    let counted = counted.unwrap();
    assert_eq!(counted.tally.disagreed, 0);
    assert!((1..80).contains(&counted.wrong), "{counted:?}");
    let sigma = (1000.0 * counted.predicted * (1.0 - counted.predicted)).sqrt();
    let off = counted.tally.accepted as f64 - 1000.0 * counted.predicted;
    assert!(off.abs() <= 4.0 * sigma + 1e-9, "{counted:?}");
}

#[test]
fn servers_escape_replays_as_often_as_the_formula_says() {
    let (network, weights) = model(1);
    let mut parties = Parties::<Z64>::new(&network, &weights).unwrap();
    let (pictures, _) = drawn(10);
    let deviation = Deviation::ShiftLogit(3, 100.0);
    let runs = ReplayedRuns::new(&mut parties, deviation, &pictures, &mut |_| {}).unwrap();
    assert_eq!(runs.false_alarms(), 0);
    for deviating in [1, 5, 100] {
        for replays in [1, 5, 20] {
            let counted = runs.escapes(100, deviating, replays, 2000, 9).unwrap();
            let (expected, chance) = (2000.0 * counted.predicted, counted.predicted);
            let sigma = (expected * (1.0 - chance)).sqrt();
            let off = (counted.escaped as f64 - expected).abs();
            assert!(off <= 4.0 * sigma, "{counted:?}");
        }
    }
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
