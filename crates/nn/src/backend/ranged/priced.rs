//! What the operations with ranges cost on shares.

use super::secure::{divisors, exponents, largest_norm, untruncated_width, width};
use super::{RangedBackend, Term};
use crate::backend::Priced;
use crate::need::compared_bits;
use std::convert::Infallible;
use std::ops::{Range, RangeInclusive};
use trefoil_mpc::{
    argmax_one_hot_lean_cost, bilinear_cost, bit_factors_cost, bit_to_arithmetic_cost,
    by_rank_cost, divide_rows_cost, divide_scaled_cost, exp_cost, msb_cost, multiply_bit_cost,
    multiply_factors_cost, multiply_runs_cost, multiply_untruncated_cost, scale_rows_cost,
    sum_of_cost, truncate_cost, unit_rows_cost, untruncated_cost,
};
use trefoil_ring::{Ring, power_of_two};

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The shape without its last axis, and that axis' length.
fn rows(shape: &[usize]) -> (Vec<usize>, usize) {
    let (last, others) = shape.split_last().unwrap_or((&1, &[]));
    (others.to_vec(), *last)
}

impl<R: Ring> RangedBackend for Priced<R> {
    type RowScale = ();
    type Factors = Vec<usize>;
    type Indicator = Vec<usize>;
    type Untruncated = Vec<usize>;

