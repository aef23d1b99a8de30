//! Operations with public ranges, and on bits, for algorithms that count their rounds.

mod clear;
mod fixed;
mod priced;
mod secure;

use super::Backend;
use ndarray::ArrayD;
use std::ops::{Range, RangeInclusive};

/// A term of [`RangedBackend::sum_of`].
pub enum Term<'a, B: RangedBackend> {
    /// The product of two tensors, element by element.
    Product(&'a B::Tensor, &'a B::Tensor),
    /// The tensor where the bit is set, else 0; or its rows (… × n) whose bit (…) is set.
    Masked(&'a B::Bits, &'a B::Tensor),
    /// Values (rows) wherever in their row (of n) the indicator is 1, else 0.
    Placed(&'a B::Indicator, &'a B::Tensor),
}

/// What algorithms beyond a model's layers are written in: a caller that knows a value's range says so, and pays for
/// that range only; and bits are first-class.
///
/// A range is a promise of the caller. [`crate::Clear`] and [`crate::Fixed`] compute the function whatever it is;
/// on shares a value outside its range gives a wrong result, not an error. In [`crate::Secure`] the divisions and
/// [`RangedBackend::unit`] need the 64-bit ring.
///
/// # Panics
/// Shapes that do not fit are a caller's bug.
#[allow(async_fn_in_trait)] // See `Backend`.
pub trait RangedBackend: Backend {
    /// What [`RangedBackend::scale_rows`] keeps of the divisors.
    type RowScale: Clone;
    /// What [`RangedBackend::factors`] makes of bits.
    type Factors: Clone;
    /// What [`RangedBackend::indicator`] makes of bits.
    type Indicator: Clone;
    /// What [`RangedBackend::matmul_untruncated`] makes of tensors.
    type Untruncated: Clone;

