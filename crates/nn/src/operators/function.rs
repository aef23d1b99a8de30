//! Functions of one element: Erf, Exp, Log, Sigmoid, Tanh.

use super::Reader;
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// The error function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erf {}
/// `e^x`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exp {}
/// The natural logarithm of `x > 0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {}
/// `1 / (1 + e^-x)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sigmoid {}
/// The hyperbolic tangent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tanh {}

pub(super) fn erf(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Erf {}, &[x])?])
}

pub(super) fn exp(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Exp {}, &[x])?])
}

pub(super) fn log(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Log {}, &[x])?])
}

pub(super) fn sigmoid(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Sigmoid {}, &[x])?])
}

pub(super) fn tanh(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Tanh {}, &[x])?])
}

impl Compute for Erf {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.erf(inputs[0]).await
    }
}

impl Compute for Exp {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.exp(inputs[0]).await
    }
}

impl Compute for Log {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.log(inputs[0]).await
    }
}

impl Compute for Sigmoid {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.sigmoid(inputs[0]).await
    }
}

impl Compute for Tanh {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.tanh(inputs[0]).await
    }
}
