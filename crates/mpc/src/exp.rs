//! The exponential function.

use crate::lookup::{one_hot, one_hot_cost};
use crate::reshare::{Part, reshare_truncated, reshare_truncated_cost};
use crate::{Abort, Cost, Party, Share};
use std::f64::consts::LOG2_E;
use trefoil_ring::{FixedPoint, Ring, power_of_two};

/// The interval in which the arguments of [`exp`] lie: its width decides the cost, its upper end the precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpRange {
    /// Lower end.
    pub low: f64,
    /// Upper end; `exp(high)` must fit the output format.
    pub high: f64,
}

/// What [`exp`] derives from the ring, formats and range.
struct Scales {
    /// The whole part of the exponent is computed modulo `2^whole_bits`.
    whole_bits: u32,
    /// Fraction bits of the constant `log2 e`.
    constant_bits: u32,
    /// Fraction bits of party 0's factor.
    dealt_bits: u32,
    /// Fraction bits of the evaluators' factor.
    public_bits: u32,
    /// Largest whole part of the exponent.
    top: i64,
}

impl Scales {
    fn new<R: Ring>(input: FixedPoint, range: ExpRange) -> Self {
        let (low, high) = (range.low * LOG2_E, range.high * LOG2_E);
        let top = high.ceil() as i64 + 1;
        let whole_bits = ((top as f64 - low + 3.0).ceil() as u64)
            .next_power_of_two()
            .trailing_zeros();
        assert!(
            whole_bits + input.fraction_bits < R::BITS,
            "an exponential over {range:?} does not fit the ring"
        );
        let constant_bits = (R::BITS - whole_bits - input.fraction_bits).min(30);
        // The product of the two factors is at most 2^(top + 1) at the sum of their scales.
        let room = R::BITS - 4 - u32::try_from(top.max(0)).unwrap_or(0);
        Self {
            whole_bits,
            constant_bits,
            dealt_bits: room / 2,
            public_bits: room - room / 2,
            top,
        }
    }

    fn product_shift(&self, output: FixedPoint) -> u32 {
        (self.dealt_bits + self.public_bits)
            .saturating_sub(output.fraction_bits)
            .max(1)
    }
}

/// `exp(x)`, element by element, from format `input` to format `output`.
///
/// # Protocol
/// With `t = x log2 e = c + r` (the evaluators know `c`, party 0 knows `r`, both modulo a small power of two),
/// `2^t` is the product of `2^frac(c)`, `2^frac(r)` and 2 to the sum of the whole parts. Party 0 deals
/// `2^frac(r)` at the position of its whole part in a vector of zeros; the evaluators' inner product with
/// the public powers is local. So the whole function costs one masked opening and one truncation. Own design, after
/// the one-time truth tables of [`crate::lookup`]; the decomposition of AS19 (Aly and Smart 2019) needs bit
/// decomposition and a polynomial.
///
/// The evaluators' factors must agree to the last bit: they come from `libm`'s portable code, the same on every
/// machine, never from the system's library.
///
/// # Security
/// Semi-honest, see [`crate`]: the dealt vector is additively shared.
///
/// # Range and error
/// `range.low <= x <= range.high`; outside it the result is wrong, not saturated. Relative error below
/// `2^-25` in the 64-bit ring and `2^-10` in the 32-bit ring for ranges ending at 0, plus one unit of the output.
///
/// # Cost
/// [`exp_cost`]: 2 rounds. For `[-128, 0]` party 0 sends 256 bytes of keys each.
pub async fn exp<R: Ring>(
    party: &Party,
    x: &Share<R>,
    input: FixedPoint,
    output: FixedPoint,
    range: ExpRange,
) -> Result<Share<R>, Abort> {
    exp_scaled(party, x, 1.0, input, output, range).await
}

/// `exp(factor x)`, element by element, for a public `factor`: [`exp`] at the same cost, because the factor goes into
/// its constant `log2 e`.
///
/// # Range and error
/// As [`exp`], for `factor x`; `factor` adds a relative error of `|x| 2^-31` where formats leave room for a constant of
/// 30 fraction bits.
pub async fn exp_scaled<R: Ring>(
    party: &Party,
    x: &Share<R>,
    factor: f64,
    input: FixedPoint,
    output: FixedPoint,
    range: ExpRange,
) -> Result<Share<R>, Abort> {
    let scales = Scales::new::<R>(input, range);
    let t = x.scale(FixedPoint::new(scales.constant_bits).encode(LOG2_E * factor));
    let below = input.fraction_bits + scales.constant_bits;
    let fraction = |v: R| (v.to_u64() & ((1 << below) - 1)) as f64 / power_of_two(below as i32);
    let whole = |v: R| v.shift_right(below).to_u64() as usize % (1 << scales.whole_bits);
    let mut part = vec![Part::zero(); x.len()];
    let dealt_scale = power_of_two(scales.dealt_bits as i32);
    let entries = 1_i64 << scales.whole_bits;
    one_hot(
        party,
        &t,
        below..below + scales.whole_bits,
        |mask| R::from_u64((libm::exp2(fraction(mask)) * dealt_scale).round() as u64),
        |position, hot| {
            let c = t.masked(party.role())[position];
            let scale = libm::exp2(fraction(c)) * power_of_two(scales.public_bits as i32);
            let whole = whole(c) as i64;
            // Exponents from `top` down to where nothing is left of the factor.
            part[position] = (0..entries.min(i64::from(scales.public_bits) + scales.top + 2))
                .map(|down| {
                    let exponent = scales.top - down;
                    let entry = (exponent - whole).rem_euclid(entries) as usize;
                    hot[entry] * R::from_u64((scale * power_of_two(exponent as i32)).round() as u64)
                })
                .sum();
        },
    )
    .await?;
    reshare_truncated(party, x.shape(), part, scales.product_shift(output)).await
}

/// Cost of [`exp`] for `len` elements.
pub fn exp_cost<R: Ring>(
    len: usize,
    input: FixedPoint,
    output: FixedPoint,
    range: ExpRange,
) -> Cost {
    let scales = Scales::new::<R>(input, range);
    one_hot_cost::<R>(len, scales.whole_bits)
        + reshare_truncated_cost::<R>(len, scales.product_shift(output))
}
