//! Operators on shapes: `Expand`, `Shape`, `ConstantOfShape`, `Cast`.

use super::{Numbers, Reader, logic};
use crate::backend::Backend;
use crate::graph::{Attribute, Element};
use crate::layer::{Compute, Operand, one};
use crate::shape::{broadcast, elements};
use crate::value::ValueId;
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
    Ok(vec![reader.add_constant(sizes, Element::Integer)])
}

pub(super) fn constant_of_shape(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let shape = sizes(&reader.integers(0)?)?;
    let (value, element) = match reader.attribute("value") {
        None => (0.0, Element::Float),
        Some(Attribute::Tensor(tensor)) if tensor.shape().iter().product::<usize>() == 1 => {
            (tensor.to_f64().sum(), tensor.element())
        }
        Some(_) => return Err("its value is not one number".into()),
    };
    let count = shape
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size));
    if count == Some(0) {
        // Shapes are joined of lists that may be empty.
        return Ok(vec![
            reader.add_constant(ArrayD::zeros(IxDyn(&shape)), element),
        ]);
    }
    let value = reader.add_constant(ArrayD::from_elem(IxDyn(&[]), value), element);
    Ok(vec![reader.layer(Expand { shape }, &[value])?])
}

/// `Cast` among floats, integers and truth values.
pub(super) fn cast(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let to = reader.int("to")?.ok_or("it has no element type")?;
    let x = reader.input(0)?;
    let element = element(to)?;
    Ok(vec![cast_to(reader, x, element)?])
}

/// `CastLike`: to what the second input holds.
pub(super) fn cast_like(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, like) = (reader.input(0)?, reader.input(1)?);
    let element = reader.element(like);
    Ok(vec![cast_to(reader, x, element)?])
}

/// What an element type of ONNX is, of those that are computed with.
fn element(to: i64) -> Result<Element, String> {
    match to {
        // FLOAT, FLOAT16, DOUBLE, BFLOAT16: all are computed with in one format.
        1 | 10 | 11 | 16 => Ok(Element::Float),
        2..=7 | 12 | 13 => Ok(Element::Integer),
        9 => Ok(Element::Boolean),
        _ => Err(format!("element type {to} is not supported")),
    }
}

fn cast_to(reader: &mut Reader<'_>, x: ValueId, to: Element) -> Result<ValueId, String> {
    let from = reader.element(x);
    if from == to {
        return Ok(x);
    }
    if let Some(constant) = reader.constant(x) {
        let cast = |value: f64| match to {
            Element::Boolean => f64::from(value != 0.0),
            Element::Integer => value.trunc(),
            Element::Float => value,
        };
        return Ok(reader.add_constant(constant.mapv(cast), to));
    }
    match (from, to) {
        (Element::Boolean, _) => {
            let numbers = reader.layer(Numbers {}, &[x])?;
            reader.retyped(numbers, to)
        }
        (_, Element::Boolean) => logic::not_zero(reader, x),
        (_, Element::Integer) if !reader.is_whole(x) => Err(
            "it rounds numbers that depend on the model's inputs to integers, which no protocol computes".into(),
        ),
        _ => reader.retyped(x, to),
    }
}

fn sizes(list: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Option<Vec<usize>> = list.iter().map(|&s| usize::try_from(s).ok()).collect();
    sizes.ok_or_else(|| format!("{list:?} is no shape"))
}

impl Compute for Expand {
    const MOVES: bool = true;

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
