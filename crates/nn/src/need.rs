//! What operands are used for, and how large they may be.

use trefoil_mpc::{ExpRange, Positive};
use trefoil_ring::{FixedPoint, Ring, Z32, Z64};

/// What an operand is used for, which decides how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Need {
    /// A number in the plan's format.
    Value,
    /// A product or a sum of products, before it is rounded: at twice the fraction bits.
    Product,
    /// A number whose sign is taken, or that is compared with others.
    Compared,
    /// The argument of an exponential.
    Exponent,
    /// The argument of a reciprocal, a root or a logarithm.
    Positive,
    /// How far below the largest one the arguments of a softmax lie.
    Spread,
}

impl Need {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Product => "product",
            Self::Compared => "compared number",
            Self::Exponent => "exponent",
            Self::Positive => "positive argument",
            Self::Spread => "spread of a softmax",
        }
    }

    /// The least and the greatest number allowed, in a ring of `ring_bits` bits of which `fraction_bits` are behind
    /// the binary point.
    ///
    /// Values stay below `2^(k-2-f)`, products below `2^(k-2-2f)`: half of what the ring holds, which leaves room for
    /// rounding. Comparisons look at the bits of sums of 16 products, no more, which saves a third of their traffic.
    /// Functions take what their protocols state.
    pub fn allowed(self, ring_bits: u32, fraction_bits: u32) -> [f64; 2] {
        let (ring, bits) = (f64::from(ring_bits), f64::from(fraction_bits));
        let format = FixedPoint::new(fraction_bits);
        let (exponent, highest) = if ring_bits == 32 {
            (exp_range::<Z32>(), positive::<Z32>(format).high)
        } else {
            (exp_range::<Z64>(), positive::<Z64>(format).high)
        };
        match self {
            Self::Value => symmetric((ring - 2.0 - bits).exp2()),
            Self::Product => symmetric((ring - 2.0 - 2.0 * bits).exp2()),
            Self::Compared => symmetric((ring - 2.0 - bits + (4.0 - bits).min(0.0)).exp2()),
            Self::Exponent => [exponent.low, exponent.high],
            Self::Positive => [(-bits).exp2(), (f64::from(highest) - bits).exp2()],
            Self::Spread => [0.0, -exponent.low],
        }
    }
}

fn symmetric(limit: f64) -> [f64; 2] {
    [-limit, limit]
}

/// How far the operands of one kind reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// What they are used for.
    pub need: Need,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Extent {
    /// Reach as far as `other` too.
    pub(crate) fn widen(&mut self, other: &Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }

    /// Factors of two that are left until an operand is too large (of positive arguments: too small); negative where
    /// one is, infinite where none can be.
    pub fn headroom(&self, ring_bits: u32, fraction_bits: u32) -> f64 {
        let [least, greatest] = self.need.allowed(ring_bits, fraction_bits);
        let above = if self.high > 0.0 {
            (greatest / self.high).log2()
        } else {
            f64::INFINITY
        };
        let below = match least.total_cmp(&0.0) {
            std::cmp::Ordering::Less if self.low < 0.0 => (least / self.low).log2(),
            std::cmp::Ordering::Greater if self.low > 0.0 => (self.low / least).log2(),
            std::cmp::Ordering::Greater => f64::NEG_INFINITY,
            _ => f64::INFINITY,
        };
        above.min(below)
    }
}

/// Bits that a comparison looks at: of numbers below `2^(k+2-2f)` (k bits in the ring, f of them fraction), 16 times what
/// products reach, and of differences of two of them.
pub(crate) fn compared_bits<R: Ring>(format: FixedPoint) -> u32 {
    (R::BITS + 4 - format.fraction_bits).min(R::BITS)
}

/// The arguments that [`crate::Backend::exp`] takes.
pub(crate) fn exp_range<R: Ring>() -> ExpRange {
    ExpRange {
        low: -128.0,
        high: if R::BITS == 64 { 10.0 } else { 4.0 },
    }
}

/// The arguments that [`crate::Backend::reciprocal`], [`crate::Backend::rsqrt`] and [`crate::Backend::log`] take.
pub(crate) fn positive<R: Ring>(format: FixedPoint) -> Positive {
    Positive {
        low: 0,
        high: (2 * format.fraction_bits + 2).min(R::BITS - 6),
    }
}
