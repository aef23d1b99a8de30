//! The back end in the clear over a ring: the secure back end's arithmetic without its parties.

use super::{Backend, Clear, arrays};
use crate::ready::ready;
use crate::window::{Outside, Pool2d};
use ndarray::{ArrayD, ArrayView, ArrayViewD, Axis, IxDyn, Zip};
use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Range;
use trefoil_ring::{Conv2d, FixedPoint, FormatError, Prg, Ring, Seed};

/// Computes in the clear with fixed-point numbers in the ring `R`, rounding as the protocols do.
///
/// Products are exact at twice the fraction bits, then truncated: rounded down, plus one unit with
/// the probability of the fraction that was cut off, so that the expectation is exact and the error
/// below one unit in the last place. The coins come from a keyed PRG: equal seeds give equal
/// results. Maxima are exact; other functions are computed in 64-bit floats and rounded to the
/// nearest value of the format. Sums that leave the ring's range wrap, as on shares.
///
/// Its futures are ready at once ([`crate::ready`]).
#[derive(Debug)]
pub struct Fixed<R: Ring> {
    format: FixedPoint,
    coins: Prg,
    drawn: Cell<u64>,
    ring: std::marker::PhantomData<R>,
}

impl<R: Ring> Fixed<R> {
    /// The back end of this format, with the coins of `seed`.
    ///
    /// # Panics
    /// If a product does not fit the ring: `2 * fraction_bits + 2 >= R::BITS`.
    pub fn new(format: FixedPoint, seed: [u8; 16]) -> Self {
        let bits = format.fraction_bits;
        assert!(
            2 * bits + 2 < R::BITS,
            "{bits} fraction bits in a ring of {} bits",
            R::BITS
        );
        let (drawn, ring) = (Cell::new(0), std::marker::PhantomData);
        Self {
            format,
            coins: Prg::new(&Seed(seed)),
            drawn,
            ring,
        }
    }

    /// Numbers as ring elements, each rounded to the nearest value of the format.
    ///
    /// # Errors
    /// The first element that is not finite or does not fit.
    pub fn encode(&self, values: ArrayViewD<'_, f64>) -> Result<ArrayD<R>, FormatError> {
        self.format.encode_all(values)
    }

    /// Ring elements as numbers.
    pub fn decode(&self, values: ArrayViewD<'_, R>) -> ArrayD<f64> {
        self.format.decode_all(values)
    }

    /// The format of its numbers.
    pub fn format(&self) -> FixedPoint {
        self.format
    }

    /// From twice the fraction bits to the format.
    pub(super) fn truncate(&self, mut x: ArrayD<R>) -> ArrayD<R> {
        let bits = self.format.fraction_bits;
        if bits == 0 {
            return x;
        }
        let mut stream = [0; 12];
        stream[..8].copy_from_slice(&self.drawn.get().to_le_bytes());
        self.drawn.set(self.drawn.get() + 1);
        let (mask, width) = ((1_u64 << bits) - 1, R::BYTES);
        // Slices of the coins, so that they stay in the cache.
        let mut coins = vec![0; width << 12];
        let mut position = 0;
        if let Some(values) = x.as_slice_mut() {
            for chunk in values.chunks_mut(1 << 12) {
                let coins = &mut coins[..chunk.len() * width];
                position = self.coins.fill(stream, position, coins);
                for (value, coin) in chunk.iter_mut().zip(coins.chunks_exact(width)) {
                    let mut word = [0; 8];
                    word[..width].copy_from_slice(coin);
                    let coin = u64::from_le_bytes(word) & mask;
                    let lifted = *value + R::from_u64(coin);
                    *value = R::from_i64(lifted.to_i64() >> bits);
                }
            }
        }
        x
    }

    /// A function computed in 64-bit floats, rounded to the format.
    pub(super) fn in_floats(&self, x: &ArrayD<R>, f: impl Fn(f64) -> f64) -> ArrayD<R> {
        x.mapv(|v| self.round(f(self.format.decode(v))))
    }

