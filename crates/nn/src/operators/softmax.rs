//! `Softmax` and `LogSoftmax`.

use super::{Layer, Reader, Reshape};
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// `e^x_i / Σ e^x_j` along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softmax {
    /// The axis.
    pub axis: usize,
}

/// `x_i - ln Σ e^x_j` along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSoftmax {
    /// The axis.
    pub axis: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    along(reader, |axis| Softmax { axis }.into())
}

pub(super) fn log(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    along(reader, |axis| LogSoftmax { axis }.into())
}

/// The layer along the axis that the node means.
fn along(reader: &mut Reader<'_>, layer: fn(usize) -> Layer) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let axis = reader.int("axis")?;
    if reader.opset >= 13 {
        let axis = shape::axis(axis.unwrap_or(-1), shape.len())?;
        return Ok(vec![reader.layer(layer(axis), &[x])?]);
    }
    // Up to operator set 12, all axes from this one on are one.
    let axis = shape::axis(axis.unwrap_or(1), shape.len())?;
    if axis + 1 == shape.len() {
        return Ok(vec![reader.layer(layer(axis), &[x])?]);
    }
    let mut joined = shape[..axis].to_vec();
    joined.push(shape[axis..].iter().product());
    let flat = reader.layer(Reshape { shape: joined }, &[x])?;
    let soft = reader.layer(layer(axis), &[flat])?;
    Ok(vec![reader.layer(Reshape { shape }, &[soft])?])
}

impl Compute for Softmax {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let x = one(shapes)?;
        shape::axis(self.axis as i64, x.len())?;
        Ok(x.to_vec())
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axis != 0
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.softmax(inputs[0], self.axis).await
    }
}

impl Compute for LogSoftmax {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let x = one(shapes)?;
        shape::axis(self.axis as i64, x.len())?;
        Ok(x.to_vec())
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axis != 0
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.log_softmax(inputs[0], self.axis).await
    }
}
