//! What a layer may do with tensors, whatever they are.

pub(crate) mod arrays;
mod bounds;
mod clear;
mod cost;
mod fixed;
mod ranged;
mod secure;

pub(crate) use bounds::{Bounds, Interval};
pub use clear::Clear;
pub use cost::Priced;
pub use fixed::Fixed;
pub use ranged::{RangedBackend, Term};
pub use secure::{Secure, SharedBits};

use crate::window::{Outside, Pool2d};
use ndarray::ArrayD;
use std::ops::Range;
use trefoil_ring::Conv2d;

/// The operations that layers are written in. One text of a layer runs on every back end:
/// [`crate::Clear`] (64-bit floats) is the definition, [`crate::Fixed`] the ring in the clear with
/// the protocols' rounding, the secure back end runs the protocols.
///
/// Shapes follow numpy. Operations that are not `async` are local: on shares they need no
/// communication. The others may exchange messages, and fail if a peer does.
///
/// # Panics
/// Shapes that do not fit are a caller's bug. The executor runs checked plans only.
// Parties are single-threaded by design: no future here needs to be `Send`, so that the bounds
// which the lint wants callers to be able to state are never stated.
#[allow(async_fn_in_trait)]
pub trait Backend: Sized {
    /// A tensor of numbers.
    type Tensor: Clone;
    /// A tensor of bits.
    type Bits: Clone;
    /// Why an interactive operation failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The shape of `x`.
    fn shape(&self, x: &Self::Tensor) -> Vec<usize>;
    /// Values that everyone knows, as a tensor.
    fn public(&self, values: &ArrayD<f64>) -> Self::Tensor;
    /// `x + y`, broadcast.
    fn add(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// `x - y`, broadcast.
    fn sub(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// `-x`.
    fn neg(&self, x: &Self::Tensor) -> Self::Tensor;
    /// `x + y`, broadcast, where everyone knows `y`.
    fn add_public(&self, x: &Self::Tensor, y: &ArrayD<f64>) -> Self::Tensor;
    /// `x * factor`, exact.
    fn mul_integer(&self, x: &Self::Tensor, factor: i64) -> Self::Tensor;
    /// The sum over `axis`, which is removed.
    fn sum(&self, x: &Self::Tensor, axis: usize) -> Self::Tensor;
    /// The same elements in row-major order under another shape.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;
    /// Axis `i` of the result is axis `axes[i]` of `x`.
    fn permute(&self, x: &Self::Tensor, axes: &[usize]) -> Self::Tensor;
    /// The part of `x` with `range` on `axis`.
    fn slice(&self, x: &Self::Tensor, axis: usize, range: Range<usize>) -> Self::Tensor;
    /// The tensors one behind the other along `axis`.
    fn concat(&self, parts: &[&Self::Tensor], axis: usize) -> Self::Tensor;
    /// `x`, repeated to `shape`.
    fn broadcast(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;
    /// The elements under every window, [`Pool2d::windows`]; `Outside::Value(0.0)` is zero.
    fn windows(&self, x: &Self::Tensor, pool: &Pool2d, outside: Outside<f64>) -> Self::Tensor;

    /// The shape of bits.
    fn bits_shape(&self, bits: &Self::Bits) -> Vec<usize>;
    /// The complement.
    fn not(&self, bits: &Self::Bits) -> Self::Bits;
    /// The exclusive or of bits of one shape.
    fn xor(&self, x: &Self::Bits, y: &Self::Bits) -> Self::Bits;
    /// The bits at `places`, counted through the elements of all `parts` one behind the other, row-major.
    fn arrange_bits(&self, parts: &[&Self::Bits], places: &ArrayD<usize>) -> Self::Bits;

    /// `x * y`, broadcast, rounded to the format.
    async fn mul(&self, x: &Self::Tensor, y: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `x * y`, broadcast, rounded to the format, where everyone knows `y`.
    async fn mul_public(
        &self,
        x: &Self::Tensor,
        y: &ArrayD<f64>,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The product of `x` (m, k) and `y` (k, n), rounded once per element of the result.
    async fn matmul(&self, x: &Self::Tensor, y: &Self::Tensor)
    -> Result<Self::Tensor, Self::Error>;
    /// The convolution of `x` (N, C, H, W) by `w` (O, C / groups, KH, KW) plus `bias` (O), rounded
    /// once per element of the result.
    async fn conv2d(
        &self,
        x: &Self::Tensor,
        w: &Self::Tensor,
        bias: Option<&Self::Tensor>,
        geometry: &Conv2d,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `max(x, 0)`.
    async fn relu(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `x < 0`.
    async fn is_negative(&self, x: &Self::Tensor) -> Result<Self::Bits, Self::Error>;
    /// The logical and of bits of one shape.
    async fn and(&self, x: &Self::Bits, y: &Self::Bits) -> Result<Self::Bits, Self::Error>;
    /// 1 where the bit is set, else 0.
    async fn numbers(&self, bits: &Self::Bits) -> Result<Self::Tensor, Self::Error>;
    /// `x` where the bit is set, else `y`; all three of one shape.
    async fn select(
        &self,
        bits: &Self::Bits,
        x: &Self::Tensor,
        y: &Self::Tensor,
    ) -> Result<Self::Tensor, Self::Error>;
    /// The maximum over `axis`, which is removed.
    async fn max(&self, x: &Self::Tensor, axis: usize) -> Result<Self::Tensor, Self::Error>;
    /// 1 at the maximum along `axis` (the first, among equal ones), 0 elsewhere.
    async fn argmax_one_hot(
        &self,
        x: &Self::Tensor,
        axis: usize,
    ) -> Result<Self::Tensor, Self::Error>;
    /// `e^x`.
    async fn exp(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `1 / x` for `x > 0`.
    async fn reciprocal(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `1 / sqrt(x)` for `x > 0`.
    async fn rsqrt(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `1 / (1 + e^-x)`.
    async fn sigmoid(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// The hyperbolic tangent.
    async fn tanh(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// The natural logarithm of `x > 0`.
    async fn log(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// The error function.
    async fn erf(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error>;
    /// `e^x_i / Σ e^x_j` along `axis`, stable for large `x`.
    async fn softmax(&self, x: &Self::Tensor, axis: usize) -> Result<Self::Tensor, Self::Error>;
    /// Two independent computations side by side: on shares, their rounds are merged.
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B);

    /// The square root of `x >= 0`.
    async fn sqrt(&self, x: &Self::Tensor) -> Result<Self::Tensor, Self::Error> {
        self.mul(x, &self.rsqrt(x).await?).await
    }
    /// `x_i - ln Σ e^x_j` along `axis`, stable for large `x`.
    async fn log_softmax(
        &self,
        x: &Self::Tensor,
        axis: usize,
    ) -> Result<Self::Tensor, Self::Error> {
        let mut one = self.shape(x);
        one[axis] = 1;
        let top = self.reshape(&self.max(x, axis).await?, &one);
        let below = self.sub(x, &top);
        let sum = self.sum(&self.exp(&below).await?, axis);
        Ok(self.sub(&below, &self.log(&self.reshape(&sum, &one)).await?))
    }
    /// `x < y`, broadcast.
    async fn less_than(
        &self,
        x: &Self::Tensor,
        y: &Self::Tensor,
    ) -> Result<Self::Bits, Self::Error> {
        self.is_negative(&self.sub(x, y)).await
    }
    /// The maximum under each window of `x` (N, C, H, W): (N, C, OH, OW). Padding never wins.
    async fn max_pool(&self, x: &Self::Tensor, pool: &Pool2d) -> Result<Self::Tensor, Self::Error> {
        self.max(&self.windows(x, pool, Outside::Repeat), 0).await
    }
    /// The sum under each window of `x` (N, C, H, W): (N, C, OH, OW). Padding counts as 0. Local.
    fn sum_pool(&self, x: &Self::Tensor, pool: &Pool2d) -> Self::Tensor {
        self.sum(&self.windows(x, pool, Outside::Value(0.0)), 0)
    }
}
