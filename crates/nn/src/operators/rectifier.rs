//! Functions in pieces, made of `max(x, 0)`: rectifiers, absolute values, bounds, ramps.

use super::{Add, Mul, Reader, Relu, Scale, Sub};
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::shape::broadcast;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// A tensor plus a number that is part of the architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offset {
    /// The number.
    pub by: f64,
}

/// The nearest number between bounds that are part of the architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// The least.
    pub low: Option<f64>,
    /// The greatest, not below the least.
    pub high: Option<f64>,
}

/// `x` where positive, else `alpha * (e^x - 1)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elu {
    /// The factor.
    pub alpha: f64,
}

pub(super) fn leaky_relu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let factor = reader.float("alpha", 0.01)?;
    let x = reader.input(0)?;
    let [positive, negative] = parts(reader, x)?;
    let slope = reader.layer(Scale { factor }, &[negative])?;
    Ok(vec![reader.layer(Add {}, &[positive, slope])?])
}

pub(super) fn prelu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, slope) = (reader.input(0)?, reader.input(1)?);
    let (shape, slopes) = (reader.shape(x), reader.shape(slope));
    if broadcast(&shape, &slopes).as_ref() != Some(&shape) {
        return Err(format!(
            "slopes of shape {slopes:?} for an input of shape {shape:?}"
        ));
    }
    let [positive, negative] = parts(reader, x)?;
    let slope = reader.layer(Mul {}, &[negative, slope])?;
    Ok(vec![reader.layer(Add {}, &[positive, slope])?])
}

pub(super) fn abs(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let [positive, negative] = parts(reader, x)?;
    Ok(vec![reader.layer(Sub {}, &[positive, negative])?])
}

/// `max(x, 0)` and `min(x, 0)`: one comparison gives both.
fn parts(reader: &mut Reader<'_>, x: ValueId) -> Result<[ValueId; 2], String> {
    let positive = reader.layer(Relu {}, &[x])?;
    Ok([positive, reader.layer(Sub {}, &[x, positive])?])
}

pub(super) fn clip(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    // Attributes up to operator set 10, inputs since. Either way they belong to the architecture.
    let low = bound(reader, "min", 1)?;
    let high = bound(reader, "max", 2)?;
    let mut x = reader.input(0)?;
    // ONNX takes the upper bound for all where it is below the lower one: one after the other does.
    let steps = match (low, high) {
        (None, None) => vec![],
        (Some(least), Some(greatest)) if greatest < least => vec![(low, None), (None, high)],
        _ => vec![(low, high)],
    };
    for (low, high) in steps {
        x = reader.layer(Clip { low, high }, &[x])?;
    }
    Ok(vec![x])
}

/// A bound; one that no number of single precision reaches is none.
fn bound(reader: &Reader<'_>, name: &str, index: usize) -> Result<Option<f64>, String> {
    let value = match reader.optional(index) {
        Some(id) => {
            let values = reader.constant(id).ok_or_else(|| {
                format!("its input {name} depends on the model's inputs; it must be constant")
            })?;
            if values.len() != 1 {
                return Err(format!("its input {name} is not one number"));
            }
            values.iter().copied().next()
        }
        None => match reader.attribute(name) {
            Some(_) => Some(reader.float(name, 0.0)?),
            None => None,
        },
    };
    if value.is_some_and(f64::is_nan) {
        return Err(format!("its {name} is not a number"));
    }
    Ok(value.filter(|value| value.abs() < f64::from(f32::MAX)))
}

pub(super) fn hard_sigmoid(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (alpha, beta) = (reader.float("alpha", 0.2)?, reader.float("beta", 0.5)?);
    let x = reader.input(0)?;
    Ok(vec![ramp(reader, x, alpha, beta)?])
}

pub(super) fn hard_swish(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let ramp = ramp(reader, x, 6_f64.recip(), 0.5)?;
    Ok(vec![reader.layer(Mul {}, &[x, ramp])?])
}

/// `alpha * x + beta` between 0 and 1.
fn ramp(reader: &mut Reader<'_>, x: ValueId, alpha: f64, beta: f64) -> Result<ValueId, String> {
    let scaled = reader.layer(Scale { factor: alpha }, &[x])?;
    let line = reader.layer(Offset { by: beta }, &[scaled])?;
    let (low, high) = (Some(0.0), Some(1.0));
    reader.layer(Clip { low, high }, &[line])
}

pub(super) fn elu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let alpha = reader.float("alpha", 1.0)?;
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Elu { alpha }, &[x])?])
}

/// `by` for every element.
fn number(by: f64) -> ArrayD<f64> {
    ArrayD::from_elem(IxDyn(&[]), by)
}

/// The shape of the one operand, if `numbers` are finite.
fn same(shapes: &[&[usize]], numbers: &[f64]) -> Result<Vec<usize>, String> {
    if let Some(value) = numbers.iter().find(|value| !value.is_finite()) {
        return Err(format!("a parameter of {value}"));
    }
    one(shapes).map(<[usize]>::to_vec)
}

impl Compute for Offset {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        same(shapes, &[self.by])
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.add_public(inputs[0], &number(self.by)))
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole && self.by.fract() == 0.0
    }
}

impl Compute for Clip {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        if let (Some(low), Some(high)) = (self.low, self.high)
            && low > high
        {
            return Err(format!("bounds from {low} to {high}"));
        }
        let (low, high) = (self.low.unwrap_or(0.0), self.high.unwrap_or(0.0));
        same(shapes, &[low, high])
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let mut x = inputs[0].clone();
        if let Some(low) = self.low {
            let above = b.relu(&b.add_public(&x, &number(-low))).await?;
            x = b.add_public(&above, &number(low));
        }
        if let Some(high) = self.high {
            let below = b.relu(&b.add_public(&b.neg(&x), &number(high))).await?;
            x = b.add_public(&b.neg(&below), &number(high));
        }
        Ok(x)
    }
}

impl Compute for Elu {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        same(shapes, &[self.alpha])
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        // The exponential of what is never positive never exceeds 1.
        let positive = b.relu(inputs[0]).await?;
        let power = b.exp(&b.sub(inputs[0], &positive)).await?;
        let mut curve = b.add_public(&power, &number(-1.0));
        if self.alpha.to_bits() != 1_f64.to_bits() {
            curve = b.mul_public(&curve, &number(self.alpha)).await?;
        }
        Ok(b.add(&positive, &curve))
    }
}
