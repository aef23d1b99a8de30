//! The back end of three parties.

use super::{Backend, arrays};
use crate::need::{compared_bits, exp_range, positive};
use crate::shape;
use crate::window::{Outside, Pool2d};
use ndarray::{ArrayD, Axis};
use std::ops::Range;
use trefoil_mpc::{
    Abort, BitShare, Party, Share, and, argmax_one_hot, bit_to_arithmetic, conv2d_truncated, erf,
    exp, log, matmul_truncated, max, msb, mul_truncated, reciprocal, relu, rsqrt, select, sigmoid,
    softmax, tanh, truncate,
};
use trefoil_ring::{Bits, Conv2d, FixedPoint, Ring};

/// Computes on replicated shares, as one of three parties: the product.
///
/// # Security
/// One semi-honest party out of three learns nothing but the plan; see `docs/threat-model.md`. Nothing is
/// opened here: who asks for a result receives its shares.
///
/// # Range and error
/// Products must stay below `2^(k-2)` at twice the fraction bits (k bits in the ring), numbers that are compared (by
/// `relu`, `is_negative`, `max` and `argmax_one_hot`) below 16 times that: sums of 16 products. Each rounding is off
/// by less than a unit; functions as their protocols state. `exp` takes arguments in `[-128, 10]` (32-bit
/// ring: `[-128, 4]`), `reciprocal`, `rsqrt` and `log` positive arguments below `2^(fraction bits + 2)`.
pub struct Secure<R> {
    party: Party,
    format: FixedPoint,
    ring: std::marker::PhantomData<R>,
}

/// Shared bits with a shape.
#[derive(Clone, Debug)]
pub struct SharedBits {
    pub(crate) shape: Vec<usize>,
    pub(crate) bits: BitShare,
}

impl<R: Ring> Secure<R> {
    /// The back end of this branch of a party's run, for numbers of `format`. Take it from
    /// [`Party::fork`], and [`Party::merge`] it when done.
    ///
    /// # Panics
    /// If a product does not fit the ring: `2 * fraction_bits + 2 >= R::BITS`.
    pub fn new(party: Party, format: FixedPoint) -> Self {
        let bits = format.fraction_bits;
        assert!(
            bits > 0 && 2 * bits + 2 < R::BITS,
            "{bits} fraction bits in a ring of {} bits",
            R::BITS
        );
        Self {
            party,
            format,
            ring: std::marker::PhantomData,
        }
    }

    /// The party's branch.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The format of its numbers.
    pub fn format(&self) -> FixedPoint {
        self.format
    }

    fn fraction_bits(&self) -> u32 {
        self.format.fraction_bits
    }

    fn both(&self, x: &Share<R>, y: &Share<R>) -> [Share<R>; 2] {
        let common = shape::broadcast(x.shape(), y.shape());
        assert!(
            common.is_some(),
            "broadcast of {:?} and {:?}",
            x.shape(),
            y.shape()
        );
        let common = common.unwrap_or_default();
        [x, y].map(|share| self.broadcast(share, &common))
    }

    /// `x` as a matrix whose first axis is `axis`, and the shape of the others.
    fn slots(&self, x: &Share<R>, axis: usize) -> (Share<R>, Vec<usize>) {
        let mut axes: Vec<usize> = (0..x.shape().len()).filter(|&a| a != axis).collect();
        let others: Vec<usize> = axes.iter().map(|&a| x.shape()[a]).collect();
        axes.insert(0, axis);
        let slots = self.permute(x, &axes);
        let rows = others.iter().product();
        (slots.reshape(&[x.shape()[axis], rows]), others)
    }

    /// Back from [`Secure::slots`].
    fn unslot(&self, slots: Share<R>, axis: usize, others: &[usize]) -> Share<R> {
        let n = slots.len() / others.iter().product::<usize>().max(1);
        let first = slots.reshape(&[&[n], others].concat());
        // Axis 0 goes to place `axis`, the others keep their order.
        let mut axes: Vec<usize> = (1..=others.len()).collect();
        axes.insert(axis, 0);
        self.permute(&first, &axes)
    }
}

impl<R: Ring> Backend for Secure<R> {
    type Tensor = Share<R>;
    type Bits = SharedBits;
    type Error = Abort;

