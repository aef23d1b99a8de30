//! `MatMul` and `Gemm`.

pub use super::batch_matmul::BatchMatMul;
use super::{Add, Mul, Reader, Reshape, Scale, Transpose};
use crate::backend::Backend;
use crate::layer::{Compute, Operand};
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// The product of a tensor (…, k) and a matrix (k, n), plus a bias (n) if there is a third operand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatMul {}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [mut x, mut y] = [reader.input(0)?, reader.input(1)?];
    let (left, right) = (reader.shape(x), reader.shape(y));
    // A vector is a row on the left and a column on the right, and the result loses that axis.
    let mut vectors = Vec::new();
    if let &[k] = left.as_slice() {
        x = reader.layer(Reshape { shape: vec![1, k] }, &[x])?;
        vectors.push(2);
    }
    if let &[k] = right.as_slice() {
        y = reader.layer(Reshape { shape: vec![k, 1] }, &[y])?;
        vectors.push(1);
    }
    let mut product = if right.len() > 2 {
        reader.layer(BatchMatMul {}, &[x, y])?
    } else {
        reader.layer(MatMul {}, &[x, y])?
    };
    if !vectors.is_empty() {
        let mut shape = reader.shape(product);
        for from_end in vectors {
            shape.remove(shape.len() - from_end);
        }
        product = reader.layer(Reshape { shape }, &[product])?;
    }
    Ok(vec![product])
}

/// `alpha * A' * B' + beta * C`.
pub(super) fn gemm(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let alpha = reader.float("alpha", 1.0)?;
    let beta = reader.float("beta", 1.0)?;
    let mut a = reader.input(0)?;
    let mut b = reader.input(1)?;
    for (id, name) in [(&mut a, "transA"), (&mut b, "transB")] {
        if reader.shape(*id).len() != 2 {
            return Err(format!(
                "its operand has shape {:?}, no matrix",
                reader.shape(*id)
            ));
        }
        if reader.int(name)?.unwrap_or(0) != 0 {
            *id = reader.layer(Transpose { axes: vec![1, 0] }, &[*id])?;
        }
    }
    // The factor costs nothing on a constant operand.
    let mut late = None;
    if reader.constant(b).is_some() {
        b = scaled(reader, b, alpha)?;
    } else if reader.constant(a).is_some() {
        a = scaled(reader, a, alpha)?;
    } else {
        late = Some(alpha).filter(|&alpha| !is_one(alpha));
    }
    let product = |reader: &mut Reader<'_>, inputs: &[ValueId]| {
        let product = reader.layer(MatMul {}, inputs)?;
        scaled(reader, product, late.unwrap_or(1.0))
    };
    let Some(c) = reader.optional(2).filter(|_| beta != 0.0) else {
        return Ok(vec![product(reader, &[a, b])?]);
    };
    let c = scaled(reader, c, beta)?;
    let columns = reader.shape(b)[1];
    if let Some(values) = reader.constant(c).filter(|_| late.is_none()) {
        // A bias of one row, or one number, goes into the product.
        let row = [columns];
        if values.len() == columns && values.shape().last() == Some(&columns) || values.len() == 1 {
            let flat: Vec<f64> = values.iter().copied().cycle().take(columns).collect();
            let bias = ArrayD::from_shape_vec(IxDyn(&row), flat).unwrap_or_default();
            let bias = reader.add_constant(bias, reader.element(c));
            return Ok(vec![reader.layer(MatMul {}, &[a, b, bias])?]);
        }
    }
    let product = product(reader, &[a, b])?;
    let shape = reader.shape(product);
    let sum = reader.layer(Add {}, &[product, c])?;
    if reader.shape(sum) != shape {
        return Err(format!(
            "C has shape {:?}, the product {shape:?}",
            reader.shape(c)
        ));
    }
    Ok(vec![sum])
}

/// Whether an attribute is exactly its default.
fn is_one(factor: f64) -> bool {
    factor.to_bits() == 1_f64.to_bits()
}

fn scaled(reader: &mut Reader<'_>, x: ValueId, factor: f64) -> Result<ValueId, String> {
    if is_one(factor) {
        return Ok(x);
    }
    if reader.constant(x).is_some() {
        let factor = reader.add_constant(ArrayD::from_elem(IxDyn(&[]), factor), reader.element(x));
        return reader.layer(Mul {}, &[x, factor]);
    }
    reader.layer(Scale { factor }, &[x])
}

impl Compute for MatMul {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let (&[x, y] | &[x, y, _]) = shapes else {
            return Err(format!("it takes 2 or 3 operands, not {}", shapes.len()));
        };
        let (&[.., k], &[inner, n]) = (x, y) else {
            return Err(format!(
                "a product of shapes {x:?} and {y:?}; (…, k) and (k, n) are supported"
            ));
        };
        if k != inner || x.len() < 2 {
            return Err(format!("the product of shapes {x:?} and {y:?}"));
        }
        if let Some(bias) = shapes.get(2)
            && *bias != [n]
        {
            return Err(format!("a bias of shape {bias:?} for {n} columns"));
        }
        let mut out = x.to_vec();
        if let Some(last) = out.last_mut() {
            *last = n;
        }
        Ok(out)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        inputs[0].batched && inputs[1..].iter().all(|input| !input.batched)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let (x, y) = (b.shape(inputs[0]), b.shape(inputs[1]));
        let rows = x[..x.len() - 1].iter().product();
        let flat = b.reshape(inputs[0], &[rows, y[0]]);
        let mut out = b.matmul(&flat, inputs[1]).await?;
        if let Some(bias) = inputs.get(2) {
            out = b.add(&out, bias);
        }
        let shape: Vec<usize> = x[..x.len() - 1].iter().copied().chain([y[1]]).collect();
        Ok(b.reshape(&out, &shape))
    }
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        let columns = shapes[1].last().copied().unwrap_or(0) as u64;
        (shapes[0].iter().product::<usize>() as u64).saturating_mul(columns)
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}
