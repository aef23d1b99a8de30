//! The softmax function.

use crate::{
    Abort, Cost, ExpRange, Party, Positive, Share, bilinear_truncated_cost, exp, exp_cost, max,
    max_cost, mul_truncated, reciprocal, reciprocal_cost,
};
use trefoil_ring::{FixedPoint, Ring};

/// Logits lie in `[-64, 64]`, so differences to the maximum in `[-128, 0]`.
const RANGE: ExpRange = ExpRange {
    low: -128.5,
    high: 0.0,
};

/// What softmax works in: more fraction bits than the default formats, so that its steps lose nothing.
fn inner_format<R: Ring>() -> FixedPoint {
    FixedPoint::new(if R::BITS == 64 { 24 } else { 12 })
}

fn sum_range<R: Ring>(n: usize) -> Positive {
    let one = inner_format::<R>().fraction_bits;
    Positive {
        low: one - 1,
        high: one + 1 + n.next_power_of_two().trailing_zeros(),
    }
}

/// `exp(x_i) / sum_j exp(x_j)` over the first axis of `x` (n × rows), numerically stable.
///
/// # Protocol
/// [`max`], [`exp`] of the differences, [`reciprocal`] of the sum, and a product.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// `-64 <= x <= 64`, `n <= 1000`; error below `2^-10` in the 64-bit ring with 16 and more fraction bits
/// (measured: about `2^-17` plus a unit), `2^-6` in the 32-bit ring (n <= 100).
///
/// # Cost
/// [`softmax_cost`]: for n = 10 and few rows 20 rounds.
pub async fn softmax<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
) -> Result<Share<R>, Abort> {
    let (n, rows) = (x.shape()[0], x.shape()[1]);
    let inner = inner_format::<R>();
    let top = max(party, x, R::BITS).await?;
    let tile = |c: &[R]| c.iter().copied().cycle().take(n * rows).collect();
    let tiled = |share: &Share<R>| Share::new(x.shape(), tile(share.mine()), tile(share.next()));
    let powers = exp(party, &x.sub(&tiled(&top)), format, inner, RANGE).await?;
    let sum = powers.map(|p| p.sum_axis(ndarray::Axis(0)));
    let inverse = reciprocal(party, &sum, inner, sum_range::<R>(n)).await?;
    mul_truncated(party, &powers, &tiled(&inverse), product_shift::<R>(format)).await
}

fn product_shift<R: Ring>(format: FixedPoint) -> u32 {
    let inner = 2 * inner_format::<R>().fraction_bits;
    assert!(
        inner > format.fraction_bits,
        "softmax in a format of {} fraction bits",
        format.fraction_bits
    );
    inner - format.fraction_bits
}

/// Cost of [`softmax`] over n × rows.
pub fn softmax_cost<R: Ring>(n: usize, rows: usize, format: FixedPoint) -> Cost {
    max_cost::<R>(n, rows, R::BITS)
        + exp_cost::<R>(n * rows, format, inner_format::<R>(), RANGE)
        + reciprocal_cost::<R>(rows, inner_format::<R>(), sum_range::<R>(n))
        + bilinear_truncated_cost::<R>(n * rows, product_shift::<R>(format))
}
