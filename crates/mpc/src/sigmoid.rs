//! Sigmoid and hyperbolic tangent: splines that saturate.

use crate::msb::{signs, signs_cost};
use crate::reshare::{Part, reshare, reshare_cost};
use crate::select::{bit_factors_cost, bit_parts, bit_products, bit_products_cost};
use crate::{Abort, Cost, Party, Share, Spline, spline, spline_cost};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring};

/// A function that is `floor` below `-bound`, 1 above `bound`, and a spline between.
pub(crate) struct Saturating<R> {
    pub(crate) spline: Spline<R>,
    pub(crate) bound: f64,
    pub(crate) floor: f64,
}

fn sigmoid_function<R: Ring>(format: FixedPoint) -> Saturating<R> {
    let sigmoid = |v: f64| 1.0 / (1.0 + libm::exp(-v));
    // 256 pieces of 1/8; in the 32-bit ring 32 of 1/2, whose error is below its format's.
    let width_bits = if R::BITS == 64 { 3 } else { 1 };
    let spline = Spline::fit(sigmoid, [-16.0, 15.5], width_bits, format, format, 1);
    Saturating {
        spline,
        bound: 15.0,
        floor: 0.0,
    }
}

fn tanh_function<R: Ring>(format: FixedPoint) -> Saturating<R> {
    let width_bits = if R::BITS == 64 { 4 } else { 2 };
    let spline = Spline::fit(libm::tanh, [-8.0, 7.75], width_bits, format, format, 1);
    Saturating {
        spline,
        bound: 7.25,
        floor: -1.0,
    }
}

/// `1 / (1 + exp(-x))`, element by element.
///
/// # Protocol
/// A [`Spline`] on `[-15, 15]`, beside the comparisons with both ends; one exchange chooses.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// Every `x` of the format; error below `2^-15` in the 64-bit ring and `2^-8` in the 32-bit ring.
///
/// # Cost
/// [`sigmoid_cost`]: 5 rounds.
pub async fn sigmoid<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
) -> Result<Share<R>, Abort> {
    saturating(party, x, format, &sigmoid_function(format)).await
}

/// Cost of [`sigmoid`] for `len` elements.
pub fn sigmoid_cost<R: Ring>(len: usize, format: FixedPoint) -> Cost {
    saturating_cost(len, &sigmoid_function::<R>(format))
}

/// `tanh(x)`, element by element: as [`sigmoid`], on `[-7.25, 7.25]`; error below `2^-14` (32 bits: `2^-7`).
///
/// # Cost
/// [`tanh_cost`]: 5 rounds.
pub async fn tanh<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
) -> Result<Share<R>, Abort> {
    saturating(party, x, format, &tanh_function(format)).await
}

/// Cost of [`tanh`] for `len` elements.
pub fn tanh_cost<R: Ring>(len: usize, format: FixedPoint) -> Cost {
    saturating_cost(len, &tanh_function::<R>(format))
}

pub(crate) async fn saturating<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
    function: &Saturating<R>,
) -> Result<Share<R>, Abort> {
    let (len, role) = (x.len(), party.role());
    let flat = x.clone().reshape(&[len]);
    let bound: R = format.encode(function.bound);
    let ends = [-bound, bound];
    let (below, middle) = party
        .join(
            async |p: &Party| signs(p, &flat, &ends, R::BITS).await,
            async |p: &Party| spline(p, &flat, &function.spline).await,
        )
        .await;
    let (below, middle) = (below?, middle?);
    let below_low = below.map(|bits| bits.extract(0..len));
    let below_high = below.map(|bits| bits.extract(len..2 * len));
    // Below the lower end implies below the upper one, so the XOR is "between", and what is below the upper end is between or
    // below the lower: as numbers, `between * middle + low * floor + 1 - between - low`.
    let inside = below_low.xor(&below_high);
    let inside = bit_products(party, &inside, &middle).await?;
    let low = bit_parts::<R>(party, &below_low).await?;
    let part = if role == Role::P0 {
        Vec::new()
    } else {
        let scale = format.encode::<R>(1.0);
        let below = format.encode::<R>(function.floor) - scale;
        let above = Part::of(if role == Role::P1 { scale } else { R::zero() });
        (0..len)
            .map(|i| inside.products[i] + low[i] * below + above - inside.bits[i] * scale)
            .collect()
    };
    reshare(party, x.shape(), part).await
}

pub(crate) fn saturating_cost<R: Ring>(len: usize, function: &Saturating<R>) -> Cost {
    signs_cost(len, 2, R::BITS).beside(spline_cost(len, &function.spline))
        + bit_products_cost::<R>(len)
        + bit_factors_cost::<R>(len)
        + reshare_cost::<R>(len)
}
