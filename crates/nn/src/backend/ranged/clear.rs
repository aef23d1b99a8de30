//! Ranges in the clear do not matter.

use super::{RangedBackend, Term};
use crate::backend::{Backend, Clear};
use ndarray::{ArrayD, Axis, Dimension, IxDyn, Zip};
use std::cmp::Ordering;
use std::convert::Infallible;
use std::ops::{Range, RangeInclusive};

/// The axis that operations along rows run over.
pub(super) fn last_axis<T>(x: &ArrayD<T>) -> Axis {
    assert!(x.ndim() > 0, "an operation along the last axis of a scalar");
    Axis(x.ndim().saturating_sub(1))
}

pub(super) fn parity(bits: &ArrayD<bool>) -> ArrayD<bool> {
    bits.fold_axis(last_axis(bits), false, |&odd, &bit| odd ^ bit)
}

pub(super) fn repeat_bits(bits: &ArrayD<bool>, n: usize) -> ArrayD<bool> {
    let shape = [bits.shape(), &[n]].concat();
    ArrayD::from_shape_fn(IxDyn(&shape), |index| bits[&index.slice()[..bits.ndim()]])
}

/// The bits of a tensor of `shape`, given for each element or for each row.
pub(super) fn bits_for(bits: &ArrayD<bool>, shape: &[usize]) -> ArrayD<bool> {
    if bits.shape() == shape {
        return bits.clone();
    }
    let n = shape.last().copied().unwrap_or(1);
    let repeated = repeat_bits(bits, n);
    assert_eq!(repeated.shape(), shape, "bits of a term");
    repeated
}

/// [`RangedBackend::by_rank`] where `larger` orders elements, the larger one first.
pub(super) fn by_rank<T: Copy, V: Copy>(
    x: &ArrayD<T>,
    table: &ArrayD<V>,
    larger: impl Fn(T, T) -> Ordering,
) -> ArrayD<V> {
    let (rows, n) = (x.shape()[0], x.shape()[1]);
    assert_eq!(table.shape(), [n, n], "a table of rows by rank");
    // For each element its row of the table and its rank.
    let mut places = ArrayD::from_elem(vec![rows, n], (0, 0));
    for row in 0..rows {
        let mut order: Vec<usize> = (0..n).collect();
        // Stable: equal elements stay in order.
        order.sort_by(|&i, &j| larger(x[[row, i]], x[[row, j]]));
        for (rank, &i) in order.iter().enumerate() {
            places[[row, i]] = (order[0], rank);
        }
    }
    places.mapv(|(label, rank)| table[[label, rank]])
}

/// The power of two by which each total is divided, so that it lies in `[1/2, 1)`.
pub(super) fn powers(total: &ArrayD<f64>) -> ArrayD<f64> {
    total.mapv(|v| (v.log2().floor() + 1.0).exp2())
}

impl RangedBackend for Clear {
    type RowScale = ArrayD<f64>;
    type Factors = ArrayD<bool>;
    type Indicator = ArrayD<bool>;
    type Untruncated = ArrayD<f64>;

