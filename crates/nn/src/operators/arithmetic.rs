//! Add, Sub, Mul, Div, Neg.

use super::{Reader, Reciprocal};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Compute, Operand, elementwise_keeps_batch, one, two};
use crate::shape::broadcast;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// The sum of two tensors, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {}
/// The difference of two tensors, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sub {}
/// The element-wise product of two tensors, broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mul {}
/// A tensor times a number that is part of the architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The number.
    pub factor: f64,
}

pub(super) fn add(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![reader.layer(Add {}, &[x, y])?])
}

pub(super) fn sub(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    // A constant is subtracted by adding its negative, which later passes fold into biases.
    let Some(constant) = reader.constant(y).filter(|_| reader.constant(x).is_none()) else {
        return Ok(vec![reader.layer(Sub {}, &[x, y])?]);
    };
    let element = reader.element(y);
    let negative = reader.add_constant(constant.mapv(|v| -v), element);
    Ok(vec![reader.layer(Add {}, &[x, negative])?])
}

pub(super) fn mul(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    Ok(vec![reader.layer(Mul {}, &[x, y])?])
}

pub(super) fn div(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, y] = [reader.input(0)?, reader.input(1)?];
    let both_constant = reader.constant(x).is_some() && reader.constant(y).is_some();
    if reader.is_integer(x) && reader.is_integer(y) && !both_constant {
        return Err(
            "integers that depend on the model's inputs are not divided, which would round; cast them to FLOAT".into(),
        );
    }
    let Some(divisor) = reader.constant(y) else {
        let inverse = reader.layer(Reciprocal {}, &[y])?;
        return Ok(vec![reader.layer(Mul {}, &[x, inverse])?]);
    };
    if divisor.iter().any(|&v| v == 0.0) {
        return Err("it divides by zero".into());
    }
    if let Some(dividend) = reader.constant(x).filter(|_| reader.is_integer(x)) {
        // Arithmetic on shapes, which rounds towards zero.
        let (dividend, divisor) = (dividend.as_ref(), divisor.as_ref());
        joint(&[dividend.shape(), divisor.shape()])?;
        return Ok(vec![reader.add_constant(
            (dividend / divisor).mapv(f64::trunc),
            Element::Integer,
        )]);
    }
    let inverse = reader.add_constant(divisor.mapv(f64::recip), Element::Float);
    Ok(vec![reader.layer(Mul {}, &[x, inverse])?])
}

pub(super) fn neg(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Scale { factor: -1.0 }, &[x])?])
}

fn joint(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let [x, y] = two(shapes)?;
    broadcast(x, y).ok_or_else(|| format!("shapes {x:?} and {y:?} do not broadcast"))
}

impl Compute for Add {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        joint(shapes)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        elementwise_keeps_batch(inputs)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.add(inputs[0], inputs[1]))
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for Sub {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        joint(shapes)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        elementwise_keeps_batch(inputs)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.sub(inputs[0], inputs[1]))
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for Mul {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        joint(shapes)
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        elementwise_keeps_batch(inputs)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.mul(inputs[0], inputs[1]).await
    }
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        joint(shapes).map_or(0, |shape| shape.iter().product::<usize>() as u64)
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for Scale {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        if !self.factor.is_finite() {
            return Err(format!("a factor of {}", self.factor));
        }
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        // Integers need no rounding, on shares no message.
        if self.factor.fract() == 0.0 && self.factor.abs() < 1e9 {
            return Ok(b.mul_integer(inputs[0], self.factor as i64));
        }
        b.mul_public(inputs[0], &ArrayD::from_elem(IxDyn(&[]), self.factor))
            .await
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole && self.factor.fract() == 0.0
    }
}
