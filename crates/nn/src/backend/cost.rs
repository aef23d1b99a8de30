//! What a plan costs, before anything is shared.

use crate::backend::Backend;
use crate::need::{compared_bits, exp_range, positive};
use crate::shape;
use crate::window::{Outside, Pool2d};
use ndarray::ArrayD;
use std::cell::Cell;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Range;
use trefoil_mpc::{
    Cost, and_cost, argmax_one_hot_cost, bilinear_truncated_cost, bit_to_arithmetic_cost, erf_cost,
    exp_cost, log_cost, max_cost, msb_cost, reciprocal_cost, relu_cost, rsqrt_cost, select_cost,
    sigmoid_cost, softmax_cost, tanh_cost, truncate_cost,
};
use trefoil_ring::{Conv2d, FixedPoint, Ring};

/// Computes on shapes alone and adds up what [`crate::Secure`] would send: a tensor is its shape.
///
/// Each operation adds the cost function of the protocols that the secure back end calls for it, the same
/// function that the protocol's test asserts. So rounds and bytes are exact, and known without weights, inputs
/// or parties.
pub struct Priced<R> {
    format: FixedPoint,
    cost: Cell<Cost>,
    ring: PhantomData<R>,
}

impl<R: Ring> Priced<R> {
    /// What was spent since the last time.
    pub(crate) fn take(&self) -> Cost {
        self.cost.take()
    }

    /// The back end for numbers of `format`; nothing is spent yet.
    pub fn new(format: FixedPoint) -> Self {
        Self {
            format,
            cost: Cell::new(Cost::FREE),
            ring: PhantomData,
        }
    }

    /// What all operations up to now cost.
    pub fn cost(&self) -> Cost {
        self.cost.get()
    }

    /// The format of its numbers.
    pub fn format(&self) -> FixedPoint {
        self.format
    }

    pub(super) fn add_cost(&self, cost: Cost) {
        self.cost.set(self.cost.get() + cost);
    }

    /// The cost of a product with `shape` for its result.
    fn product(&self, shape: Vec<usize>) -> Vec<usize> {
        let bits = self.format.fraction_bits;
        self.add_cost(bilinear_truncated_cost::<R>(elements(&shape), bits));
        shape
    }
}

impl<R: Ring> Backend for Priced<R> {
    type Tensor = Vec<usize>;
    type Bits = Vec<usize>;
    type Error = Infallible;

    fn shape(&self, x: &Vec<usize>) -> Vec<usize> {
        x.clone()
    }
    fn public(&self, values: &ArrayD<f64>) -> Vec<usize> {
        values.shape().to_vec()
    }
    fn add(&self, x: &Vec<usize>, y: &Vec<usize>) -> Vec<usize> {
        both(x, y)
    }
    fn sub(&self, x: &Vec<usize>, y: &Vec<usize>) -> Vec<usize> {
        both(x, y)
    }
    fn neg(&self, x: &Vec<usize>) -> Vec<usize> {
        x.clone()
    }
    fn add_public(&self, x: &Vec<usize>, y: &ArrayD<f64>) -> Vec<usize> {
        both(x, y.shape())
    }
    fn mul_integer(&self, x: &Vec<usize>, _: i64) -> Vec<usize> {
        x.clone()
    }
    fn sum(&self, x: &Vec<usize>, axis: usize) -> Vec<usize> {
        without(x, axis)
    }
    fn reshape(&self, x: &Vec<usize>, shape: &[usize]) -> Vec<usize> {
        assert_eq!(
            elements(x),
            elements(shape),
            "reshape of {x:?} to {shape:?}"
        );
        shape.to_vec()
    }
    fn permute(&self, x: &Vec<usize>, axes: &[usize]) -> Vec<usize> {
        axes.iter().map(|&axis| x[axis]).collect()
    }
    fn slice(&self, x: &Vec<usize>, axis: usize, range: Range<usize>) -> Vec<usize> {
        let mut shape = x.clone();
        shape[axis] = range.len();
        shape
    }
    fn concat(&self, parts: &[&Vec<usize>], axis: usize) -> Vec<usize> {
        let Some(first) = parts.first() else {
            assert!(!parts.is_empty(), "concatenation of nothing");
            return vec![0];
        };
        let mut shape = (*first).clone();
        shape[axis] = parts.iter().map(|part| part[axis]).sum();
        shape
    }
    fn broadcast(&self, _: &Vec<usize>, shape: &[usize]) -> Vec<usize> {
        shape.to_vec()
    }
    fn windows(&self, x: &Vec<usize>, pool: &Pool2d, _: Outside<f64>) -> Vec<usize> {
        let shape = pool.windows_shape(x);
        assert!(shape.is_ok(), "windows {pool:?} of {x:?}");
        shape.map(Vec::from).unwrap_or_default()
    }

    fn bits_shape(&self, bits: &Vec<usize>) -> Vec<usize> {
        bits.clone()
    }
    fn not(&self, bits: &Vec<usize>) -> Vec<usize> {
        bits.clone()
    }
    fn xor(&self, x: &Vec<usize>, y: &Vec<usize>) -> Vec<usize> {
        assert_eq!(x, y, "operands of xor");
        x.clone()
    }
    fn arrange_bits(&self, _: &[&Vec<usize>], places: &ArrayD<usize>) -> Vec<usize> {
        places.shape().to_vec()
    }

