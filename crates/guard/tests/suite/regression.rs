//! Cases in which guards in fixed point are known to fail.

use crate::build::{argmax, classifier, on_clear, on_fixed, on_parties, optimiser, row, settings};
use ndarray::{ArrayD, IxDyn};
use trefoil_guard::{Classifier, Dense, Steps, memguard};
use trefoil_testkit::Random;

const STEPS: Steps = Steps {
    outer: 3,
    inner: 10,
    beta: 0.5,
};

fn query(values: &[f64]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), values.to_vec()).unwrap()
}

/// All back ends and the reference agree on one query.
fn agree(name: &str, h: &Classifier, z: &[f64], tolerance: f64) {
    let (settings, z) = (settings(h, STEPS), query(z));
    let exact = memguard(&optimiser(&settings), h, &row(&z, 0)).confidences;
    let clear = on_clear(&settings, h, &z);
    let fixed = on_fixed(&settings, h, &z);
    let (parties, _, _) = on_parties(&settings, h, &z, 11);
    println!(
        "{name}\n  exact {exact:.5}\n  clear {:.5}\n  fixed {:.5}\n  parties {:.5}",
        clear.row(0),
        fixed.row(0),
        parties.row(0)
    );
    for (back_end, found) in [("clear", clear), ("fixed", fixed), ("parties", parties)] {
        let distance = (&exact - &found.row(0)).mapv(f64::abs).sum();
        assert!(
            distance < tolerance,
            "{name} on {back_end}: off by {distance}"
        );
        assert_eq!(
            argmax(&found.row(0)),
            argmax(&row(&z, 0).view()),
            "{name}: label"
        );
    }
}

#[test]
fn a_large_lead_does_not_overflow_the_exponential() {
    let mut random = Random::printed("large lead");
    let h = classifier(&mut random, 4, &[12, 6]);
    agree("[12, 1, 0, 0]", &h, &[12.0, 1.0, 0.0, 0.0], 0.01);
}

#[test]
fn the_widest_logits_are_not_confused() {
    let mut random = Random::printed("widest logits");
    let h = classifier(&mut random, 3, &[12, 6]);
    agree("[60, -60, 0]", &h, &[60.0, -60.0, 0.0], 0.01);
    agree("[-64, 64, -64]", &h, &[-64.0, 64.0, -64.0], 0.01);
}

#[test]
fn equal_logits_keep_the_first_as_label() {
    let mut random = Random::printed("equal logits");
    let h = classifier(&mut random, 4, &[12, 6]);
    let settings = settings(&h, STEPS);
    let z = query(&[1.5, 2.5, 2.5, 0.0]);
    for found in [
        on_fixed(&settings, &h, &z),
        on_parties(&settings, &h, &z, 3).0,
    ] {
        assert_eq!(argmax(&found.row(0)), 1, "{found}");
        assert!((found.sum() - 1.0).abs() < 1e-3);
    }
}

/// `h = a (s_0 - b)`: crosses 0 where `s_0 = b`.
fn threshold(classes: usize, a: f64, b: f64) -> Classifier {
    let mut weights = ndarray::Array2::zeros((classes, 2));
    (weights[[0, 0]], weights[[0, 1]]) = (1.0, -1.0);
    let first = Dense {
        weights,
        bias: ndarray::array![-b, b],
    };
    let second = Dense {
        weights: ndarray::array![[a], [-a]],
        bias: ndarray::array![0.0],
    };
    Classifier::new(vec![first, second]).unwrap()
}

/// Settings with the first number of steps, from `inner`, at which the last step of the first search happens to lie
/// beyond the threshold: near it, steps of one length go to and fro.
fn settled(
    h: &Classifier,
    z: &ArrayD<f64>,
    outer: u32,
    beta: f64,
    inner: u32,
) -> (trefoil_guard::Settings, trefoil_guard::Found) {
    (inner..inner + 8)
        .map(|inner| {
            let settings = settings(h, Steps { outer, inner, beta });
            let exact = memguard(&optimiser(&settings), h, &row(z, 0));
            (settings, exact)
        })
        .find(|(_, exact)| exact.valid[0])
        .expect("a number of steps that ends beyond the threshold")
}

#[test]
fn a_saturated_query_moves_as_in_floats() {
    // max s = 1 - 2^-14.4: plain fixed point has a gradient of 2^-14 whose square vanishes.
    let h = threshold(3, 4.0, 0.9);
    agree("[10, 0, -3]", &h, &[10.0, 0.0, -3.0], 0.02);
    // It did move: s_0 is now below 0.9.
    let found = on_fixed(&settings(&h, STEPS), &h, &query(&[6.0, 0.0, -1.0]));
    assert!(found[[0, 0]] < 0.9, "{found}");
}

#[test]
fn a_very_confident_query_still_moves() {
    // 1 - s_0 = e^-20, far below the format's unit: steps add up to 18 logits all the same.
    let h = threshold(3, 4.0, 0.99);
    let z = query(&[20.0, 0.0, -1.0]);
    let (settings, exact) = settled(&h, &z, 1, 0.6, 28);
    let fixed = on_fixed(&settings, &h, &z);
    let (parties, _, _) = on_parties(&settings, &h, &z, 5);
    for found in [fixed, parties] {
        assert!(
            (found[[0, 0]] - exact.confidences[0]).abs() < 0.01,
            "{found} {exact:?}"
        );
        assert!(found[[0, 0]] < 0.99);
    }
}

#[test]
fn a_score_near_zero_is_handled() {
    let z = [2.0_f64, 0.0, -1.0];
    let sum: f64 = z.iter().map(|v| v.exp()).sum();
    let h = threshold(3, 2.0, z[0].exp() / sum - 1e-3);
    agree("h(s) near 0", &h, &z, 0.02);
}

#[test]
fn the_distortion_weight_grows_through_all_searches() {
    // Each search succeeds, so the last one weighs distortion 1000 times as much as the first.
    let h = threshold(3, 8.0, 0.55);
    let z = query(&[1.0, 0.2, -1.0]);
    let (settings, exact) = settled(&h, &z, 4, 0.3, 5);
    let fixed = on_fixed(&settings, &h, &z);
    let distance = (&fixed.row(0) - &exact.confidences).mapv(f64::abs).sum();
    assert!(distance < 0.02, "{fixed} {exact:?}");
}
