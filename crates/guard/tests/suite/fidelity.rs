//! Fast, faithful and the float reference give the same answers.

use crate::build::{
    argmax, classifier, logits, on_clear, on_fixed, on_parties, optimiser, row, settings, signed,
};
use ndarray::Array1;
use trefoil_guard::{Classifier, Optimiser, Softmax, Steps, Variant, memguard};
use trefoil_nn::{Clear, ready};
use trefoil_testkit::Random;

const STEPS: Steps = Steps {
    outer: 3,
    inner: 10,
    beta: 0.5,
};

/// Answers differ by less than this for the same noise; a wrong verdict or another path shows as more.
const CLOSE: f64 = 0.02;

/// Whether rounding alone decides where MemGuard goes from `z`: the loss is flat there, so that all directions are
/// equal, or the path meets a kink, so that it ends elsewhere when the logits move by a billionth. (With two classes
/// every step has the same length on the same line: a path that turns comes back to `s' = s` but for rounding.)
fn rounding_decides(
    random: &mut Random,
    optimiser: &Optimiser,
    h: &Classifier,
    z: &Array1<f64>,
) -> bool {
    let still = Array1::zeros(z.len());
    let first = optimiser.gradient(h, z, &still, optimiser.weights[2]);
    let answer = memguard(optimiser, h, z).confidences;
    let turns = || {
        let near = z.mapv(|v| v + 1e-9 * signed(random));
        let found = memguard(optimiser, h, &near);
        (&found.confidences - &answer).mapv(f64::abs).sum() > 1e-4
    };
    first.iter().all(|&u| u == 0.0) || std::iter::repeat_with(turns).take(20).any(|turned| turned)
}

#[test]
fn the_fast_text_in_floats_is_memguard() {
    let mut random = Random::printed("fast in floats");
    let mut all_fired = 0;
    for classes in [2, 5, 10] {
        let h = classifier(&mut random, classes, &[16, 8]);
        let settings = settings(&h, STEPS);
        let optimiser = optimiser(&settings);
        let z = logits(&mut random, 200, classes, 6.0);
        let fast = on_clear(&settings, &h, &z);
        let (mut same, mut undecided, mut fired) = (0, 0, 0);
        for index in 0..200 {
            let z = row(&z, index);
            let found = memguard(&optimiser, &h, &z);
            let distance = (&found.confidences - &fast.row(index)).mapv(f64::abs).sum();
            if distance < 1e-3 {
                same += 1;
            } else if rounding_decides(&mut random, &optimiser, &h, &z) {
                undecided += 1;
            }
            fired += u32::from(found.valid.contains(&true));
            assert_eq!(argmax(&fast.row(index)), argmax(&z.view()), "label of {z}");
        }
        println!(
            "{classes} classes: {same} of 200 as MemGuard, {undecided} where rounding decides, {fired} with noise"
        );
        assert!(
            same + undecided >= 198 && undecided <= 30,
            "{same} of 200 as MemGuard and {undecided} undecided with {classes} classes"
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
    // Noise reaches 24 logits: every step takes a maximum of its own. How many paths part at a kink
    // depends on the classifier (96 of 100 stay, with a deviation of 3), so many are asked.
    const CLASSIFIERS: usize = 12;
    let mut random = Random::printed("far noise");
    let steps = Steps {
        outer: 2,
        inner: 12,
        beta: 2.0,
    };
    let mut same = [0; 3];
    for _ in 0..CLASSIFIERS {
        let h = classifier(&mut random, 6, &[16, 8]);
        let settings = settings(&h, steps);
        let z = logits(&mut random, 100, 6, 30.0);
        let clear = on_clear(&settings, &h, &z);
        let fixed = on_fixed(&settings, &h, &z);
        let (parties, _, _) = on_parties(&settings, &h, &z, random.word());
        for index in 0..100 {
            let found = memguard(&optimiser(&settings), &h, &row(&z, index));
            for (same, answers) in same.iter_mut().zip([&clear, &fixed, &parties]) {
                let answer = answers.row(index);
                *same += usize::from((&answer - &found.confidences).mapv(f64::abs).sum() < CLOSE);
                assert_eq!(argmax(&answer), argmax(&row(&z, index).view()));
            }
        }
    }
    let asked = 100 * CLASSIFIERS;
    println!("{same:?} of {asked} as MemGuard: in floats, in fixed point, on parties");
    assert!(
        same.iter().all(|&same| 100 * same >= 92 * asked),
        "{same:?} of {asked} as MemGuard"
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
