//! The same query, often: rounding differs, the answer hardly does.

use crate::build::{classifier, logits, on_parties, settings};
use ndarray::{ArrayD, Axis, concatenate};
use trefoil_guard::Steps;
use trefoil_testkit::Random;

/// How often.
const TIMES: usize = 100;

#[test]
fn a_repeated_query_gets_the_same_answer() {
    let mut random = Random::printed("repeated queries");
    let h = classifier(&mut random, 10, &[32, 16]);
    let steps = Steps {
        outer: 3,
        inner: 10,
        beta: 0.5,
    };
    let settings = settings(&h, steps);
    let mut steady = 0;
    for _ in 0..4 {
        let z = logits(&mut random, 1, 10, 6.0);
        // Rows are independent: a hundred rows are a hundred queries, each with its own masks.
        let copies: Vec<_> = (0..TIMES).map(|_| z.view()).collect();
        let all: ArrayD<f64> = concatenate(Axis(0), &copies).unwrap();
        let (answers, _, _) = on_parties(&settings, &h, &all, random.word());
        let mean = answers.mean_axis(Axis(0)).unwrap();
        let apart = |row: ndarray::ArrayView1<'_, f64>| (&row - &mean).mapv(f64::abs).sum();
        let distances: Vec<f64> = answers.rows().into_iter().map(apart).collect();
        let widest = distances.iter().fold(0.0_f64, |a, &b| a.max(b));
        let other = distances.iter().filter(|&&d| d > 0.01).count();
        println!("largest distance from the mean {widest:.2e}, {other} of {TIMES} beyond 0.01");
        steady += usize::from(other == 0);
    }
    // A query at the classifier's threshold may waver; most do not.
    assert!(steady >= 2, "{steady} of 4 queries are answered alike");
}
