//! Operators on shapes: `Expand`, `Shape`, `ConstantOfShape`, `Cast`.

use super::Reader;
use crate::backend::Backend;
use crate::graph::Attribute;
use crate::layer::{Compute, Operand, one};
use crate::network::ValueId;
use crate::shape::{broadcast, elements};
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// A tensor repeated to a shape that it broadcasts to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expand {
    /// The shape.
    pub shape: Vec<usize>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let from = reader.shape(x);
    let target = sizes(&reader.integers(1)?)?;
    let shape = broadcast(&from, &target)
        .ok_or_else(|| format!("shape {from:?} does not broadcast with {target:?}"))?;
    Ok(vec![reader.layer(Expand { shape }, &[x])?])
}

/// A constant: the batch is known when a model is compiled.
pub(super) fn shape(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let rank = shape.len() as i64;
    let clamp = |at: i64| {
        let from_end = if at < 0 { at.saturating_add(rank) } else { at };
        from_end.clamp(0, rank) as usize
    };
    let start = clamp(reader.int("start")?.unwrap_or(0));
    let end = clamp(reader.int("end")?.unwrap_or(rank)).max(start);
    let sizes: Vec<f64> = shape[start..end].iter().map(|&size| size as f64).collect();
    let sizes = ArrayD::from_shape_vec(IxDyn(&[sizes.len()]), sizes).unwrap_or_default();
    Ok(vec![reader.add_constant(sizes, true)])
}

pub(super) fn constant_of_shape(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let shape = sizes(&reader.integers(0)?)?;
    let (value, integer) = match reader.attribute("value") {
        None => (0.0, false),
        Some(Attribute::Tensor(tensor)) if tensor.shape().iter().product::<usize>() == 1 => {
            (tensor.to_f64().sum(), tensor.is_integer())
        }
        Some(_) => return Err("its value is not one number".into()),
    };
    let value = reader.add_constant(ArrayD::from_elem(IxDyn(&[]), value), integer);
    Ok(vec![reader.layer(Expand { shape }, &[value])?])
}

/// `Cast` among numbers; of constants, to integers and back.
pub(super) fn cast(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    // Numbers of ONNX's element types.
    const NUMBERS: [i64; 2] = [1, 11];
    const INTEGERS: [i64; 8] = [2, 3, 4, 5, 6, 7, 12, 13];
    const BOOLEAN: i64 = 9;
    let x = reader.input(0)?;
    let to = reader.int("to")?.ok_or("it has no element type")?;
    let integer = INTEGERS.contains(&to) || to == BOOLEAN;
    if !integer && !NUMBERS.contains(&to) {
        return Err(format!("element type {to} is not supported"));
    }
    let Some(constant) = reader.constant(x) else {
        if integer {
            return Err("only FLOAT and DOUBLE are computed with".into());
        }
        return Ok(vec![x]);
    };
    let cast = |value: f64| match to {
        BOOLEAN => f64::from(value != 0.0),
        _ if integer => value.trunc(),
        _ => value,
    };
    if reader.is_integer(x) == integer && to != BOOLEAN {
        return Ok(vec![x]);
    }
    Ok(vec![reader.add_constant(constant.mapv(cast), integer)])
}

fn sizes(list: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = list.iter().map(|&s| usize::try_from(s).ok()).collect();
    sizes.ok_or_else(|| format!("{list:?} is no shape"))
}

impl Compute for Expand {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let from = one(shapes)?;
        elements(&self.shape)?;
        if broadcast(from, &self.shape).as_ref() != Some(&self.shape) {
            return Err(format!(
                "shape {from:?} does not broadcast to {:?}",
                self.shape
            ));
        }
        Ok(self.shape.clone())
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        let from = inputs[0].shape;
        from.len() == self.shape.len() && from.first() == self.shape.first()
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.broadcast(inputs[0], &self.shape))
    }
}
