//! On shares: the range decides which bits are compared, which tables dealt, and how results are scaled.

use super::{RangedBackend, Term};
use crate::backend::Backend;
use crate::backend::{Secure, SharedBits};
use crate::need::compared_bits;
use ndarray::{ArrayD, Axis, IxDyn};
use std::ops::{Range, RangeInclusive};
use trefoil_mpc::{
    Abort, BitFactors, BitShare, ExpRange, Positive, RowScale, Share, Term as Sum, Untruncated,
    argmax_one_hot_lean, bit_factors, bit_to_arithmetic, by_rank, divide_rows, divide_scaled, dot,
    exp_scaled, matmul_untruncated, msb, msb_untruncated, mul, multiply_bit, multiply_factors,
    multiply_untruncated, scale_rows, sum_of, truncate, unit_rows,
};
use trefoil_ring::{Bits, FixedPoint, Ring};

/// Bits that a comparison looks at for values below `bound`.
pub(super) fn width<R: Ring>(format: FixedPoint, bound: f64) -> u32 {
    assert!(bound > 0.0, "values below {bound}");
    let bits = bound.log2().ceil() + f64::from(format.fraction_bits) + 1.0;
    (bits.max(2.0) as u32).min(R::BITS)
}

/// Bits that a comparison looks at for values below `bound` that are still to be rounded.
pub(super) fn untruncated_width<R: Ring>(format: FixedPoint, bound: f64) -> u32 {
    width::<R>(format, bound).min(R::BITS - format.fraction_bits)
}

/// The range of an exponential.
pub(super) fn exponents(range: &RangeInclusive<f64>) -> ExpRange {
    let (low, high) = (*range.start(), *range.end());
    ExpRange { low, high }
}

/// Divisors of a range, as ring elements.
pub(super) fn divisors<R: Ring>(format: FixedPoint, range: &RangeInclusive<f64>) -> Positive {
    let exponent = |v: f64| (v.log2() + f64::from(format.fraction_bits)).max(0.0);
    Positive {
        low: exponent(*range.start()).floor() as u32,
        high: (exponent(*range.end()).ceil() as u32 + 1).min(R::BITS - 4),
    }
}

/// The exponent of the largest norm whose square, at twice the fraction bits, fits.
pub(super) fn largest_norm<R: Ring>(format: FixedPoint) -> i32 {
    (R::BITS as i32 - 2) / 2 - format.fraction_bits as i32
}

impl<R: Ring> Secure<R> {
    /// `bits` under another order: `arrange` moves the positions of a tensor.
    fn arrange(bits: &SharedBits, arrange: impl Fn(ArrayD<usize>) -> ArrayD<usize>) -> SharedBits {
        let count = bits.bits.len();
        let places = ArrayD::from_shape_vec(IxDyn(&bits.shape), (0..count).collect());
        let places = arrange(places.unwrap_or_default());
        let gather = |from: &Bits| {
            places
                .iter()
                .map(|&place| from.get(place))
                .collect::<Bits>()
        };
        SharedBits {
            shape: places.shape().to_vec(),
            bits: bits.bits.map(gather),
        }
    }

    /// `x` as rows (all other axes at once, last axis).
    fn rows(x: &Share<R>) -> (Share<R>, Vec<usize>) {
        let shape = x.shape();
        assert!(
            !shape.is_empty(),
            "an operation along the last axis of a scalar"
        );
        let (others, n) = (&shape[..shape.len() - 1], shape[shape.len() - 1]);
        let matrix = x.clone().reshape(&[others.iter().product(), n]);
        (matrix, others.to_vec())
    }
}

impl<R: Ring> RangedBackend for Secure<R> {
    type RowScale = RowScale<R>;
    type Factors = BitFactors<R>;
    /// The bits as ring elements.
    type Indicator = Share<R>;
    type Untruncated = Untruncated<R>;

