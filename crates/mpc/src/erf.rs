//! The error function: a spline that saturates.

use crate::sigmoid::{Saturating, saturating, saturating_cost};
use crate::{Abort, Cost, Party, Share, Spline};
use trefoil_ring::{FixedPoint, Ring};

fn erf_function<R: Ring>(format: FixedPoint) -> Saturating<R> {
    // 128 pieces of 1/16; in the 32-bit ring 32 of 1/4. Beyond 3.5 the function is 1 up to 7.5e-7.
    let width_bits = if R::BITS == 64 { 4 } else { 2 };
    let high = if R::BITS == 64 { 3.9375 } else { 3.75 };
    let spline = Spline::fit(libm::erf, [-4.0, high], width_bits, format, format, 1);
    Saturating {
        spline,
        bound: 3.5,
        floor: -1.0,
    }
}

/// The error function `2 / sqrt(π) ∫_0^x exp(-t^2) dt`, element by element.
///
/// # Protocol
/// As [`crate::sigmoid`], with a spline on `[-3.5, 3.5]`.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// Every `x` of the format; error below `2^-15` in the 64-bit ring and `2^-8` in the 32-bit ring.
///
/// # Cost
/// [`erf_cost`]: 5 rounds.
pub async fn erf<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
) -> Result<Share<R>, Abort> {
    saturating(party, x, format, &erf_function(format)).await
}

/// Cost of [`erf`] for `len` elements.
pub fn erf_cost<R: Ring>(len: usize, format: FixedPoint) -> Cost {
    saturating_cost(len, &erf_function::<R>(format))
}