    /// Whether an odd number of bits is set along the last axis, which is removed. Local.
    fn parity(&self, bits: &Self::Bits) -> Self::Bits;
    /// The bits, repeated along a new last axis of length `n`.
    fn repeat_bits(&self, bits: &Self::Bits, n: usize) -> Self::Bits;
    /// The bits of a range of the last axis. Local.
    fn slice_bits(&self, bits: &Self::Bits, range: Range<usize>) -> Self::Bits;
    /// The rows of `x` (… × n) whose bit (…) is set; 0 in the others.
    async fn masked_rows(
        &self,
        bits: &Self::Bits,
        x: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error> {
        let n = self.shape(x).last().copied().unwrap_or(1);
        self.masked(&self.repeat_bits(bits, n), x).await
    }
    /// `x` where the bit is set, else 0; both of one shape.
    async fn masked(
        &self,
        bits: &Self::Bits,
        x: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The bits, ready for [`RangedBackend::masked_by`]: worth it for those that multiply more than once. No round.
    async fn factors(&self, bits: &Self::Bits) -> Result<Self::Factors, Self::Error>;
    /// [`RangedBackend::masked`] by prepared bits.
    async fn masked_by(
        &self,
        factors: &Self::Factors,
        x: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// [`Backend::matmul`], to be rounded where it is used: [`RangedBackend::is_negative_untruncated`] and [`RangedBackend::masked_untruncated`], which see the
    /// same rounding, do not wait for it.
    async fn matmul_untruncated(
        &self,
        x: &Self::Tensor,
        y: &Self::Tensor,
    ) -> Result<Self::Untruncated, Self::Error>;
    /// [`RangedBackend::is_negative_below`] of such a product.
    async fn is_negative_untruncated(
        &self,
        x: &Self::Untruncated,
        bound: f64,
    ) -> Result<Self::Bits, Self::Error>;
    /// [`RangedBackend::masked_by`] of such a product.
    async fn masked_untruncated(
        &self,
        factors: &Self::Factors,
        x: &Self::Untruncated,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The bits (rows × n) as exact numbers 0 and 1: worth it for rows that are read or written at a secret place many
    /// times.
    async fn indicator(&self, bits: &Self::Bits) -> Result<Self::Indicator, Self::Error>;
    /// The sum (rows) of the elements of `x` (rows × n) where the indicator is 1.
    async fn pick(
        &self,
        indicator: &Self::Indicator,
        x: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `values` (rows) wherever in their row (of n) the indicator is 1, else 0.
    async fn place(
        &self,
        indicator: &Self::Indicator,
        values: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The sum of the terms, rounded once. Costs little more than its longest term.
    async fn sum_of(&self, terms: &[Term<'_, Self>]) -> Result<Self::Tensor, Self::Error>
    where
        Self: Sized;
    /// [`RangedBackend::place`] of a public `value`. Local.
    fn place_public(&self, indicator: &Self::Indicator, value: f64) -> Self::Tensor;
    /// `value` where the bit is set, else 0, for a public `value`.
    async fn scaled_bits(&self, bits: &Self::Bits, value: f64)
    -> Result<Self::Tensor, Self::Error>;
    /// `x < 0`, for `|x| < bound`.
    async fn is_negative_below(
        &self,
        x: &Self::Tensor,
        bound: f64,
    ) -> Result<Self::Bits, Self::Error>;
    /// A bit at the first of the maxima along the last axis of `x`, whose elements differ by less than `bound`. Lean:
    /// bytes grow linearly in the axis' length, rounds with its logarithm.
    async fn argmax_bits(&self, x: &Self::Tensor, bound: f64) -> Result<Self::Bits, Self::Error>;
    /// For each row of `x` (rows × n) the row of `table` (n × n) that belongs to its first maximum, its values placed by rank:
    /// the largest element gets the first, the next largest the second; of equal ones the first counts as larger. Exact, for
    /// numbers that [`Backend::max`] compares.
    async fn by_rank(
        &self,
        x: &Self::Tensor,
        table: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `e^(factor x)`, for `factor x` in `range`.
    async fn exp_scaled(
        &self,
        x: &Self::Tensor,
        factor: f64,
        range: RangeInclusive<f64>,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `x / total` (rows × n by rows), for `|x| <= total` with `total` in `range`.
    async fn fraction_of(
        &self,
        x: &Self::Tensor,
        total: &Self::Tensor,
        range: RangeInclusive<f64>,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `x` (rows × n) by the power of two that brings each row's `total` to `[1/2, 1)`, for `|x| <= total` with `total` in
    /// `range`. Functions whose sign does not depend on the scale of their argument can be computed of it, before
    /// [`RangedBackend::divide_scaled`] has the quotients.
    async fn scale_rows(
        &self,
        x: &Self::Tensor,
        total: &Self::Tensor,
        range: RangeInclusive<f64>,
    ) -> Result<(Self::Tensor, Self::RowScale), Self::Error>;
    /// `x / total` of what [`RangedBackend::scale_rows`] has scaled, with the same `range`.
    async fn divide_scaled(
        &self,
        scaled: &Self::Tensor,
        scale: &Self::RowScale,
        range: RangeInclusive<f64>,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The inner products of `x` and `y` along the last axis, which is removed.
    async fn dot(&self, x: &Self::Tensor, y: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `x / ||x||_2` for each row of `x` (rows × n), for norms up to [`RangedBackend::largest_norm`]; 0 for 0. The square of the norm is
    /// never rounded, so that short vectors keep their direction down to the last bits of the format.
    async fn unit(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// The norms that [`RangedBackend::unit`] takes.
    fn largest_norm(&self) -> f64;
    /// The smallest positive number.
    fn smallest(&self) -> f64;

    /// `max(x, 0)` for `|x| < bound`, and where `x` was negative.
    async fn relu_below(
        &self,
        x: &Self::Tensor,
        bound: f64,
    ) -> Result<(Self::Tensor, Self::Bits), Self::Error> {
        let negative = self.is_negative_below(x, bound).await?;
        let kept = self.masked(&self.not(&negative), x).await?;
        Ok((kept, negative))
    }
    /// `x` with a last axis of length `n` along which it is repeated.
    fn repeat(&self, x: &Self::Tensor, n: usize) -> Self::Tensor {
        let shape = self.shape(x);
        let column = self.reshape(x, &[&shape[..], &[1]].concat());
        self.broadcast(&column, &[&shape[..], &[n]].concat())
    }
    /// `value` everywhere.
    fn constant(&self, shape: &[usize], value: f64) -> Self::Tensor {
        self.public(&ArrayD::from_elem(shape, value))
    }
}