    fn parity(&self, bits: &SharedBits) -> SharedBits {
        let n = bits.shape.last().copied().unwrap_or(1);
        let fold = |from: &Bits| -> Bits {
            let odd = |row: usize| (0..n).fold(false, |odd, i| odd ^ from.get(row * n + i));
            (0..from.len() / n.max(1)).map(odd).collect()
        };
        SharedBits {
            shape: bits.shape[..bits.shape.len().saturating_sub(1)].to_vec(),
            bits: bits.bits.map(fold),
        }
    }
    fn repeat_bits(&self, bits: &SharedBits, n: usize) -> SharedBits {
        Self::arrange(bits, |places| {
            let shape = [places.shape(), &[n]].concat();
            let column = places.clone().insert_axis(Axis(places.ndim()));
            column
                .broadcast(shape)
                .map(|view| view.to_owned())
                .unwrap_or(places)
        })
    }
    fn slice_bits(&self, bits: &SharedBits, range: Range<usize>) -> SharedBits {
        Self::arrange(bits, |places| {
            let last = Axis(places.ndim().saturating_sub(1));
            places.slice_axis(last, range.clone().into()).to_owned()
        })
    }
    async fn masked_rows(&self, bits: &SharedBits, x: &Share<R>) -> Result<Share<R>, Abort> {
        let rows = x.shape().split_last().map(|(_, rows)| rows);
        assert_eq!(Some(&bits.shape[..]), rows, "operands of masked_rows");
        multiply_bit(self.party(), &bits.bits, x).await
    }
    async fn masked(&self, bits: &SharedBits, x: &Share<R>) -> Result<Share<R>, Abort> {
        assert_eq!(bits.shape, x.shape(), "operands of masked");
        multiply_bit(self.party(), &bits.bits, x).await
    }
    async fn factors(&self, bits: &SharedBits) -> Result<BitFactors<R>, Abort> {
        bit_factors(self.party(), &bits.bits).await
    }
    async fn masked_by(&self, factors: &BitFactors<R>, x: &Share<R>) -> Result<Share<R>, Abort> {
        multiply_factors(self.party(), factors, x).await
    }
    async fn matmul_untruncated(
        &self,
        x: &Share<R>,
        y: &Share<R>,
    ) -> Result<Untruncated<R>, Abort> {
        matmul_untruncated(self.party(), x, y, self.format().fraction_bits).await
    }
    async fn is_negative_untruncated(
        &self,
        x: &Untruncated<R>,
        bound: f64,
    ) -> Result<SharedBits, Abort> {
        let bits = msb_untruncated(
            self.party(),
            x,
            untruncated_width::<R>(self.format(), bound),
        )
        .await?;
        Ok(SharedBits {
            shape: x.shape().to_vec(),
            bits,
        })
    }
    async fn masked_untruncated(
        &self,
        factors: &BitFactors<R>,
        x: &Untruncated<R>,
    ) -> Result<Share<R>, Abort> {
        multiply_untruncated(self.party(), factors, x).await
    }
    async fn indicator(&self, bits: &SharedBits) -> Result<Share<R>, Abort> {
        let numbers = bit_to_arithmetic::<R>(self.party(), &bits.bits).await?;
        Ok(numbers.reshape(&bits.shape))
    }
    async fn pick(&self, indicator: &Share<R>, x: &Share<R>) -> Result<Share<R>, Abort> {
        let ((bits, others), (x, _)) = (Self::rows(indicator), Self::rows(x));
        // One of the factors is an integer: nothing to round.
        Ok(dot(self.party(), &bits, &x).await?.reshape(&others))
    }
    async fn place(&self, indicator: &Share<R>, values: &Share<R>) -> Result<Share<R>, Abort> {
        let n = indicator.shape().last().copied().unwrap_or(1);
        mul(self.party(), indicator, &self.repeat(values, n)).await
    }
    async fn sum_of(&self, terms: &[Term<'_, Self>]) -> Result<Share<R>, Abort> {
        let rounds = terms.iter().any(|term| matches!(term, Term::Product(..)));
        let shift = if rounds {
            self.format().fraction_bits
        } else {
            0
        };
        // An indicator is an integer: its products are brought to the scale of the others.
        let scale = R::one().shift_left(shift);
        let factors = |term: &Term<'_, Self>| match term {
            Term::Placed(indicator, values) => {
                let n = indicator.shape().last().copied().unwrap_or(1);
                Some([indicator.scale(scale), self.repeat(values, n)])
            }
            _ => None,
        };
        let placed: Vec<_> = terms.iter().filter_map(factors).collect();
        let mut placed = placed.iter();
        let mut sums = Vec::with_capacity(terms.len());
        for term in terms {
            sums.push(match *term {
                Term::Product(x, y) => Sum::Product(x, y),
                Term::Masked(bits, x) => {
                    let rows = x.shape().split_last().map(|(_, rows)| rows);
                    let fits = bits.shape == x.shape() || Some(&bits.shape[..]) == rows;
                    assert!(fits, "operands of masked");
                    Sum::Masked(&bits.bits, x)
                }
                Term::Placed(..) => match placed.next() {
                    Some([indicator, values]) => Sum::Product(indicator, values),
                    None => unreachable!("every placed term has its factors"),
                },
            });
        }
        let shape = match sums.first() {
            Some(Sum::Product(x, _) | Sum::Masked(_, x)) => x.shape().to_vec(),
            None => Vec::new(),
        };
        sum_of(self.party(), &shape, &sums, shift).await
    }
    fn place_public(&self, indicator: &Share<R>, value: f64) -> Share<R> {
        indicator.scale(self.format().encode(value))
    }
    async fn scaled_bits(&self, bits: &SharedBits, value: f64) -> Result<Share<R>, Abort> {
        let numbers = bit_to_arithmetic::<R>(self.party(), &bits.bits).await?;
        Ok(numbers
            .scale(self.format().encode(value))
            .reshape(&bits.shape))
    }
    async fn is_negative_below(&self, x: &Share<R>, bound: f64) -> Result<SharedBits, Abort> {
        let bits = msb(self.party(), x, width::<R>(self.format(), bound)).await?;
        Ok(SharedBits {
            shape: x.shape().to_vec(),
            bits,
        })
    }
    async fn argmax_bits(&self, x: &Share<R>, bound: f64) -> Result<SharedBits, Abort> {
        let (rows, others) = Self::rows(x);
        let (count, n) = (rows.shape()[0], rows.shape()[1]);
        let slots = self.permute(&rows, &[1, 0]);
        let width = width::<R>(self.format(), bound);
        let bits: BitShare = argmax_one_hot_lean(self.party(), &slots, width).await?;
        let hot = SharedBits {
            shape: vec![n, count],
            bits,
        };
        let hot = Self::arrange(&hot, |places| {
            places.reversed_axes().as_standard_layout().into_owned()
        });
        Ok(SharedBits {
            shape: [&others[..], &[n]].concat(),
            ..hot
        })
    }
    async fn by_rank(&self, x: &Share<R>, table: &Share<R>) -> Result<Share<R>, Abort> {
        let bits = compared_bits::<R>(self.format());
        by_rank(self.party(), x, table, bits).await
    }
    async fn exp_scaled(
        &self,
        x: &Share<R>,
        factor: f64,
        range: RangeInclusive<f64>,
    ) -> Result<Share<R>, Abort> {
        let format = self.format();
        exp_scaled(self.party(), x, factor, format, format, exponents(&range)).await
    }
    async fn fraction_of(
        &self,
        x: &Share<R>,
        total: &Share<R>,
        range: RangeInclusive<f64>,
    ) -> Result<Share<R>, Abort> {
        let divisors = divisors::<R>(self.format(), &range);
        divide_rows(self.party(), x, total, self.format(), divisors).await
    }
    async fn scale_rows(
        &self,
        x: &Share<R>,
        total: &Share<R>,
        range: RangeInclusive<f64>,
    ) -> Result<(Share<R>, RowScale<R>), Abort> {
        let divisors = divisors::<R>(self.format(), &range);
        scale_rows(self.party(), x, total, self.format(), divisors).await
    }
    async fn divide_scaled(
        &self,
        scaled: &Share<R>,
        scale: &RowScale<R>,
        range: RangeInclusive<f64>,
    ) -> Result<Share<R>, Abort> {
        let divisors = divisors::<R>(self.format(), &range);
        divide_scaled(self.party(), scaled, scale, divisors).await
    }
    async fn dot(&self, x: &Share<R>, y: &Share<R>) -> Result<Share<R>, Abort> {
        let ((x, others), (y, _)) = (Self::rows(x), Self::rows(y));
        let products = dot(self.party(), &x, &y).await?;
        let rounded = truncate(self.party(), &products, self.format().fraction_bits).await?;
        Ok(rounded.reshape(&others))
    }
    async fn unit(&self, x: &Share<R>) -> Result<Share<R>, Abort> {
        unit_rows(self.party(), x, self.format()).await
    }
    fn largest_norm(&self) -> f64 {
        trefoil_ring::power_of_two(largest_norm::<R>(self.format()))
    }
    fn smallest(&self) -> f64 {
        self.format().ulp()
    }
}
