//! Mixes against servers that answer from a rule.

use super::*;
use crate::{Demand, InRing, InTheClear, Mode, derive_tolerance};
use ndarray::{Array2, Axis};
use std::collections::HashMap;
use std::convert::Infallible;
use trefoil_nn::{Graph, Options, Plan};
use trefoil_ring::Z64;

/// Answers each sample `[k, …]` with 1 at class `k`, and lets a test change answers by run.
struct Rule<F> {
    asked: usize,
    requests: Vec<usize>,
    change: F,
}

impl<F: FnMut(usize, usize, &mut [f64])> Servers for Rule<F> {
    type Error = Infallible;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        let mut answers = Array2::zeros((queries.len_of(Axis(0)), 4));
        self.requests.push(queries.len_of(Axis(0)));
        for (query, mut answer) in queries.outer_iter().zip(answers.outer_iter_mut()) {
            let sample = query[0] as usize;
            answer[sample % 4] = 1.0;
            if let Some(answer) = answer.as_slice_mut() {
                (self.change)(self.asked, sample, answer);
            }
            self.asked += 1;
        }
        Ok(answers.into_dyn())
    }
}

fn rule<F: FnMut(usize, usize, &mut [f64])>(change: F) -> Rule<F> {
    let requests = Vec::new();
    Rule {
        asked: 0,
        requests,
        change,
    }
}

/// Samples `[first, 0], [first + 1, 0], …`.
fn samples(first: usize, count: usize) -> ArrayD<f64> {
    let value = |(i, j): (usize, usize)| if j == 0 { (first + i) as f64 } else { 0.0 };
    Array2::from_shape_fn((count, 2), value).into_dyn()
}

fn public(count: usize) -> PublicSet {
    PublicSet::new(
        samples(100, count),
        (100..100 + count).map(|k| k % 4).collect(),
    )
    .unwrap()
}

fn plan() -> MixPlan {
    let demand = Demand {
        tolerated: Some(1),
        ..Demand::new(6, 8.0)
    };
    demand.cheapest().unwrap()
}

fn ask(plan: &MixPlan, change: impl FnMut(usize, usize, &mut [f64])) -> Checked {
    let (queries, public) = (samples(0, 6), public(plan.public));
    let samples = Samples {
        queries: &queries,
        public: &public,
        fingerprint: None,
        scores: Scores::Classes(4),
    };
    let mix = Mix::new(plan, samples).unwrap();
    mix.ask(&mut rule(change), 0.01, 5, &mut |_| {}).unwrap()
}

#[test]
fn honest_answers_come_back_in_the_order_of_the_queries() {
    let checked = ask(&plan(), |_, _, _| {});
    assert_eq!(checked.comparison.verdict, Verdict::Accepted);
    let answers = checked.answers().unwrap();
    assert_eq!(answers.shape(), [6, 4]);
    for query in 0..6 {
        assert_eq!(
            Scores::Classes(4).label(&answers.index_axis(Axis(0), query)),
            Some(query % 4)
        );
    }
    assert_eq!(checked.comparison.runs, plan().runs());
}

#[test]
fn every_run_is_asked_once_in_requests_of_the_size_and_in_another_order_each_time() {
    let plan = plan();
    let mut orders = Vec::new();
    for _ in 0..2 {
        let mut order = Vec::new();
        let (queries, public) = (samples(0, 6), public(plan.public));
        let samples = Samples {
            queries: &queries,
            public: &public,
            fingerprint: None,
            scores: Scores::Classes(4),
        };
        let mut servers = rule(|_, sample, _: &mut [f64]| order.push(sample));
        let mix = Mix::new(&plan, samples).unwrap();
        let mut told = Vec::new();
        mix.ask(&mut servers, 0.0, 7, &mut |done| told.push(done))
            .unwrap();
        let (last, whole) = servers.requests.split_last().unwrap();
        assert!(whole.iter().all(|&size| size == 7) && *last <= 7);
        assert_eq!(told.last(), Some(&plan.runs()));
        let mut counts = HashMap::new();
        for &sample in &order {
            *counts.entry(sample).or_insert(0) += 1;
        }
        assert!((0..6).all(|query| counts[&query] == plan.copies));
        assert!((100..100 + plan.public).all(|sample| counts[&sample] == 1));
        orders.push(order);
    }
    assert_ne!(orders[0], orders[1]);
}

#[test]
fn one_altered_copy_is_noticed_and_noise_below_the_tolerance_is_not() {
    let mut hit = false;
    let checked = ask(&plan(), |_, sample, answer| {
        if sample == 2 && !hit {
            hit = true;
            answer[0] += 0.02;
        }
    });
    assert_eq!(checked.comparison.verdict, Verdict::CopiesDisagree);
    assert_eq!(checked.comparison.disagreeing, 1);
    assert!((checked.comparison.largest_difference - 0.02).abs() < 1e-12);
    assert!(checked.answers().is_none());
    let noisy = ask(&plan(), |run, _, answer| {
        answer[run % 4] += 0.009 * (run % 2) as f64;
    });
    assert_eq!(noisy.comparison.verdict, Verdict::Accepted);
    assert!(noisy.comparison.largest_difference > 0.0);
}

#[test]
fn ties_within_the_tolerance_are_counted_not_rejected() {
    let checked = ask(&plan(), |run, sample, answer| {
        if sample == 3 {
            answer.fill(0.5);
            answer[run % 2] += 0.001;
        }
    });
    assert_eq!(checked.comparison.verdict, Verdict::Accepted);
    assert!(checked.comparison.ties <= 1);
}

