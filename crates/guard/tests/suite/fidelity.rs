//! Fast, faithful and the float reference give the same answers.

use crate::build::{
    argmax, classifier, logits, on_clear, on_fixed, on_parties, optimiser, row, settings,
};
use trefoil_guard::{Softmax, Steps, Variant, memguard};
use trefoil_nn::{Clear, ready};
use trefoil_testkit::Random;

const STEPS: Steps = Steps {
    outer: 3,
    inner: 10,
    beta: 0.5,
};

/// Answers differ by less than this for the same noise; a wrong verdict or another path shows as more.
const CLOSE: f64 = 0.02;

#[test]
fn the_fast_text_in_floats_is_memguard() {
    let mut random = Random::printed("fast in floats");
    let mut all_fired = 0;
    for classes in [2, 5, 10] {
        let h = classifier(&mut random, classes, &[16, 8]);
        let settings = settings(&h, STEPS);
        let z = logits(&mut random, 200, classes, 6.0);
        let fast = on_clear(&settings, &h, &z);
        let (mut same, mut fired) = (0, 0);
        for index in 0..200 {
            let z = row(&z, index);
            let found = memguard(&optimiser(&settings), &h, &z);
            let distance = (&found.confidences - &fast.row(index)).mapv(f64::abs).sum();
            same += u32::from(distance < 1e-3);
            fired += u32::from(found.valid.contains(&true));
            assert_eq!(argmax(&fast.row(index)), argmax(&z.view()), "label of {z}");
        }
        println!("{classes} classes: {same} of 200 as MemGuard, {fired} with noise");
        assert!(
            same >= 196,
            "{same} of 200 as MemGuard with {classes} classes"
        );
        all_fired += fired;
    }
    assert!(all_fired >= 10, "the guard fired {all_fired} times in 600");
}

#[test]
fn fixed_point_follows_floats() {
    let mut random = Random::printed("fixed follows floats");
    let h = classifier(&mut random, 10, &[32, 16]);
    for variant in [Variant::Fast, Variant::Faithful] {
        let mut settings = settings(&h, STEPS);
        settings.variant = variant;
        let z = logits(&mut random, 300, 10, 8.0);
        let (clear, fixed) = (on_clear(&settings, &h, &z), on_fixed(&settings, &h, &z));
        let mut same = 0;
        for index in 0..300 {
            let distance = (&clear.row(index) - &fixed.row(index)).mapv(f64::abs).sum();
            same += u32::from(distance < CLOSE);
        }
        println!("{variant:?}: {same} of 300 as in floats");
        assert!(same >= 290, "{variant:?}: {same} of 300 as in floats");
    }
}

#[test]
fn three_parties_follow_fixed_point() {
    let mut random = Random::printed("parties follow fixed point");
    let h = classifier(&mut random, 10, &[32, 16]);
    let settings = settings(&h, STEPS);
    let z = logits(&mut random, 100, 10, 8.0);
    let fixed = on_fixed(&settings, &h, &z);
    let (parties, _, _) = on_parties(&settings, &h, &z, random.word());
    let mut same = 0;
    for index in 0..100 {
        let distance = (&fixed.row(index) - &parties.row(index))
            .mapv(f64::abs)
            .sum();
        same += u32::from(distance < CLOSE);
        assert_eq!(argmax(&parties.row(index)), argmax(&row(&z, index).view()));
        let sum: f64 = parties.row(index).sum();
        assert!((sum - 1.0).abs() < 1.0 / 1024.0, "sum {sum}");
    }
    println!("{same} of 100 as in fixed point");
    assert!(same >= 94, "{same} of 100 as in fixed point");
}

#[test]
fn noise_that_reaches_far_is_followed_too() {
    // Noise reaches 24 logits: every step takes a maximum of its own.
    let mut random = Random::printed("far noise");
    let h = classifier(&mut random, 6, &[16, 8]);
    let steps = Steps {
        outer: 2,
        inner: 12,
        beta: 2.0,
    };
    let settings = settings(&h, steps);
    let z = logits(&mut random, 100, 6, 30.0);
    let clear = on_clear(&settings, &h, &z);
    let fixed = on_fixed(&settings, &h, &z);
    let (parties, _, _) = on_parties(&settings, &h, &z, random.word());
    let mut same = [0; 3];
    for index in 0..100 {
        let found = memguard(&optimiser(&settings), &h, &row(&z, index));
        let near = |a: &ndarray::Array2<f64>| {
            u32::from((&a.row(index) - &found.confidences).mapv(f64::abs).sum() < CLOSE)
        };
        for (same, answers) in same.iter_mut().zip([&clear, &fixed, &parties]) {
            *same += near(answers);
            assert_eq!(argmax(&answers.row(index)), argmax(&row(&z, index).view()));
        }
    }
    println!("{same:?} of 100 as MemGuard: in floats, in fixed point, on parties");
    assert!(
        same.iter().all(|&same| same >= 90),
        "{same:?} of 100 as MemGuard"
    );
}

#[test]
fn ten_thousand_labels_stay() {
    let mut random = Random::printed("ten thousand labels");
    let (mut asked, mut changed, mut fired) = (0, 0, 0);
    for (classes, largest) in [(2, 1.0), (4, 0.1), (10, 3.0), (10, 12.0), (30, 6.0)] {
        let h = classifier(&mut random, classes, &[16, 8]);
        for softmax in Softmax::ALL {
            let mut settings = settings(&h, STEPS);
            settings.softmax = softmax;
            h.fit(&mut settings);
            let z = logits(&mut random, 500, classes, largest);
            let answers = on_fixed(&settings, &h, &z);
            let Ok(plain) = ready(softmax.apply(&Clear, &z));
            for index in 0..500 {
                let plain = row(&plain, index);
                let (z, answer) = (row(&z, index), answers.row(index));
                // What fixed point rounds to the same number may go either way.
                let label = argmax(&answer);
                let top = z.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                changed += u32::from(top - z[label] > 1e-5);
                let distance = (&plain - &answer).mapv(f64::abs).sum();
                fired += u32::from(distance > 0.05);
                asked += 1;
            }
        }
    }
    println!("{changed} labels of {asked} changed, {fired} answers moved");
    assert_eq!((asked, changed), (10_000, 0));
    assert!(fired > 500, "{fired} answers moved");
}
