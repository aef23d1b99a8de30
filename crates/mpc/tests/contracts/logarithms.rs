//! Logarithms and the error function, against f64.

use crate::functions::{positive, saturated};
use crate::{close, reals};
use trefoil_mpc::{Positive, erf, erf_cost, log, log_cost};
use trefoil_ring::{FixedPoint, Ring, Z32, Z64};
use trefoil_testkit::{Contract, contract};

fn logarithm<R: Ring>(name: &str, bits: u32, range: Positive, tolerance: f64) {
    let format = FixedPoint::new(bits);
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[100]],
            values: &positive::<R>(range),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    bits,
                    bits,
                    |_| tolerance + 2.0 * format.ulp(),
                    f64::ln,
                )
            },
            cost: &|s| {
                let cost = log_cost::<R>(s[0][0], format, range);
                assert_eq!(cost.rounds, 8);
                cost
            },
        },
        async |p, x| Ok(vec![log(p, &x[0], format, range).await?]),
    );
}

#[test]
fn log_64() {
    logarithm::<Z64>(
        "log, 64 bits",
        20,
        Positive { low: 0, high: 40 },
        2.0_f64.powi(-18),
    );
}

#[test]
fn log_of_an_odd_format() {
    logarithm::<Z64>(
        "log, 17 fraction bits",
        17,
        Positive { low: 3, high: 37 },
        2.0_f64.powi(-18),
    );
}

#[test]
fn log_32() {
    logarithm::<Z32>(
        "log, 32 bits",
        10,
        Positive { low: 2, high: 20 },
        2.0_f64.powi(-9),
    );
}

#[test]
fn erf_everywhere() {
    let format = FixedPoint::new(20);
    contract::<Z64>(
        &Contract {
            name: "erf",
            shapes: &[&[300]],
            values: &saturated(20, 1e6),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                let tolerance = |_| 2.0_f64.powi(-15);
                close(&inputs[0], &outputs[0], 20, 20, tolerance, libm::erf)
            },
            cost: &|s| {
                let cost = erf_cost::<Z64>(s[0][0], format);
                assert_eq!(cost.rounds, 5);
                cost
            },
        },
        async |p, x| Ok(vec![erf(p, &x[0], format).await?]),
    );
}

#[test]
fn erf_in_32_bits() {
    let format = FixedPoint::new(10);
    contract::<Z32>(
        &Contract {
            name: "erf, 32 bits",
            shapes: &[&[300]],
            values: &|random, shapes| reals(-5.0, 5.0, 10)(random, shapes),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                let tolerance = |_| 2.0_f64.powi(-8);
                close(&inputs[0], &outputs[0], 10, 10, tolerance, libm::erf)
            },
            cost: &|s| erf_cost::<Z32>(s[0][0], format),
        },
        async |p, x| Ok(vec![erf(p, &x[0], format).await?]),
    );
}