    fn shape(&self, x: &Share<R>) -> Vec<usize> {
        x.shape().to_vec()
    }
    fn public(&self, values: &ArrayD<f64>) -> Share<R> {
        let limit = self.format.limit::<R>();
        Share::public(
            self.party.role(),
            &values.mapv(|v| self.format.encode(v.clamp(-limit, limit))),
        )
    }
    fn add(&self, x: &Share<R>, y: &Share<R>) -> Share<R> {
        if x.shape() == y.shape() {
            x.add(y)
        } else {
            x.zip(y, |x, y| &x + &y)
        }
    }
    fn sub(&self, x: &Share<R>, y: &Share<R>) -> Share<R> {
        if x.shape() == y.shape() {
            x.sub(y)
        } else {
            x.zip(y, |x, y| &x - &y)
        }
    }
    fn neg(&self, x: &Share<R>) -> Share<R> {
        x.neg()
    }
    fn add_public(&self, x: &Share<R>, y: &ArrayD<f64>) -> Share<R> {
        self.add(x, &self.public(y))
    }
    fn mul_integer(&self, x: &Share<R>, factor: i64) -> Share<R> {
        x.scale(R::from_i64(factor))
    }
    fn sum(&self, x: &Share<R>, axis: usize) -> Share<R> {
        x.map(|x| x.sum_axis(Axis(axis)))
    }
    fn reshape(&self, x: &Share<R>, shape: &[usize]) -> Share<R> {
        x.clone().reshape(shape)
    }
    fn permute(&self, x: &Share<R>, axes: &[usize]) -> Share<R> {
        if axes.iter().copied().eq(0..axes.len()) {
            return x.clone();
        }
        x.map(|x| arrays::permute(&x, axes))
    }
    fn slice(&self, x: &Share<R>, axis: usize, range: Range<usize>) -> Share<R> {
        x.map(|x| arrays::slice(&x, axis, range.clone()))
    }
    fn concat(&self, parts: &[&Share<R>], axis: usize) -> Share<R> {
        let Some((first, rest)) = parts.split_first() else {
            assert!(!parts.is_empty(), "concatenation of nothing");
            return self.public(&ArrayD::zeros(vec![0]));
        };
        if rest.is_empty() {
            return (*first).clone();
        }
        Share::join(parts, |components| arrays::concat(components, axis))
    }
    fn broadcast(&self, x: &Share<R>, shape: &[usize]) -> Share<R> {
        if *x.shape() == *shape {
            x.clone()
        } else {
            x.map(|x| arrays::broadcast(&x, shape))
        }
    }
    fn windows(&self, x: &Share<R>, pool: &Pool2d, outside: Outside<f64>) -> Share<R> {
        match outside {
            Outside::Repeat => x.map(|x| pool.windows(x, Outside::Repeat)),
            // Both components are 0 outside, which shares 0; then the public value is added there.
            Outside::Value(value) => {
                let windows = x.map(|x| pool.windows(x, Outside::Value(R::zero())));
                if value == 0.0 {
                    return windows;
                }
                let inside = ArrayD::from_elem(x.shape(), 0.0);
                self.add_public(
                    &windows,
                    &pool.windows(inside.view(), Outside::Value(value)),
                )
            }
        }
    }

    fn bits_shape(&self, bits: &SharedBits) -> Vec<usize> {
        bits.shape.clone()
    }
    fn not(&self, bits: &SharedBits) -> SharedBits {
        SharedBits {
            shape: bits.shape.clone(),
            bits: bits.bits.not(self.party.role()),
        }
    }
    fn xor(&self, x: &SharedBits, y: &SharedBits) -> SharedBits {
        assert_eq!(x.shape, y.shape, "operands of xor");
        SharedBits {
            shape: x.shape.clone(),
            bits: x.bits.xor(&y.bits),
        }
    }
    fn arrange_bits(&self, parts: &[&SharedBits], places: &ArrayD<usize>) -> SharedBits {
        // Which part each place is in: places behind its start and before the next one's.
        let mut starts = Vec::with_capacity(parts.len());
        let mut total = 0;
        for part in parts {
            starts.push(total);
            total += part.bits.len();
        }
        let component = |of: fn(&BitShare) -> &Bits| -> Bits {
            let bit = |&place: &usize| {
                let part = starts.partition_point(|&start| start <= place) - 1;
                of(&parts[part].bits).get(place - starts[part])
            };
            places.iter().map(bit).collect()
        };
        SharedBits {
            shape: places.shape().to_vec(),
            bits: BitShare::new(component(BitShare::mine), component(BitShare::next)),
        }
    }

