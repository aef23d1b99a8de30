//! What an evaluator holds of a value between dealing and resharing.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};
use trefoil_ring::Ring;

/// One evaluator's part of a value: `v_1` or `v_2` of `z = v_1 + v_2`, be it dealt by party 0 or computed from what was
/// dealt. At party 0 the offset of a product.
///
/// A part says something about masks, so it may leave only under a fresh mask, and may not be multiplied by another one, or
/// parts of the result would not add up: the two conditions of the lemma in `docs/protocols.md`. Both are left to the
/// compiler. A part can be added to others and multiplied by what both evaluators know; nothing but resharing turns it into
/// bytes.
///
/// Elements of the ring are bytes:
/// ```
/// use trefoil_ring::Z64;
///
/// fn message(elements: &[Z64]) -> &[u8] {
///     bytemuck::cast_slice(elements)
/// }
/// ```
/// Parts are not:
/// ```compile_fail,E0277
/// use trefoil_mpc::Part;
/// use trefoil_ring::Z64;
///
/// fn message(parts: &[Part<Z64>]) -> &[u8] {
///     bytemuck::cast_slice(parts)
/// }
/// ```
/// And a product of two is none:
/// ```compile_fail,E0308
/// use trefoil_mpc::Part;
/// use trefoil_ring::Z64;
///
/// fn square(part: Part<Z64>) -> Part<Z64> {
///     part * part
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Part<R>(R);

impl<R: Ring> Part<R> {
    /// What an evaluator adds to a part from its own share alone.
    pub(crate) fn of(known: R) -> Self {
        Self(known)
    }

    /// Nothing.
    pub(crate) fn zero() -> Self {
        Self(R::zero())
    }

    /// All of these, in place.
    pub(crate) fn all(elements: Vec<R>) -> Vec<Self> {
        elements.into_iter().map(Self).collect()
    }

    /// The part under a mask, ready to be sent.
    pub(super) fn under(self, mask: R) -> R {
        self.0 + mask
    }

    /// The part itself, for tests.
    #[cfg(test)]
    pub(crate) fn shown(self) -> R {
        self.0
    }
}

impl<R: Ring> Add for Part<R> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl<R: Ring> AddAssign for Part<R> {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl<R: Ring> Sub for Part<R> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl<R: Ring> SubAssign for Part<R> {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl<R: Ring> Neg for Part<R> {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// By what both evaluators know.
impl<R: Ring> Mul<R> for Part<R> {
    type Output = Self;

    fn mul(self, known: R) -> Self {
        Self(self.0 * known)
    }
}

impl<R: Ring> Sum for Part<R> {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        Self(parts.map(|part| part.0).sum())
    }
}