    /// The nearest value of the format. Out of range saturates, which no protocol promises.
    pub(super) fn round(&self, value: f64) -> R {
        let limit = self.format.limit::<R>();
        self.format.encode(value.clamp(-limit, limit))
    }
}

impl<R: Ring> Backend for Fixed<R> {
    type Tensor = ArrayD<R>;
    type Bits = ArrayD<bool>;
    type Error = Infallible;

    fn shape(&self, x: &ArrayD<R>) -> Vec<usize> {
        x.shape().to_vec()
    }
    fn public(&self, values: &ArrayD<f64>) -> ArrayD<R> {
        values
            .mapv(|v| self.round(v))
            .as_standard_layout()
            .into_owned()
    }
    fn add(&self, x: &ArrayD<R>, y: &ArrayD<R>) -> ArrayD<R> {
        x + y
    }
    fn sub(&self, x: &ArrayD<R>, y: &ArrayD<R>) -> ArrayD<R> {
        x - y
    }
    fn neg(&self, x: &ArrayD<R>) -> ArrayD<R> {
        x.mapv(|v| -v)
    }
    fn add_public(&self, x: &ArrayD<R>, y: &ArrayD<f64>) -> ArrayD<R> {
        x + &self.public(y)
    }
    fn mul_integer(&self, x: &ArrayD<R>, factor: i64) -> ArrayD<R> {
        let factor = R::from_i64(factor);
        x.mapv(|v| v * factor)
    }
    fn sum(&self, x: &ArrayD<R>, axis: usize) -> ArrayD<R> {
        x.sum_axis(Axis(axis))
    }
    fn reshape(&self, x: &ArrayD<R>, shape: &[usize]) -> ArrayD<R> {
        arrays::reshape(x, shape)
    }
    fn permute(&self, x: &ArrayD<R>, axes: &[usize]) -> ArrayD<R> {
        arrays::permute(x, axes)
    }
    fn slice(&self, x: &ArrayD<R>, axis: usize, range: Range<usize>) -> ArrayD<R> {
        arrays::slice(x, axis, range)
    }
    fn concat(&self, parts: &[&ArrayD<R>], axis: usize) -> ArrayD<R> {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        arrays::concat(&views, axis)
    }
    fn broadcast(&self, x: &ArrayD<R>, shape: &[usize]) -> ArrayD<R> {
        arrays::broadcast(x, shape)
    }
    fn windows(&self, x: &ArrayD<R>, pool: &Pool2d, outside: Outside<f64>) -> ArrayD<R> {
        pool.windows(
            x.view(),
            match outside {
                Outside::Value(value) => Outside::Value(self.round(value)),
                Outside::Repeat => Outside::Repeat,
            },
        )
    }

    fn bits_shape(&self, bits: &ArrayD<bool>) -> Vec<usize> {
        bits.shape().to_vec()
    }
    fn not(&self, bits: &ArrayD<bool>) -> ArrayD<bool> {
        !bits
    }
    fn xor(&self, x: &ArrayD<bool>, y: &ArrayD<bool>) -> ArrayD<bool> {
        x ^ y
    }
    fn arrange_bits(&self, parts: &[&ArrayD<bool>], places: &ArrayD<usize>) -> ArrayD<bool> {
        arrays::arranged(parts, places)
    }

