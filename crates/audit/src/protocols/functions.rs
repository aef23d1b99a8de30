//! Real functions.

use super::{LEN, any, reals};
use crate::Entry;
use trefoil_mpc::{
    ExpRange, Positive, Spline, exp, lookup, reciprocal, rsqrt, sigmoid, softmax, spline, tanh,
};
use trefoil_ring::{Fixed, Ring, Z64};

const FORMAT: Fixed = Fixed::new(20);
const RANGE: ExpRange = ExpRange {
    low: -16.0,
    high: 0.0,
};
const POSITIVE: Positive = Positive { low: 16, high: 28 };

fn sine() -> Spline<Z64> {
    Spline::fit(libm_free_sine, [-2.0, 2.0], 3, FORMAT, FORMAT, 1)
}

/// A cubic near the sine: `+ - * /` alone, the same to the last bit at both evaluators.
fn libm_free_sine(v: f64) -> f64 {
    v - v * v * v / 6.0
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::new::<Z64>(
            "lookup",
            &["trefoil_mpc::lookup"],
            any(&[&[LEN]]),
            async |p, x| {
                let table = (0..16).map(|i| Z64::from_u64(i * i)).collect();
                lookup(p, &x.shares[0], 4, &[table]).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "spline",
            &["trefoil_mpc::spline"],
            reals(&[LEN], [-2.0, 1.8], FORMAT),
            async |p, x| spline(p, &x.shares[0], &sine()).await.map(drop),
        ),
        Entry::new::<Z64>(
            "exp",
            &["trefoil_mpc::exp"],
            reals(&[LEN], [-16.0, 0.0], FORMAT),
            async |p, x| exp(p, &x.shares[0], FORMAT, FORMAT, RANGE).await.map(drop),
        ),
        Entry::new::<Z64>(
            "sigmoid",
            &["trefoil_mpc::sigmoid"],
            reals(&[LEN], [-20.0, 20.0], FORMAT),
            async |p, x| sigmoid(p, &x.shares[0], FORMAT).await.map(drop),
        ),
        Entry::new::<Z64>(
            "tanh",
            &["trefoil_mpc::tanh"],
            reals(&[LEN], [-10.0, 10.0], FORMAT),
            async |p, x| tanh(p, &x.shares[0], FORMAT).await.map(drop),
        ),
        Entry::new::<Z64>(
            "reciprocal",
            &["trefoil_mpc::reciprocal"],
            reals(&[LEN], [0.1, 200.0], FORMAT),
            async |p, x| {
                reciprocal(p, &x.shares[0], FORMAT, POSITIVE)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "rsqrt",
            &["trefoil_mpc::rsqrt"],
            reals(&[LEN], [0.1, 200.0], FORMAT),
            async |p, x| rsqrt(p, &x.shares[0], FORMAT, POSITIVE).await.map(drop),
        ),
        Entry::new::<Z64>(
            "softmax",
            &["trefoil_mpc::softmax"],
            reals(&[2, LEN], [-8.0, 8.0], FORMAT),
            async |p, x| softmax(p, &x.shares[0], FORMAT).await.map(drop),
        ),
    ]
}
