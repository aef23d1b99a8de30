//! Products of stacks of matrices.

use crate::backend::Backend;
use crate::layer::{Compute, Operand, elementwise_keeps_batch, two};
use crate::shape::{broadcast, elements};
use serde::{Deserialize, Serialize};
use trefoil_ring::Conv2d;

/// The products of matrices (…, m, k) and (…, k, n), one for each index of the other axes, which are
/// broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchMatMul {}

/// Sizes of a stack of products.
struct Sizes {
    /// The axes that count the products.
    stack: Vec<usize>,
    m: usize,
    k: usize,
    n: usize,
}

fn sizes(shapes: &[&[usize]]) -> Result<Sizes, String> {
    let [x, y] = two(shapes)?;
    let refuse = || format!("the product of shapes {x:?} and {y:?}");
    let (&[ref xs @ .., m, k], &[ref ys @ .., inner, n]) = (x, y) else {
        return Err(refuse());
    };
    if k != inner {
        return Err(refuse());
    }
    let stack = broadcast(xs, ys).ok_or_else(refuse)?;
    // What the operands and the result become while they are computed.
    for matrix in [[m, k], [k, n], [m, n]] {
        elements(&[&stack[..], &matrix].concat())?;
    }
    Ok(Sizes { stack, m, k, n })
}

impl Compute for BatchMatMul {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let Sizes { stack, m, n, .. } = sizes(shapes)?;
        Ok([&stack[..], &[m, n]].concat())
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        inputs.iter().any(|input| input.shape.len() > 2) && elementwise_keeps_batch(inputs)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let shapes = [b.shape(inputs[0]), b.shape(inputs[1])];
        let sizes = sizes(&[&shapes[0], &shapes[1]]);
        assert!(sizes.is_ok(), "operands of a product: {shapes:?}");
        let Ok(Sizes { stack, m, k, n }) = sizes else {
            return Ok(inputs[0].clone());
        };
        // One convolution whose groups are the products, so that all are rounded in one step: the rows
        // of x are the pixels of k channels, the columns of y the filters.
        let count: usize = stack.iter().product();
        let turned = |tensor: &B::Tensor, rows: usize, columns: usize| {
            let stacked = b.broadcast(tensor, &[&stack[..], &[rows, columns]].concat());
            b.permute(&b.reshape(&stacked, &[count, rows, columns]), &[0, 2, 1])
        };
        let x = b.reshape(&turned(inputs[0], m, k), &[1, count * k, m, 1]);
        let y = b.reshape(&turned(inputs[1], k, n), &[count * n, k, 1, 1]);
        let geometry = Conv2d {
            batch: 1,
            channels: count * k,
            input: [m, 1],
            filters: count * n,
            kernel: [1, 1],
            strides: [1, 1],
            pads: [0; 4],
            dilations: [1, 1],
            groups: count,
        };
        let out = b.conv2d(&x, &y, None, &geometry).await?;
        let out = b.permute(&b.reshape(&out, &[count, n, m]), &[0, 2, 1]);
        Ok(b.reshape(&out, &[&stack[..], &[m, n]].concat()))
    }
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        sizes(shapes).map_or(0, |Sizes { stack, m, k, n }| {
            let count = stack.iter().product::<usize>() as u64;
            count
                .saturating_mul((m * n) as u64)
                .saturating_mul(k as u64)
        })
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}