    async fn mul(&self, x: &ArrayD<R>, y: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.truncate((x * y).as_standard_layout().into_owned()))
    }
    async fn mul_public(&self, x: &ArrayD<R>, y: &ArrayD<f64>) -> Result<ArrayD<R>, Infallible> {
        self.mul(x, &self.public(y)).await
    }
    async fn matmul(&self, x: &ArrayD<R>, y: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        let (m, k, n) = (x.shape()[0], x.shape()[1], y.shape()[1]);
        let mut out = vec![R::zero(); m * n];
        let (x, y) = (x.as_standard_layout(), y.as_standard_layout());
        let (x, y) = (
            x.as_slice().unwrap_or_default(),
            y.as_slice().unwrap_or_default(),
        );
        trefoil_ring::matmul(m, k, n, x, y, &mut out);
        Ok(self.truncate(shaped(&[m, n], out)))
    }
    async fn conv2d(
        &self,
        x: &ArrayD<R>,
        w: &ArrayD<R>,
        bias: Option<&ArrayD<R>>,
        geometry: &Conv2d,
    ) -> Result<ArrayD<R>, Infallible> {
        let [oh, ow] = geometry.output();
        let mut out = vec![R::zero(); geometry.batch * geometry.filters * oh * ow];
        if let Some(bias) = bias {
            let scaled = bias
                .iter()
                .map(|b| b.shift_left(self.format.fraction_bits))
                .cycle();
            for (plane, bias) in out.chunks_exact_mut(oh * ow).zip(scaled) {
                plane.fill(bias);
            }
        }
        let (x, w) = (x.as_standard_layout(), w.as_standard_layout());
        let (x, w) = (
            x.as_slice().unwrap_or_default(),
            w.as_slice().unwrap_or_default(),
        );
        trefoil_ring::conv2d(geometry, x, w, &mut out);
        Ok(self.truncate(shaped(&[geometry.batch, geometry.filters, oh, ow], out)))
    }
    async fn relu(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(x.mapv(|v| if v.is_negative() { R::zero() } else { v }))
    }
    async fn is_negative(&self, x: &ArrayD<R>) -> Result<ArrayD<bool>, Infallible> {
        Ok(x.mapv(Ring::is_negative))
    }
    async fn and(&self, x: &ArrayD<bool>, y: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(x & y)
    }
    async fn numbers(&self, bits: &ArrayD<bool>) -> Result<ArrayD<R>, Infallible> {
        let one = self.round(1.0);
        Ok(bits.mapv(|bit| if bit { one } else { R::zero() }))
    }
    async fn select(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<R>,
        y: &ArrayD<R>,
    ) -> Result<ArrayD<R>, Infallible> {
        Ok(Zip::from(bits)
            .and(x)
            .and(y)
            .map_collect(|&bit, &x, &y| if bit { x } else { y }))
    }
    async fn max(&self, x: &ArrayD<R>, axis: usize) -> Result<ArrayD<R>, Infallible> {
        let mut parts = x.axis_iter(Axis(axis));
        let mut out = parts.next().map(ArrayView::into_owned).unwrap_or_default();
        for part in parts {
            out.zip_mut_with(&part, |a, &b| {
                if b.to_i64() > a.to_i64() {
                    *a = b;
                }
            });
        }
        Ok(out.as_standard_layout().into_owned())
    }
    async fn argmax_one_hot(&self, x: &ArrayD<R>, axis: usize) -> Result<ArrayD<R>, Infallible> {
        Ok(arrays::one_hot(
            &x.mapv(Ring::to_i64),
            axis,
            R::zero(),
            self.round(1.0),
        ))
    }
    async fn exp(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, f64::exp))
    }
    async fn reciprocal(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, f64::recip))
    }
    async fn rsqrt(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, |v| v.sqrt().recip()))
    }
    async fn sigmoid(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, |v| (1.0 + (-v).exp()).recip()))
    }
    async fn tanh(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, f64::tanh))
    }
    async fn log(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, f64::ln))
    }
    async fn erf(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, libm::erf))
    }
    async fn softmax(&self, x: &ArrayD<R>, axis: usize) -> Result<ArrayD<R>, Infallible> {
        let Ok(exact) = ready(Clear.softmax(&self.decode(x.view()), axis));
        Ok(self.public(&exact))
    }
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        (f(self).await, g(self).await)
    }
}

fn shaped<R: Ring>(shape: &[usize], data: Vec<R>) -> ArrayD<R> {
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap_or_default()
}
