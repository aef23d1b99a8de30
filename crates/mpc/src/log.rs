//! The natural logarithm of positive numbers.

use crate::reciprocal::{Normal, normalise, normalise_cost};
use crate::spline::{spline_at, spline_at_cost};
use crate::{Abort, Cost, Party, Positive, Share, Spline};
use std::f64::consts::LN_2;
use trefoil_ring::{FixedPoint, Ring};

/// `ln x`, element by element, in the format of `x`.
///
/// # Protocol
/// As [`crate::reciprocal`], comparisons with all powers of two in the range bring `x` into `[1/2, 1)`, where a
/// [`Spline`] computes the logarithm. The comparisons' bits tell the power of two too: its logarithm is a sum of bits
/// times constants, which travels with the normalisation and is added for free.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of the same protocols as [`crate::reciprocal`].
///
/// # Range and error
/// `x` in `range` (elsewhere meaningless). Error below `2^-18` in the 64-bit ring and `2^-9` in the 32-bit ring, plus
/// two units.
///
/// # Cost
/// [`log_cost`]: 8 rounds; bytes grow with the number of powers of two in the range.
pub async fn log<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
    range: Positive,
) -> Result<Share<R>, Abort> {
    let (normal, spline) = parts::<R>(format, range);
    let normalised = normalise(party, x, &normal, &spline, powers(&normal, format)).await?;
    let curve = spline_at(party, &normalised.argument, &normalised.piece, &spline).await?;
    Ok(curve.add(&normalised.factor).reshape(x.shape()))
}

/// Cost of [`log`] for `len` elements.
pub fn log_cost<R: Ring>(len: usize, format: FixedPoint, range: Positive) -> Cost {
    let (normal, spline) = parts::<R>(format, range);
    normalise_cost(len, &normal, &spline) + spline_at_cost(len, &spline)
}

fn parts<R: Ring>(format: FixedPoint, range: Positive) -> (Normal, Spline<R>) {
    let normal = Normal::new::<R>(range, 1);
    let spline = normal.spline(libm::log, format);
    (normal, spline)
}

/// The logarithm of the power of two, as a base less a term per reached threshold.
fn powers<R: Ring>(normal: &Normal, format: FixedPoint) -> (R, Vec<R>) {
    let steps = normal.thresholds.len() as i64;
    // x 2^p = v 2^top for p thresholds that are not reached, so ln x = ln v + ln 2 (top - p - fraction bits).
    let lowest = i64::from(normal.top) - steps - i64::from(format.fraction_bits);
    let at = |reached: i64| format.encode::<R>((lowest + reached) as f64 * LN_2);
    // Differences of rounded logarithms: however many thresholds are reached, their sum is rounded but once.
    let terms = (1..=steps).map(|i| at(i - 1) - at(i)).collect();
    (at(0), terms)
}
