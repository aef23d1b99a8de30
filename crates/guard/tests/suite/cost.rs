//! Rounds and bytes are those of the price, and do not depend on the query.

use crate::build::{classifier, logits, on_parties, price, settings};
use trefoil_guard::{NetworkShape, Settings, Steps, Variant};
use trefoil_mpc::Cost;
use trefoil_testkit::{Random, Sent};

#[test]
fn three_parties_send_what_is_predicted() {
    let mut random = Random::printed("guard's cost");
    for (classes, beta, variant) in [
        (3, 0.5, Variant::Fast),
        (10, 0.5, Variant::Fast),
        (10, 8.0, Variant::Fast),
        (4, 0.5, Variant::Faithful),
    ] {
        let h = classifier(&mut random, classes, &[12, 7]);
        let steps = Steps {
            outer: 2,
            inner: 3,
            beta,
        };
        let mut settings = settings(&h, steps);
        settings.variant = variant;
        for rows in [1, 5] {
            let z = logits(&mut random, rows, classes, 6.0);
            let (_, cost, _) = on_parties(&settings, &h, &z, random.word());
            assert_eq!(
                cost,
                price(&settings, rows),
                "{classes} classes, {rows} rows, beta {beta}"
            );
        }
    }
}

/// One query with the default classifier and search: what the guard was built to cost.
#[test]
fn the_fast_guard_keeps_its_distance_from_the_printed_one() {
    let costs = |classes, variant| -> Cost {
        let mut settings = Settings::new(NetworkShape::new(classes));
        settings.variant = variant;
        price(&settings, 1)
    };
    let bytes = |cost: &Cost| cost.bytes.iter().sum::<u64>();
    let [ten, thirty, hundred] = [10, 30, 100].map(|n| costs(n, Variant::Fast));
    let [printed_ten, printed_hundred] = [10, 100].map(|n| costs(n, Variant::Faithful));
    let steps = 30;
    assert!(ten.rounds <= 90 * steps, "{} rounds", ten.rounds);
    assert!(
        3 * ten.rounds <= printed_ten.rounds,
        "{} rounds",
        ten.rounds
    );
    assert!(bytes(&ten) <= 2_200_000, "{} bytes", bytes(&ten));
    assert!(bytes(&hundred) <= 8_000_000, "{} bytes", bytes(&hundred));
    assert!(
        10 * bytes(&hundred) <= bytes(&printed_hundred),
        "{} bytes of {}",
        bytes(&hundred),
        bytes(&printed_hundred)
    );
    // Rounds grow with the logarithm of the classes at most, bytes linearly.
    assert!(hundred.rounds <= ten.rounds + 10 * steps);
    let a_class = (bytes(&hundred) - bytes(&thirty)) / 70;
    let first_classes = (bytes(&thirty) - bytes(&ten)) / 20;
    assert!(a_class <= first_classes + first_classes / 10);
}

#[test]
fn traffic_has_one_shape_whether_the_guard_fires_or_not() {
    let mut random = Random::printed("guard's traffic");
    let h = classifier(&mut random, 5, &[8, 6]);
    let steps = Steps {
        outer: 2,
        inner: 4,
        beta: 0.7,
    };
    let settings = settings(&h, steps);
    let mut shapes = (0..6).map(|i| {
        // From undecided to confident, and equal logits.
        let z = match i {
            0 => ndarray::ArrayD::zeros(vec![2, 5]),
            i => logits(&mut random, 2, 5, 10.0 * f64::from(i)),
        };
        let (_, _, run) = on_parties(&settings, &h, &z, 7);
        run.log.iter().map(Sent::shape).collect::<Vec<_>>()
    });
    let first = shapes.next();
    assert!(
        shapes.all(|shape| Some(shape) == first),
        "traffic depends on the query"
    );
}
