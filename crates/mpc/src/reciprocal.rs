//! Reciprocals and reciprocal square roots of positive numbers.

use crate::bilinear::linear_part;
use crate::msb::{signs, signs_cost};
use crate::reshare::{Part, reshare, reshare_cost};
use crate::select::{bit_products, bit_products_cost};
use crate::spline::{spline_at, spline_at_cost};
use crate::{
    Abort, Cost, Party, Share, Spline, bilinear_cost, bilinear_truncated_cost, mul, mul_truncated,
    truncate, truncate_cost,
};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring, power_of_two};

/// A range of positive fixed-point numbers, as ring elements: `2^low <= x < 2^high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positive {
    /// Exponent of the lower end.
    pub low: u32,
    /// Exponent of the upper end, at most the ring's bits less two.
    pub high: u32,
}

/// How `x` is brought to a fixed interval: multiplied by a power of `2^step` found by comparing.
pub(crate) struct Normal {
    /// `x` is normalised to `[2^(top - step), 2^top)`.
    pub(crate) top: u32,
    /// Exponents of the powers of two that `x` is compared with.
    pub(crate) thresholds: Vec<u32>,
    step: u32,
    /// Fraction bits of the normalised argument of the spline.
    argument_bits: u32,
    /// Width of the spline's pieces, as a negative exponent of two.
    width_bits: i32,
}

impl Normal {
    pub(crate) fn new<R: Ring>(range: Positive, step: u32) -> Self {
        let (argument_bits, width_bits) = if R::BITS == 64 { (24, 8) } else { (12, 5) };
        assert!(
            range.low < range.high && range.high + 2 <= R::BITS,
            "{range:?} in a ring of {} bits",
            R::BITS
        );
        let top = range.high.next_multiple_of(step).max(step);
        assert!(
            top + 2 <= R::BITS,
            "{range:?} in a ring of {} bits",
            R::BITS
        );
        let bottom = range.low / step * step;
        assert!(
            top as i32 > width_bits,
            "{range:?} is too narrow to be normalised"
        );
        let thresholds = (bottom + step..top).step_by(step as usize).collect();
        Self {
            top,
            thresholds,
            step,
            argument_bits,
            width_bits,
        }
    }

    /// The factors: `2^power_per_step` to the number of steps below the top, as a base less a term per
    /// reached threshold.
    pub(crate) fn factor<R: Ring>(&self, power_per_step: u32) -> (R, Vec<R>) {
        let steps = self.thresholds.len() as u32;
        let power = |below: u32| R::one().shift_left(below * power_per_step);
        (
            power(steps),
            (1..=steps)
                .map(|i| power(steps - i + 1) - power(steps - i))
                .collect(),
        )
    }

    pub(crate) fn spline<R: Ring>(&self, f: impl Fn(f64) -> f64, output: FixedPoint) -> Spline<R> {
        let low = power_of_two(-(self.step as i32));
        let safe = |v: f64| f(v.max(low / 2.0));
        Spline::fit(
            safe,
            [low, 1.0],
            self.width_bits,
            FixedPoint::new(self.argument_bits),
            output,
            2,
        )
    }

    /// Fraction bits of the normalised argument of the spline.
    pub(crate) fn argument_bits(&self) -> u32 {
        self.argument_bits
    }

    /// Fraction bits of the spline's result that leave room for the last product.
    pub(crate) fn result_bits<R: Ring>(&self) -> u32 {
        let factor = self.thresholds.len() as u32;
        (self.argument_bits + 2)
            .min(R::BITS.saturating_sub(5 + factor))
            .max(1)
    }
}

/// `1 / x`, element by element, in the format of `x`.
///
/// # Protocol
/// Comparisons with all powers of two in the range, side by side, give the scale; one exchange brings `x`
/// into `[1/2, 1)`; a [`Spline`] inverts it; a product scales back.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of [`crate::msb`], bit products, [`truncate`], a spline and [`mul_truncated`].
///
/// # Range and error
/// `x` in `range` (elsewhere meaningless), and `1 / x` in the format. Relative error below `2^-18` in the
/// 64-bit ring and `2^-8` in the 32-bit ring, plus one unit.
///
/// # Cost
/// [`reciprocal_cost`]: 10 rounds; bytes grow with the number of powers of two in the range.
pub async fn reciprocal<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
    range: Positive,
) -> Result<Share<R>, Abort> {
    let (normal, spline, shift) = reciprocal_parts(format, range);
    scaled(party, x, &normal, &spline, shift).await
}