    async fn mul(&self, x: &Vec<usize>, y: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        Ok(self.product(both(x, y)))
    }
    async fn mul_public(&self, x: &Vec<usize>, y: &ArrayD<f64>) -> Result<Vec<usize>, Infallible> {
        let shape = both(x, y.shape());
        let bits = self.format.fraction_bits;
        self.add_cost(truncate_cost::<R>(elements(&shape), bits));
        Ok(shape)
    }
    async fn matmul(&self, x: &Vec<usize>, y: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(x[1], y[0], "inner sizes of a matrix product");
        Ok(self.product(vec![x[0], y[1]]))
    }
    async fn conv2d(
        &self,
        _: &Vec<usize>,
        _: &Vec<usize>,
        _: Option<&Vec<usize>>,
        geometry: &Conv2d,
    ) -> Result<Vec<usize>, Infallible> {
        let [height, width] = geometry.output();
        Ok(self.product(vec![geometry.batch, geometry.filters, height, width]))
    }
    async fn relu(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(relu_cost::<R>(
            elements(x),
            compared_bits::<R>(self.format()),
        ));
        Ok(x.clone())
    }
    async fn is_negative(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(msb_cost(elements(x), compared_bits::<R>(self.format())));
        Ok(x.clone())
    }
    async fn and(&self, x: &Vec<usize>, y: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        assert_eq!(x, y, "operands of and");
        self.add_cost(and_cost(elements(x)));
        Ok(x.clone())
    }
    async fn numbers(&self, bits: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(bit_to_arithmetic_cost::<R>(elements(bits)));
        Ok(bits.clone())
    }
    async fn select(
        &self,
        bits: &Vec<usize>,
        x: &Vec<usize>,
        y: &Vec<usize>,
    ) -> Result<Vec<usize>, Infallible> {
        assert!(bits == x && x == y, "operands of select");
        self.add_cost(select_cost::<R>(elements(x)));
        Ok(x.clone())
    }
    async fn max(&self, x: &Vec<usize>, axis: usize) -> Result<Vec<usize>, Infallible> {
        let others = without(x, axis);
        self.add_cost(max_cost::<R>(
            x[axis],
            elements(&others),
            compared_bits::<R>(self.format()),
        ));
        Ok(others)
    }
    async fn argmax_one_hot(&self, x: &Vec<usize>, axis: usize) -> Result<Vec<usize>, Infallible> {
        let rows = elements(&without(x, axis));
        let find = argmax_one_hot_cost::<R>(x[axis], rows, compared_bits::<R>(self.format()));
        self.add_cost(find + bit_to_arithmetic_cost::<R>(elements(x)));
        Ok(x.clone())
    }
    async fn exp(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        let range = exp_range::<R>();
        self.add_cost(exp_cost::<R>(elements(x), self.format, self.format, range));
        Ok(x.clone())
    }
    async fn reciprocal(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        let range = positive::<R>(self.format);
        self.add_cost(reciprocal_cost::<R>(elements(x), self.format, range));
        Ok(x.clone())
    }
    async fn rsqrt(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        let range = positive::<R>(self.format);
        self.add_cost(rsqrt_cost::<R>(elements(x), self.format, range));
        Ok(x.clone())
    }
    async fn sigmoid(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(sigmoid_cost::<R>(elements(x), self.format));
        Ok(x.clone())
    }
    async fn tanh(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(tanh_cost::<R>(elements(x), self.format));
        Ok(x.clone())
    }
    async fn log(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        let range = positive::<R>(self.format);
        self.add_cost(log_cost::<R>(elements(x), self.format, range));
        Ok(x.clone())
    }
    async fn erf(&self, x: &Vec<usize>) -> Result<Vec<usize>, Infallible> {
        self.add_cost(erf_cost::<R>(elements(x), self.format));
        Ok(x.clone())
    }
    async fn softmax(&self, x: &Vec<usize>, axis: usize) -> Result<Vec<usize>, Infallible> {
        let rows = elements(&without(x, axis));
        self.add_cost(softmax_cost::<R>(x[axis], rows, self.format));
        Ok(x.clone())
    }
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        let (left, right) = (Self::new(self.format), Self::new(self.format));
        let both = (f(&left).await, g(&right).await);
        self.add_cost(left.cost().beside(right.cost()));
        both
    }
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The shape to which two operands are repeated.
fn both(x: &[usize], y: &[usize]) -> Vec<usize> {
    let common = shape::broadcast(x, y);
    assert!(common.is_some(), "broadcast of {x:?} and {y:?}");
    common.unwrap_or_default()
}

fn without(x: &[usize], axis: usize) -> Vec<usize> {
    let mut others = x.to_vec();
    others.remove(axis);
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::ready;
    use trefoil_ring::{Z32, Z64};

    #[test]
    fn side_by_side_shares_rounds_and_one_by_one_adds_them() {
        let backend = Priced::<Z64>::new(FixedPoint::new(20));
        let x = vec![3, 4];
        let Ok(_) = ready(backend.relu(&x));
        let once = backend.cost();
        assert_eq!(once, relu_cost::<Z64>(12, 48));
        let relu = async |backend: &Priced<Z64>| backend.relu(&x).await;
        let (Ok(_), Ok(_)) = ready(backend.join(relu, relu));
        assert_eq!(backend.cost(), once + once.beside(once));
    }

    #[test]
    fn products_cost_their_result() {
        let backend = Priced::<Z32>::new(FixedPoint::new(10));
        let Ok(y) = ready(backend.mul(&vec![5, 1, 3], &vec![7, 1]));
        assert_eq!(y, [5, 7, 3]);
        assert_eq!(backend.cost(), bilinear_truncated_cost::<Z32>(105, 10));
    }
}
