//! Rounds and bytes are those of the price, and do not depend on the query.

use crate::build::{classifier, logits, on_parties, price, settings};
use trefoil_guard::{Steps, Variant};
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