/// Cost of [`reciprocal`] for `len` elements.
pub fn reciprocal_cost<R: Ring>(len: usize, format: FixedPoint, range: Positive) -> Cost {
    let (normal, spline, shift) = reciprocal_parts::<R>(format, range);
    scaled_cost(len, &normal, &spline, shift)
}

fn reciprocal_parts<R: Ring>(format: FixedPoint, range: Positive) -> (Normal, Spline<R>, i32) {
    let normal = Normal::new::<R>(range, 1);
    let result = FixedPoint::new(normal.result_bits::<R>());
    let spline = normal.spline(|v| 1.0 / v, result);
    // x 2^p = v 2^top, so the result 2^(2f) / x is (1 / v) 2^p 2^(2f - top).
    let shift = result.fraction_bits as i32 + normal.top as i32 - 2 * format.fraction_bits as i32;
    (normal, spline, shift)
}

/// `1 / sqrt(x)`, element by element, in the format of `x`.
///
/// # Protocol
/// As [`reciprocal`], with powers of four and `[1/4, 1)`.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// As [`reciprocal`], of the result.
///
/// # Cost
/// [`rsqrt_cost`]: 10 rounds.
pub async fn rsqrt<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
    range: Positive,
) -> Result<Share<R>, Abort> {
    let (normal, spline, shift) = rsqrt_parts(format, range);
    scaled(party, x, &normal, &spline, shift).await
}

/// Cost of [`rsqrt`] for `len` elements.
pub fn rsqrt_cost<R: Ring>(len: usize, format: FixedPoint, range: Positive) -> Cost {
    let (normal, spline, shift) = rsqrt_parts::<R>(format, range);
    scaled_cost(len, &normal, &spline, shift)
}

fn rsqrt_parts<R: Ring>(format: FixedPoint, range: Positive) -> (Normal, Spline<R>, i32) {
    let normal = Normal::new::<R>(range, 2);
    let result = FixedPoint::new(normal.result_bits::<R>());
    // x 4^p = v 2^top, so 2^(3f/2) / sqrt(x) is (1 / sqrt v) 2^p 2^((3f - top) / 2); top is even.
    let odd = if format.fraction_bits % 2 == 1 {
        std::f64::consts::SQRT_2
    } else {
        1.0
    };
    let spline = normal.spline(|v| odd / v.sqrt(), result);
    let shift =
        result.fraction_bits as i32 + normal.top as i32 / 2 - (3 * format.fraction_bits / 2) as i32;
    (normal, spline, shift)
}

/// Normalise `x`, apply the spline, and scale the result back.
async fn scaled<R: Ring>(
    party: &Party,
    x: &Share<R>,
    normal: &Normal,
    spline: &Spline<R>,
    shift: i32,
) -> Result<Share<R>, Abort> {
    let normalised = normalise(party, x, normal, spline, normal.factor(1)).await?;
    let result = spline_at(party, &normalised.argument, &normalised.piece, spline).await?;
    let scaled = if shift > 0 {
        mul_truncated(party, &result, &normalised.factor, shift as u32).await?
    } else {
        mul(party, &result, &normalised.factor)
            .await?
            .scale(R::one().shift_left(shift.unsigned_abs()))
    };
    Ok(scaled.reshape(x.shape()))
}

/// A number as a power of two and a spline's argument.
pub(crate) struct Normalised<R> {
    /// What the caller asked to be made of the power of two.
    pub(crate) factor: Share<R>,
    /// The spline's argument.
    pub(crate) argument: Share<R>,
    /// The number of its piece.
    pub(crate) piece: Share<R>,
}

/// Bring `x`, of any shape, to the interval of `spline`. The factor is the base of `factor` less its term for each
/// threshold that `x` reaches; all results are vectors.
pub(crate) async fn normalise<R: Ring>(
    party: &Party,
    x: &Share<R>,
    normal: &Normal,
    spline: &Spline<R>,
    factor: (R, Vec<R>),
) -> Result<Normalised<R>, Abort> {
    let (factor, argument) = magnitude(party, x, normal, factor).await?;
    let (argument, piece) = narrow(party, &argument, normal, spline).await?;
    Ok(Normalised {
        factor,
        argument,
        piece,
    })
}

