//! Reductions of axes: sums, means, extrema and their positions; `GlobalMaxPool`.

use super::{Mul, Reader, Relu, Reshape, Scale, Sqrt, Sub};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// The sum over some axes, which are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReduceSum {
    /// The axes, rising.
    pub axes: Vec<usize>,
}

/// The maximum over some axes, which are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReduceMax {
    /// The axes, rising.
    pub axes: Vec<usize>,
}

/// The index of the maximum along an axis, which is removed, as a number: the first among equal ones,
/// or the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgMax {
    /// The axis.
    pub axis: usize,
    /// Whether the last of equal elements is meant.
    pub last: bool,
}

pub(super) fn sum(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        reader.layer(ReduceSum { axes }, &[x])
    })
}

pub(super) fn sum_square(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        let square = reader.layer(Mul {}, &[x, x])?;
        reader.layer(ReduceSum { axes }, &[square])
    })
}

/// Sums of magnitudes.
pub(super) fn l1(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        let positive = reader.layer(Relu {}, &[x])?;
        let negative = reader.layer(Sub {}, &[x, positive])?;
        let magnitude = reader.layer(Sub {}, &[positive, negative])?;
        reader.layer(ReduceSum { axes }, &[magnitude])
    })
}

/// Roots of sums of squares.
pub(super) fn l2(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        let square = reader.layer(Mul {}, &[x, x])?;
        let total = reader.layer(ReduceSum { axes }, &[square])?;
        reader.layer(Sqrt {}, &[total])
    })
}

pub(super) fn mean(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    reduce(reader, x, |reader, axes| {
        let count: usize = axes.iter().map(|&axis| shape[axis]).product();
        let total = reader.layer(ReduceSum { axes }, &[x])?;
        let factor = (count as f64).recip();
        reader.layer(Scale { factor }, &[total])
    })
}

pub(super) fn max(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        reader.layer(ReduceMax { axes }, &[x])
    })
}

pub(super) fn min(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    reduce(reader, x, |reader, axes| {
        let negative = reader.layer(Scale { factor: -1.0 }, &[x])?;
        let least = reader.layer(ReduceMax { axes }, &[negative])?;
        reader.layer(Scale { factor: -1.0 }, &[least])
    })
}

pub(super) fn global_max(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let mut shape = reader.shape(x);
    if shape.len() < 3 {
        return Err(format!("its input has shape {shape:?}, without pictures"));
    }
    let axes = (2..shape.len()).collect();
    let largest = reader.layer(ReduceMax { axes }, &[x])?;
    shape[2..].fill(1);
    Ok(vec![reader.layer(Reshape { shape }, &[largest])?])
}

pub(super) fn arg_max(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    position(reader, x)
}

pub(super) fn arg_min(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let negative = reader.layer(Scale { factor: -1.0 }, &[x])?;
    position(reader, negative)
}

fn position(reader: &mut Reader<'_>, x: ValueId) -> Result<Vec<ValueId>, String> {
    let shape = reader.shape(x);
    let axis = shape::axis(reader.int("axis")?.unwrap_or(0), shape.len())?;
    let last = reader.int("select_last_index")?.unwrap_or(0) != 0;
    let index = reader.layer(ArgMax { axis, last }, &[x])?;
    let index = kept(reader, index, &shape, &[axis])?;
    Ok(vec![reader.retyped(index, Element::Integer)?])
}

/// Reduce the node's axes of `x`.
fn reduce(
    reader: &mut Reader<'_>,
    x: ValueId,
    layers: impl FnOnce(&mut Reader<'_>, Vec<usize>) -> Result<ValueId, String>,
) -> Result<Vec<ValueId>, String> {
    let shape = reader.shape(x);
    // Attributes at first, inputs since operator set 13 or 18.
    let axes = match (reader.ints("axes")?, reader.optional(1)) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(_)) => reader.integers(1)?,
        (None, None) => Vec::new(),
    };
    let mut axes = axes
        .iter()
        .map(|&axis| shape::axis(axis, shape.len()))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    // Without axes all are meant, or none.
    if axes.is_empty() && reader.int("noop_with_empty_axes")?.unwrap_or(0) == 0 {
        axes = (0..shape.len()).collect();
    }
    let reduced = layers(reader, axes.clone())?;
    Ok(vec![kept(reader, reduced, &shape, &axes)?])
}

/// Give `x` the axes back that a reduction of `shape` removed, unless the node does not keep them.
fn kept(
    reader: &mut Reader<'_>,
    x: ValueId,
    shape: &[usize],
    axes: &[usize],
) -> Result<ValueId, String> {
    if reader.int("keepdims")?.unwrap_or(1) == 0 {
        return Ok(x);
    }
    let mut shape = shape.to_vec();
    for &axis in axes {
        shape[axis] = 1;
    }
    reader.layer(Reshape { shape }, &[x])
}

/// The shape that is left of the one operand without `axes`.
fn without(shapes: &[&[usize]], axes: &[usize]) -> Result<Vec<usize>, String> {
    let shape = one(shapes)?;
    let rising = axes.windows(2).all(|pair| pair[0] < pair[1]);
    if !rising || axes.last().is_some_and(|&axis| axis >= shape.len()) {
        return Err(format!("axes {axes:?} of a tensor of shape {shape:?}"));
    }
    let left = shape.iter().enumerate();
    Ok(left
        .filter(|(axis, _)| !axes.contains(axis))
        .map(|(_, &size)| size)
        .collect())
}

impl Compute for ReduceSum {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        without(shapes, &self.axes)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axes.first() != Some(&0)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let last_first = self.axes.iter().rev();
        Ok(last_first.fold(inputs[0].clone(), |x, &axis| b.sum(&x, axis)))
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for ReduceMax {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        without(shapes, &self.axes)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axes.first() != Some(&0)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        // All axes as one, so that there is one tournament.
        let shape = b.shape(inputs[0]);
        let others = (0..shape.len()).filter(|axis| !self.axes.contains(axis));
        let order: Vec<usize> = self.axes.iter().copied().chain(others.clone()).collect();
        let count = self.axes.iter().map(|&axis| shape[axis]).product();
        let joined: Vec<usize> = [count]
            .into_iter()
            .chain(others.map(|axis| shape[axis]))
            .collect();
        let slots = b.reshape(&b.permute(inputs[0], &order), &joined);
        b.max(&slots, 0).await
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for ArgMax {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        without(shapes, &[self.axis])
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axis != 0
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let axis = self.axis;
        let mut x = inputs[0].clone();
        let size = b.shape(&x)[axis];
        let place = |index: usize| if self.last { size - 1 - index } else { index };
        if self.last {
            let parts: Vec<_> = (0..size)
                .rev()
                .map(|index| b.slice(&x, axis, index..index + 1))
                .collect();
            x = b.concat(&parts.iter().collect::<Vec<_>>(), axis);
        }
        let hot = b.argmax_one_hot(&x, axis).await?;
        // Every place times whether it is the one.
        let terms = (0..size).map(|index| {
            let part = b.slice(&hot, axis, index..index + 1);
            b.mul_integer(&part, place(index) as i64)
        });
        let total = terms.reduce(|total, term| b.add(&total, &term));
        let total = total.unwrap_or_else(|| hot.clone());
        Ok(b.sum(&total, axis))
    }
    fn gives_whole(&self, _: bool) -> bool {
        true
    }
}