    fn parity(&self, bits: &ArrayD<bool>) -> ArrayD<bool> {
        parity(bits)
    }
    fn repeat_bits(&self, bits: &ArrayD<bool>, n: usize) -> ArrayD<bool> {
        repeat_bits(bits, n)
    }
    fn slice_bits(&self, bits: &ArrayD<bool>, range: Range<usize>) -> ArrayD<bool> {
        bits.slice_axis(last_axis(bits), range.into()).to_owned()
    }
    async fn masked(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(Zip::from(bits)
            .and(x)
            .map_collect(|&bit, &x| if bit { x } else { 0.0 }))
    }
    async fn factors(&self, bits: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(bits.clone())
    }
    async fn masked_by(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        self.masked(bits, x).await
    }
    async fn matmul_untruncated(
        &self,
        x: &ArrayD<f64>,
        y: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        self.matmul(x, y).await
    }
    async fn is_negative_untruncated(
        &self,
        x: &ArrayD<f64>,
        _: f64,
    ) -> Result<ArrayD<bool>, Infallible> {
        self.is_negative(x).await
    }
    async fn masked_untruncated(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        self.masked(bits, x).await
    }
    async fn indicator(&self, bits: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(bits.clone())
    }
    async fn pick(&self, bits: &ArrayD<bool>, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(self.sum(&self.masked(bits, x).await?, last_axis(x).index()))
    }
    async fn place(
        &self,
        bits: &ArrayD<bool>,
        values: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        let n = bits.shape().last().copied().unwrap_or(1);
        self.masked(bits, &self.repeat(values, n)).await
    }
    async fn sum_of(&self, terms: &[Term<'_, Self>]) -> Result<ArrayD<f64>, Infallible> {
        let mut sum: Option<ArrayD<f64>> = None;
        for term in terms {
            let term = match term {
                Term::Product(x, y) => *x * *y,
                Term::Masked(bits, x) => self.masked(&bits_for(bits, x.shape()), x).await?,
                Term::Placed(bits, values) => self.place(bits, values).await?,
            };
            sum = Some(match sum {
                None => term,
                Some(sum) => sum + term,
            });
        }
        Ok(sum.unwrap_or_default())
    }
    fn place_public(&self, bits: &ArrayD<bool>, value: f64) -> ArrayD<f64> {
        bits.mapv(|bit| if bit { value } else { 0.0 })
    }
    async fn scaled_bits(
        &self,
        bits: &ArrayD<bool>,
        value: f64,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(bits.mapv(|bit| if bit { value } else { 0.0 }))
    }
    async fn is_negative_below(&self, x: &ArrayD<f64>, _: f64) -> Result<ArrayD<bool>, Infallible> {
        self.is_negative(x).await
    }
    async fn argmax_bits(&self, x: &ArrayD<f64>, _: f64) -> Result<ArrayD<bool>, Infallible> {
        let hot = self.argmax_one_hot(x, last_axis(x).index()).await?;
        Ok(hot.mapv(|v| v != 0.0))
    }
    async fn by_rank(
        &self,
        x: &ArrayD<f64>,
        table: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        // Zeros of both signs are equal.
        Ok(by_rank(x, table, |a, b| (b + 0.0).total_cmp(&(a + 0.0))))
    }
    async fn exp_scaled(
        &self,
        x: &ArrayD<f64>,
        factor: f64,
        _: RangeInclusive<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(|v| (factor * v).exp()))
    }
    async fn fraction_of(
        &self,
        x: &ArrayD<f64>,
        total: &ArrayD<f64>,
        _: RangeInclusive<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(x / &total.clone().insert_axis(last_axis(x)))
    }
    async fn scale_rows(
        &self,
        x: &ArrayD<f64>,
        total: &ArrayD<f64>,
        _: RangeInclusive<f64>,
    ) -> Result<(ArrayD<f64>, ArrayD<f64>), Infallible> {
        let powers = powers(total);
        let scale = total / &powers;
        Ok((x / &powers.insert_axis(last_axis(x)), scale))
    }
    async fn divide_scaled(
        &self,
        scaled: &ArrayD<f64>,
        scale: &ArrayD<f64>,
        range: RangeInclusive<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        self.fraction_of(scaled, scale, range).await
    }
    async fn dot(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok((x * y).sum_axis(last_axis(x)))
    }
    async fn unit(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        let axis = last_axis(x);
        // The largest element first, so that no square underflows.
        let largest = x.fold_axis(axis, 0.0, |&a: &f64, &v| a.max(v.abs()));
        let safe = largest.mapv(|v| if v > 0.0 { v } else { 1.0 });
        let scaled = x / &safe.insert_axis(axis);
        let norm = (&scaled * &scaled).sum_axis(axis).mapv(f64::sqrt);
        let norm = norm.mapv(|v| if v > 0.0 { v } else { 1.0 });
        Ok(scaled / &norm.insert_axis(axis))
    }
    fn largest_norm(&self) -> f64 {
        f64::MAX.sqrt()
    }
    fn smallest(&self) -> f64 {
        f64::MIN_POSITIVE
    }
}