    async fn mul(&self, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
        let [x, y] = self.both(x, y);
        mul_truncated(&self.party, &x, &y, self.fraction_bits()).await
    }
    async fn mul_public(&self, x: &Share<R>, y: &ArrayD<f64>) -> Result<Share<R>, Abort> {
        let factors = y.mapv(|v| self.format.encode::<R>(v));
        let scaled = x.map(|x| &x * &factors);
        truncate(&self.party, &scaled, self.fraction_bits()).await
    }
    async fn matmul(&self, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
        matmul_truncated(&self.party, x, y, None, self.fraction_bits()).await
    }
    async fn conv2d(
        &self,
        x: &Share<R>,
        w: &Share<R>,
        bias: Option<&Share<R>>,
        geometry: &Conv2d,
    ) -> Result<Share<R>, Abort> {
        let one = R::one().shift_left(self.fraction_bits());
        let bias = bias.map(|bias| bias.scale(one));
        conv2d_truncated(
            &self.party,
            x,
            w,
            bias.as_ref(),
            geometry,
            self.fraction_bits(),
        )
        .await
    }
    async fn relu(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        relu(&self.party, x, compared_bits::<R>(self.format)).await
    }
    async fn is_negative(&self, x: &Share<R>) -> Result<SharedBits, Abort> {
        let bits = msb(&self.party, x, compared_bits::<R>(self.format)).await?;
        Ok(SharedBits {
            shape: x.shape().to_vec(),
            bits,
        })
    }
    async fn and(&self, x: &SharedBits, y: &SharedBits) -> Result<SharedBits, Abort> {
        assert_eq!(x.shape, y.shape, "operands of and");
        Ok(SharedBits {
            shape: x.shape.clone(),
            bits: and(&self.party, &x.bits, &y.bits).await?,
        })
    }
    async fn numbers(&self, bits: &SharedBits) -> Result<Share<R>, Abort> {
        let one = R::one().shift_left(self.fraction_bits());
        let numbers = bit_to_arithmetic::<R>(&self.party, &bits.bits).await?;
        Ok(numbers.scale(one).reshape(&bits.shape))
    }
    async fn select(
        &self,
        bits: &SharedBits,
        x: &Share<R>,
        y: &Share<R>,
    ) -> Result<Share<R>, Abort> {
        assert_eq!(bits.shape, x.shape(), "operands of select");
        select(&self.party, &bits.bits, x, y).await
    }
    async fn max(&self, x: &Share<R>, axis: usize) -> Result<Share<R>, Abort> {
        let (slots, others) = self.slots(x, axis);
        let bits = compared_bits::<R>(self.format);
        Ok(max(&self.party, &slots, bits).await?.reshape(&others))
    }
    async fn argmax_one_hot(&self, x: &Share<R>, axis: usize) -> Result<Share<R>, Abort> {
        let (slots, others) = self.slots(x, axis);
        let hot = argmax_one_hot(&self.party, &slots, compared_bits::<R>(self.format)).await?;
        let one = R::one().shift_left(self.fraction_bits());
        let numbers = bit_to_arithmetic::<R>(&self.party, &hot).await?.scale(one);
        Ok(self.unslot(numbers, axis, &others))
    }
    async fn exp(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        exp(&self.party, x, self.format, self.format, exp_range::<R>()).await
    }
    async fn reciprocal(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        reciprocal(&self.party, x, self.format, positive::<R>(self.format)).await
    }
    async fn rsqrt(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        rsqrt(&self.party, x, self.format, positive::<R>(self.format)).await
    }
    async fn sigmoid(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        sigmoid(&self.party, x, self.format).await
    }
    async fn tanh(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        tanh(&self.party, x, self.format).await
    }
    async fn log(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        log(&self.party, x, self.format, positive::<R>(self.format)).await
    }
    async fn erf(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        erf(&self.party, x, self.format).await
    }
    async fn softmax(&self, x: &Share<R>, axis: usize) -> Result<Share<R>, Abort> {
        let (slots, others) = self.slots(x, axis);
        let out = softmax(&self.party, &slots, self.format).await?;
        Ok(self.unslot(out, axis, &others))
    }
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        let left = Self::new(self.party.fork(), self.format);
        let right = Self::new(self.party.fork(), self.format);
        let both = trefoil_mpc::together(f(&left), g(&right)).await;
        self.party.merge(&[&left.party, &right.party]);
        both
    }
}