/// The factor that belongs to the power of two of `x`, as [`normalise`] explains it, and `x` brought to the interval below
/// `2^top`: vectors, in 4 rounds.
pub(crate) async fn magnitude<R: Ring>(
    party: &Party,
    x: &Share<R>,
    normal: &Normal,
    factor: (R, Vec<R>),
) -> Result<(Share<R>, Share<R>), Abort> {
    let (len, steps, role) = (x.len(), normal.thresholds.len(), party.role());
    let tile = |component: &[R]| {
        component
            .iter()
            .copied()
            .cycle()
            .take(steps * len)
            .collect::<Vec<R>>()
    };
    let tiled = Share::new(&[steps * len], tile(x.mine()), tile(x.next()));
    let thresholds = normal.thresholds.iter();
    let thresholds: Vec<R> = thresholds.map(|&t| R::one().shift_left(t)).collect();
    // Bit `i` of an element: whether it stays below threshold `i`.
    let below = signs(party, x, &thresholds, normal.top + 1).await?;
    let reached = bit_products(party, &below.not(role), &tiled).await?;
    let (factor_base, factor_terms) = factor;
    let (argument_base, argument_terms) = normal.factor::<R>(normal.step);
    let mut part = vec![Part::zero(); 2 * len];
    if role != Role::P0 {
        let known = linear_part(role, x);
        let (factors, arguments) = part.split_at_mut(len);
        for i in 0..len {
            factors[i] = if role == Role::P1 {
                Part::of(factor_base)
            } else {
                Part::zero()
            };
            arguments[i] = Part::of(known[i] * argument_base);
            for s in 0..steps {
                factors[i] -= reached.bits[s * len + i] * factor_terms[s];
                arguments[i] -= reached.products[s * len + i] * argument_terms[s];
            }
        }
    }
    let both = reshare(party, &[2, len], part).await?;
    let cut = |half: usize| {
        let cut = |component: &[R]| component[half * len..(half + 1) * len].to_vec();
        Share::new(&[len], cut(both.mine()), cut(both.next()))
    };
    Ok((cut(0), cut(1)))
}

/// A normalised number as the spline's argument, and the number of its piece: 1 round.
pub(crate) async fn narrow<R: Ring>(
    party: &Party,
    argument: &Share<R>,
    normal: &Normal,
    spline: &Spline<R>,
) -> Result<(Share<R>, Share<R>), Abort> {
    let (to_argument, to_piece) = argument_shifts(normal, spline);
    // Scaling up is local; only one of the two truncations is needed then.
    let up = R::one().shift_left(to_argument.min(0).unsigned_abs());
    let (piece, argument) = party
        .join(
            async |p: &Party| truncate(p, argument, to_piece).await,
            async |p: &Party| {
                if to_argument > 0 {
                    truncate(p, argument, to_argument as u32).await
                } else {
                    Ok(argument.scale(up))
                }
            },
        )
        .await;
    Ok((argument?, piece?))
}

/// Bits between the normalised value and the spline's argument (negative: scale up), and its piece number.
fn argument_shifts<R: Ring>(normal: &Normal, spline: &Spline<R>) -> (i32, u32) {
    let to_argument = normal.top as i32 - normal.argument_bits as i32;
    (
        to_argument,
        (to_argument + spline.piece_shift() as i32).max(1) as u32,
    )
}

fn scaled_cost<R: Ring>(len: usize, normal: &Normal, spline: &Spline<R>, shift: i32) -> Cost {
    let last = if shift > 0 {
        bilinear_truncated_cost::<R>(len, shift as u32)
    } else {
        bilinear_cost::<R>(len)
    };
    normalise_cost(len, normal, spline) + spline_at_cost(len, spline) + last
}

/// Cost of [`normalise`] for `len` elements.
pub(crate) fn normalise_cost<R: Ring>(len: usize, normal: &Normal, spline: &Spline<R>) -> Cost {
    magnitude_cost::<R>(len, normal) + narrow_cost(len, normal, spline)
}

/// Cost of [`narrow`] for `len` elements.
pub(crate) fn narrow_cost<R: Ring>(len: usize, normal: &Normal, spline: &Spline<R>) -> Cost {
    let (to_argument, to_piece) = argument_shifts(normal, spline);
    let narrow = if to_argument > 0 {
        truncate_cost::<R>(len, to_argument as u32)
    } else {
        Cost::FREE
    };
    truncate_cost::<R>(len, to_piece).beside(narrow)
}

/// Cost of [`magnitude`] for `len` elements.
pub(crate) fn magnitude_cost<R: Ring>(len: usize, normal: &Normal) -> Cost {
    let steps = normal.thresholds.len();
    signs_cost(len, steps, normal.top + 1)
        + bit_products_cost::<R>(steps * len)
        + reshare_cost::<R>(2 * len)
}