#[test]
fn public_errors_are_counted_up_to_what_is_tolerated() {
    let plan = plan();
    for (wrong, verdict) in [(1, Verdict::Accepted), (2, Verdict::AccuracyTooLow)] {
        let checked = ask(&plan, |_, sample, answer| {
            if (100..100 + wrong).contains(&sample) {
                answer.rotate_right(1);
            }
        });
        assert_eq!(checked.comparison.verdict, verdict);
        assert_eq!(checked.comparison.wrong, wrong);
    }
}

#[test]
fn answers_that_are_no_numbers_never_agree() {
    // The same for all copies, so that comparing numbers would find nothing.
    let checked = ask(&plan(), |_, sample, answer| {
        if sample == 0 {
            answer[1] = f64::NAN;
        }
    });
    assert_eq!(checked.comparison.verdict, Verdict::CopiesDisagree);
    let checked = ask(&plan(), |_, sample, answer| {
        if sample >= 100 {
            answer.fill(f64::INFINITY);
        }
    });
    assert_eq!(checked.comparison.verdict, Verdict::AccuracyTooLow);
}

#[test]
fn samples_that_do_not_fit_are_refused() {
    let plan = plan();
    let (queries, known) = (samples(0, 6), public(plan.public + 1));
    let of = |queries, public| Samples {
        queries,
        public,
        fingerprint: None,
        scores: Scores::Classes(4),
    };
    let refusal = |samples| Mix::new(&plan, samples).err().unwrap();
    assert!(matches!(
        refusal(of(&queries, &known)),
        VerifyError::TooFewPublic { .. }
    ));
    let known = public(plan.public);
    let one = samples(0, 1);
    assert!(matches!(
        refusal(of(&one, &known)),
        VerifyError::TooWeak { .. }
    ));
    let none = samples(0, 0);
    assert!(matches!(refusal(of(&none, &known)), VerifyError::Demand(_)));
    let wide = ArrayD::zeros(vec![6, 3]);
    assert!(matches!(
        refusal(of(&wide, &known)),
        VerifyError::Shape { .. }
    ));
}

/// Servers that answer with too few rows.
struct Short;

impl Servers for Short {
    type Error = Infallible;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(ArrayD::zeros(vec![queries.len_of(Axis(0)) - 1, 4]))
    }
}

#[test]
fn an_answer_of_another_shape_is_an_error() {
    let plan = plan();
    let (queries, public) = (samples(0, 6), public(plan.public));
    let samples = Samples {
        queries: &queries,
        public: &public,
        fingerprint: None,
        scores: Scores::Classes(4),
    };
    let asked = Mix::new(&plan, samples)
        .unwrap()
        .ask(&mut Short, 0.0, 100, &mut |_| {});
    assert!(matches!(asked, Err(VerifyError::Shape { .. })));
}

/// A network in the parties' arithmetic, its fingerprint, and drawn digits.
fn network() -> (Plan, trefoil_nn::Weights, Fingerprint, ArrayD<f64>) {
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").unwrap();
    let options = Options {
        batch: Some(1),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options).unwrap();
    let (pictures, _) = trefoil_digits::generate(30, 3);
    let pictures = pictures.mapv(f64::from).into_dyn();
    let first = pictures.select(Axis(0), &[0, 1, 2]);
    let ascent = crate::Ascent::within(0.0, 1.0).steps(2);
    let print = Fingerprint::make(&plan, &weights, &first, 2, Mode::Top1, &ascent, &mut |_| {});
    (plan, weights, print.unwrap(), pictures)
}

#[test]
fn honest_mixes_on_a_network_are_accepted_and_another_network_is_not() {
    let (network, weights, print, pictures) = network();
    let plan = Demand::new(4, 6.0).cheapest().unwrap();
    let queries = pictures.select(Axis(0), &[10, 11, 12, 13]);
    let tolerance = derive_tolerance(&network, &weights, &queries).unwrap();
    // What the model says itself is right.
    let Ok(own) = InTheClear::new(&network, &weights).answer(&pictures);
    let labels: Vec<usize> = own
        .outer_iter()
        .map(|answer| Scores::Classes(10).label(&answer).unwrap())
        .collect();
    let public = PublicSet::new(pictures.clone(), labels).unwrap();
    let public = public.select(&(14..14 + plan.public).collect::<Vec<_>>());
    let samples = Samples {
        queries: &queries,
        public: &public,
        fingerprint: Some(&print),
        scores: Scores::Classes(10),
    };
    let mut honest = InRing::<Z64>::new(&network, &weights, *b"honest and noisy").unwrap();
    for _ in 0..20 {
        let mix = Mix::new(&plan, samples).unwrap();
        assert_eq!(mix.runs(), plan.runs() + 2);
        let checked = mix.ask(&mut honest, tolerance, 16, &mut |_| {}).unwrap();
        assert_eq!(
            checked.comparison.verdict,
            Verdict::Accepted,
            "{:?}",
            checked.comparison
        );
        assert_eq!(checked.comparison.probes, 2);
    }
    let mut tensors = weights.to_clear();
    tensors[0].mapv_inplace(|v| -v);
    let changed = trefoil_nn::Weights::from_tensors(&network, tensors).unwrap();
    let mut other = InRing::<Z64>::new(&network, &changed, *b"consistent cheat").unwrap();
    let mix = Mix::new(&plan, samples).unwrap();
    let checked = mix.ask(&mut other, tolerance, 16, &mut |_| {}).unwrap();
    assert_ne!(checked.comparison.verdict, Verdict::Accepted);
    assert_eq!(checked.comparison.disagreeing, 0);
}
