//! In the ring in the clear: functions in floats, rounded; sums and comparisons exact.

use super::clear::{bits_for, by_rank, last_axis, parity, repeat_bits};
use super::secure::largest_norm;
use super::{RangedBackend, Term};
use crate::backend::{Backend, Clear, Fixed};
use crate::ready::ready;
use ndarray::{ArrayD, Zip};
use std::convert::Infallible;
use std::ops::{Range, RangeInclusive};
use trefoil_ring::{Ring, power_of_two};

impl<R: Ring> RangedBackend for Fixed<R> {
    type RowScale = ArrayD<f64>;
    type Factors = ArrayD<bool>;
    type Indicator = ArrayD<bool>;
    type Untruncated = ArrayD<R>;

    fn parity(&self, bits: &ArrayD<bool>) -> ArrayD<bool> {
        parity(bits)
    }
    fn repeat_bits(&self, bits: &ArrayD<bool>, n: usize) -> ArrayD<bool> {
        repeat_bits(bits, n)
    }
    fn slice_bits(&self, bits: &ArrayD<bool>, range: Range<usize>) -> ArrayD<bool> {
        bits.slice_axis(last_axis(bits), range.into()).to_owned()
    }
    async fn masked(&self, bits: &ArrayD<bool>, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(Zip::from(bits)
            .and(x)
            .map_collect(|&bit, &x| if bit { x } else { R::zero() }))
    }
    async fn factors(&self, bits: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(bits.clone())
    }
    async fn masked_by(&self, bits: &ArrayD<bool>, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        self.masked(bits, x).await
    }
    async fn matmul_untruncated(
        &self,
        x: &ArrayD<R>,
        y: &ArrayD<R>,
    ) -> Result<ArrayD<R>, Infallible> {
        self.matmul(x, y).await
    }
    async fn is_negative_untruncated(
        &self,
        x: &ArrayD<R>,
        _: f64,
    ) -> Result<ArrayD<bool>, Infallible> {
        self.is_negative(x).await
    }
    async fn masked_untruncated(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<R>,
    ) -> Result<ArrayD<R>, Infallible> {
        self.masked(bits, x).await
    }
    async fn indicator(&self, bits: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(bits.clone())
    }
    async fn pick(&self, bits: &ArrayD<bool>, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(self.sum(&self.masked(bits, x).await?, last_axis(x).index()))
    }
    async fn place(
        &self,
        bits: &ArrayD<bool>,
        values: &ArrayD<R>,
    ) -> Result<ArrayD<R>, Infallible> {
        let n = bits.shape().last().copied().unwrap_or(1);
        self.masked(bits, &self.repeat(values, n)).await
    }
    async fn sum_of(&self, terms: &[Term<'_, Self>]) -> Result<ArrayD<R>, Infallible> {
        let rounds = terms.iter().any(|term| matches!(term, Term::Product(..)));
        let up = if rounds {
            self.format().fraction_bits
        } else {
            0
        };
        let mut sum: Option<ArrayD<R>> = None;
        for term in terms {
            let term = match term {
                Term::Product(x, y) => *x * *y,
                Term::Masked(bits, x) => {
                    let kept = self.masked(&bits_for(bits, x.shape()), x).await?;
                    kept.mapv(|v| v.shift_left(up))
                }
                Term::Placed(bits, values) => {
                    let placed = self.place(bits, values).await?;
                    placed.mapv(|v| v.shift_left(up))
                }
            };
            sum = Some(match sum {
                None => term,
                Some(sum) => sum + term,
            });
        }
        let sum = sum.unwrap_or_else(|| ArrayD::from_elem(vec![0], R::zero()));
        Ok(if rounds { self.truncate(sum) } else { sum })
    }
    fn place_public(&self, bits: &ArrayD<bool>, value: f64) -> ArrayD<R> {
        let value = self.round(value);
        bits.mapv(|bit| if bit { value } else { R::zero() })
    }
    async fn scaled_bits(&self, bits: &ArrayD<bool>, value: f64) -> Result<ArrayD<R>, Infallible> {
        let value = self.round(value);
        Ok(bits.mapv(|bit| if bit { value } else { R::zero() }))
    }
    async fn is_negative_below(&self, x: &ArrayD<R>, _: f64) -> Result<ArrayD<bool>, Infallible> {
        self.is_negative(x).await
    }
    async fn argmax_bits(&self, x: &ArrayD<R>, _: f64) -> Result<ArrayD<bool>, Infallible> {
        let hot = self.argmax_one_hot(x, last_axis(x).index()).await?;
        Ok(hot.mapv(|v| v != R::zero()))
    }
    async fn by_rank(&self, x: &ArrayD<R>, table: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        Ok(by_rank(x, table, |a, b| b.to_i64().cmp(&a.to_i64())))
    }
    async fn exp_scaled(
        &self,
        x: &ArrayD<R>,
        factor: f64,
        _: RangeInclusive<f64>,
    ) -> Result<ArrayD<R>, Infallible> {
        Ok(self.in_floats(x, |v| (factor * v).exp()))
    }
    async fn fraction_of(
        &self,
        x: &ArrayD<R>,
        total: &ArrayD<R>,
        range: RangeInclusive<f64>,
    ) -> Result<ArrayD<R>, Infallible> {
        let (x, total) = (self.decode(x.view()), self.decode(total.view()));
        let Ok(quotient) = ready(Clear.fraction_of(&x, &total, range));
        Ok(self.public(&quotient))
    }
    async fn scale_rows(
        &self,
        x: &ArrayD<R>,
        total: &ArrayD<R>,
        range: RangeInclusive<f64>,
    ) -> Result<(ArrayD<R>, ArrayD<f64>), Infallible> {
        let (x, total) = (self.decode(x.view()), self.decode(total.view()));
        let Ok((scaled, scale)) = ready(Clear.scale_rows(&x, &total, range));
        Ok((self.public(&scaled), scale))
    }
    async fn divide_scaled(
        &self,
        scaled: &ArrayD<R>,
        scale: &ArrayD<f64>,
        range: RangeInclusive<f64>,
    ) -> Result<ArrayD<R>, Infallible> {
        let scaled = self.decode(scaled.view());
        let Ok(quotient) = ready(Clear.fraction_of(&scaled, scale, range));
        Ok(self.public(&quotient))
    }
    async fn dot(&self, x: &ArrayD<R>, y: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        let sums = (x * y).sum_axis(last_axis(x));
        Ok(self.truncate(sums.as_standard_layout().into_owned()))
    }
    async fn unit(&self, x: &ArrayD<R>) -> Result<ArrayD<R>, Infallible> {
        let Ok(unit) = ready(Clear.unit(&self.decode(x.view())));
        Ok(self.public(&unit))
    }
    fn largest_norm(&self) -> f64 {
        power_of_two(largest_norm::<R>(self.format()))
    }
    fn smallest(&self) -> f64 {
        self.format().ulp()
    }
}