    fn parity(&self, bits: &Vec<usize>) -> Vec<usize> {
        rows(bits).0
    }
    fn repeat_bits(&self, bits: &Vec<usize>, n: usize) -> Vec<usize> {
        [&bits[..], &[n]].concat()
    }
    fn slice_bits(&self, bits: &Vec<usize>, range: Range<usize>) -> Vec<usize> {
        let (others, n) = rows(bits);
        assert!(range.end <= n, "bits {range:?} of {n}");
        [&others[..], &[range.len()]].concat()
    }
    async fn masked_rows(
        &self,
        bits: &Vec<usize>,
        x: &Vec<usize>,
    ) -> Result<Vec<usize>, Infallible> {
        let rows = x.split_last().map(|(_, rows)| rows);
        assert_eq!(Some(&bits[..]), rows, "operands of masked_rows");
        self.add_cost(multiply_runs_cost::<R>(elements(bits), elements(x)));
        Ok(x.clone())
    }
    async fn masked(&self, bits: &Vec<usize>, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(bits, x, "operands of masked");
        self.add_cost(multiply_bit_cost::<R>(elements(x)));
        Ok(x.clone())
    }
    async fn factors(&self, bits: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(bit_factors_cost::<R>(elements(bits)));
        Ok(bits.clone())
    }
    async fn masked_by(&self, bits: &Vec<usize>, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(bits, x, "operands of masked_by");
        self.add_cost(multiply_factors_cost::<R>(elements(x)));
        Ok(x.clone())
    }
    async fn matmul_untruncated(
        &self,
        x: &Vec<usize>,
        y: &Vec<usize>,
    ) -> Result<Vec<usize>, Infallible> {
        assert_eq!(x[1], y[0], "operands of a matrix product");
        self.add_cost(untruncated_cost::<R>(x[0] * y[1]));
        Ok(vec![x[0], y[1]])
    }
    async fn is_negative_untruncated(
        &self,
        x: &Vec<usize>,
        bound: f64,
    ) -> Result<Vec<usize>, Infallible> {
        let width = untruncated_width::<R>(self.format(), bound);
        self.add_cost(msb_cost(elements(x), width));
        Ok(x.clone())
    }
    async fn masked_untruncated(
        &self,
        bits: &Vec<usize>,
        x: &Vec<usize>,
    ) -> Result<Vec<usize>, Infallible> {
        assert_eq!(bits, x, "operands of masked_untruncated");
        let shift = self.format().fraction_bits;
        self.add_cost(multiply_untruncated_cost::<R>(elements(x), shift));
        Ok(x.clone())
    }
    async fn indicator(&self, bits: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(bit_to_arithmetic_cost::<R>(elements(bits)));
        Ok(bits.clone())
    }
    async fn pick(&self, indicator: &Vec<usize>, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(indicator, x, "operands of pick");
        let others = rows(x).0;
        self.add_cost(bilinear_cost::<R>(elements(&others)));
        Ok(others)
    }
    async fn place(
        &self,
        indicator: &Vec<usize>,
        values: &Vec<usize>,
    ) -> Result<Vec<usize>, Infallible> {
        assert_eq!(rows(indicator).0, *values, "operands of place");
        self.add_cost(bilinear_cost::<R>(elements(indicator)));
        Ok(indicator.clone())
    }
    async fn sum_of(&self, terms: &[Term<'_, Self>]) -> Result<Vec<usize>, Infallible> {
        let (mut products, mut numbers, mut masked) = (0, 0, Vec::new());
        let mut shape: Option<&Vec<usize>> = None;
        for term in terms {
            let found = match *term {
                Term::Product(x, y) => {
                    assert_eq!(x, y, "operands of a product");
                    numbers += 1;
                    x
                }
                Term::Placed(indicator, values) => {
                    assert_eq!(rows(indicator).0, *values, "operands of place");
                    products += 1;
                    indicator
                }
                Term::Masked(bits, x) => {
                    assert!(bits == x || *bits == rows(x).0, "operands of masked");
                    masked.push(elements(bits));
                    x
                }
            };
            assert!(shape.is_none_or(|shape| shape == found), "terms of a sum");
            shape = Some(found);
        }
        let shape = shape.cloned().unwrap_or_default();
        let shift = if numbers > 0 {
            self.format().fraction_bits
        } else {
            0
        };
        let products = products + numbers;
        self.add_cost(sum_of_cost::<R>(elements(&shape), products, &masked, shift));
        Ok(shape)
    }
    fn place_public(&self, indicator: &Vec<usize>, _: f64) -> Vec<usize> {
        indicator.clone()
    }
    async fn scaled_bits(&self, bits: &Vec<usize>, _: f64) -> Result<Vec<usize>, Infallible> {
        self.add_cost(bit_to_arithmetic_cost::<R>(elements(bits)));
        Ok(bits.clone())
    }
    async fn is_negative_below(
        &self,
        x: &Vec<usize>,
        bound: f64,
    ) -> Result<Vec<usize>, Infallible> {
        let width = width::<R>(self.format(), bound);
        self.add_cost(msb_cost(elements(x), width));
        Ok(x.clone())
    }
    async fn argmax_bits(&self, x: &Vec<usize>, bound: f64) -> Result<Vec<usize>, Infallible> {
        let (others, n) = rows(x);
        let width = width::<R>(self.format(), bound);
        self.add_cost(argmax_one_hot_lean_cost::<R>(n, elements(&others), width));
        Ok(x.clone())
    }
    async fn by_rank(&self, x: &Vec<usize>, table: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        let (rows, n) = (x[0], x[1]);
        assert_eq!(*table, [n, n], "a table of rows by rank");
        let bits = compared_bits::<R>(self.format());
        self.add_cost(by_rank_cost::<R>(rows, n, bits));
        Ok(x.clone())
    }
    async fn exp_scaled(
        &self,
        x: &Vec<usize>,
        _: f64,
        range: RangeInclusive<f64>,
    ) -> Result<Vec<usize>, Infallible> {
        let (format, range) = (self.format(), exponents(&range));
        self.add_cost(exp_cost::<R>(elements(x), format, format, range));
        Ok(x.clone())
    }
    async fn fraction_of(
        &self,
        x: &Vec<usize>,
        total: &Vec<usize>,
        range: RangeInclusive<f64>,
    ) -> Result<Vec<usize>, Infallible> {
        assert_eq!(rows(x).0, *total, "totals of rows");
        let divisors = divisors::<R>(self.format(), &range);
        self.add_cost(divide_rows_cost::<R>(x[0], x[1], self.format(), divisors));
        Ok(x.clone())
    }
    async fn scale_rows(
        &self,
        x: &Vec<usize>,
        total: &Vec<usize>,
        range: RangeInclusive<f64>,
    ) -> Result<(Vec<usize>, ()), Infallible> {
        assert_eq!(rows(x).0, *total, "totals of rows");
        let divisors = divisors::<R>(self.format(), &range);
        self.add_cost(scale_rows_cost::<R>(x[0], x[1], self.format(), divisors));
        Ok((x.clone(), ()))
    }
    async fn divide_scaled(
        &self,
        scaled: &Vec<usize>,
        (): &(),
        range: RangeInclusive<f64>,
    ) -> Result<Vec<usize>, Infallible> {
        let divisors = divisors::<R>(self.format(), &range);
        self.add_cost(divide_scaled_cost::<R>(scaled[0], scaled[1], divisors));
        Ok(scaled.clone())
    }
    async fn dot(&self, x: &Vec<usize>, y: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(x, y, "operands of dot");
        let others = rows(x).0;
        let count = elements(&others);
        let bits = self.format().fraction_bits;
        self.add_cost(bilinear_cost::<R>(count) + truncate_cost::<R>(count, bits));
        Ok(others)
    }
    async fn unit(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(unit_rows_cost::<R>(x[0], x[1], self.format()));
        Ok(x.clone())
    }
    fn largest_norm(&self) -> f64 {
        power_of_two(largest_norm::<R>(self.format()))
    }
    fn smallest(&self) -> f64 {
        self.format().ulp()
    }
}
