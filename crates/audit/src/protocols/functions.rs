//! Real functions.

use super::{LEN, any, reals};
use crate::world::Secret;
use crate::{Entry, Random};
use trefoil_mpc::{
    ExpRange, Positive, Spline, divide_rows, divide_scaled, erf, exp, exp_scaled, log, lookup,
    reciprocal, rsqrt, scale_rows, sigmoid, softmax, spline, tanh, unit_rows,
};
use trefoil_ring::{FixedPoint, Ring, Z64};

const FORMAT: FixedPoint = FixedPoint::new(20);
const RANGE: ExpRange = ExpRange {
    low: -16.0,
    high: 0.0,
};
const POSITIVE: Positive = Positive { low: 16, high: 28 };

/// Columns of a matrix whose rows are divided.
const COLUMNS: usize = 4;

/// Two secrets of a matrix and a divisor for each row: small divisors and numbers near minus them, and large divisors
/// with numbers near them.
fn quotients(random: &mut Random) -> [Secret<Z64>; 2] {
    [([0.1, 1.0], -1.0), ([100.0, 200.0], 1.0)].map(|([low, high], sign)| {
        let totals: Vec<f64> = (0..LEN).map(|_| random.real(low, high)).collect();
        let rows = totals
            .iter()
            .flat_map(|total| [sign * total; COLUMNS])
            .map(|v| FORMAT.encode(v * random.real(0.8, 1.0)))
            .collect();
        let totals = totals.iter().map(|&v| FORMAT.encode(v)).collect();
        vec![(vec![LEN, COLUMNS], rows), (vec![LEN], totals)]
    })
}

fn sine() -> Spline<Z64> {
    Spline::fit(libm_free_sine, [-2.0, 2.0], 3, FORMAT, FORMAT, 1)
}

/// A cubic near the sine: `+ - * /` alone, the same to the last bit at both evaluators.
fn libm_free_sine(v: f64) -> f64 {
    v - v * v * v / 6.0
}

pub(super) fn entries() -> Vec<Entry> {
    let mut all = of_numbers();
    all.extend(of_rows());
    all
}

/// Functions of each number.
fn of_numbers() -> Vec<Entry> {
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
            "exp of a multiple",
            &["trefoil_mpc::exp_scaled"],
            reals(&[LEN], [-32.0, 0.0], FORMAT),
            async |p, x| {
                exp_scaled(p, &x.shares[0], 0.5, FORMAT, FORMAT, RANGE)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "log",
            &["trefoil_mpc::log"],
            reals(&[LEN], [0.1, 200.0], FORMAT),
            async |p, x| log(p, &x.shares[0], FORMAT, POSITIVE).await.map(drop),
        ),
        Entry::new::<Z64>(
            "erf",
            &["trefoil_mpc::erf"],
            reals(&[LEN], [-5.0, 5.0], FORMAT),
            async |p, x| erf(p, &x.shares[0], FORMAT).await.map(drop),
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
    ]
}

/// Functions of rows.
fn of_rows() -> Vec<Entry> {
    vec![
        Entry::new::<Z64>(
            "softmax",
            &["trefoil_mpc::softmax"],
            reals(&[2, LEN], [-8.0, 8.0], FORMAT),
            async |p, x| softmax(p, &x.shares[0], FORMAT).await.map(drop),
        ),
        Entry::new::<Z64>(
            "rows divided",
            &["trefoil_mpc::divide_rows"],
            quotients,
            async |p, x| {
                divide_rows(p, &x.shares[0], &x.shares[1], FORMAT, POSITIVE)
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "rows scaled, then divided",
            &["trefoil_mpc::scale_rows", "trefoil_mpc::divide_scaled"],
            quotients,
            async |p, x| {
                let (scaled, scale) =
                    scale_rows(p, &x.shares[0], &x.shares[1], FORMAT, POSITIVE).await?;
                divide_scaled(p, &scaled, &scale, POSITIVE).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "rows of length one",
            &["trefoil_mpc::unit_rows"],
            reals(&[LEN, COLUMNS], [-100.0, 100.0], FORMAT),
            async |p, x| unit_rows(p, &x.shares[0], FORMAT).await.map(drop),
        ),
    ]
}
