//! Operators that only change the shape: Reshape, Flatten, Squeeze, Unsqueeze.

use super::Reader;
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// The same elements in row-major order under another shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reshape {
    /// The shape.
    pub shape: Vec<usize>,
}

/// `Reshape` to a constant shape, with 0 (the input's size) and -1 (whatever is left).
///
/// **Batches.** A model made for a fixed batch `b` often names `b` in such shapes, `[1, 256]` say.
/// Compiled for another batch `n`, a leading `b` in the shape of a tensor whose axis 0 is the batch
/// stands for `n`.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let mut target = reader.integers(1)?;
    let (made_for, compiled_for) = reader.batch;
    if reader.is_batched(x) && target.first() == Some(&(made_for as i64)) {
        target[0] = compiled_for as i64;
    }
    let keep_zeros = reader.int("allowzero")?.unwrap_or(0) != 0;
    let shape = resolve(&reader.shape(x), &target, keep_zeros)?;
    Ok(vec![reader.layer(Reshape { shape }, &[x])?])
}

pub(super) fn flatten(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let axis = reader.int("axis")?.unwrap_or(1);
    let axis = if axis == shape.len() as i64 {
        shape.len()
    } else {
        shape::axis(axis, shape.len())?
    };
    let (rows, columns) = shape.split_at(axis);
    let shape = vec![rows.iter().product(), columns.iter().product()];
    Ok(vec![reader.layer(Reshape { shape }, &[x])?])
}

pub(super) fn squeeze(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let axes = match axes(reader)? {
        Some(axes) => axes
            .iter()
            .map(|&axis| shape::axis(axis, shape.len()))
            .collect::<Result<Vec<_>, _>>()?,
        // Which axes have size 1 would depend on the batch.
        None if reader.batch.0 != reader.batch.1 => {
            return Err("without axes it depends on the batch; run with the model's own".into());
        }
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        return Err(format!("axis {axis} of shape {shape:?} cannot be removed"));
    }
    let kept = (0..shape.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| shape[axis]);
    let shape = kept.collect();
    Ok(vec![reader.layer(Reshape { shape }, &[x])?])
}

pub(super) fn unsqueeze(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let axes = axes(reader)?.ok_or("it has no axes")?;
    let rank = shape.len() + axes.len();
    let axes = axes
        .iter()
        .map(|&axis| shape::axis(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    let mut old = shape.iter().copied();
    let new: Vec<usize> = (0..rank)
        .filter_map(|axis| {
            if axes.contains(&axis) {
                Some(1)
            } else {
                old.next()
            }
        })
        .collect();
    if new.len() != rank {
        return Err(format!("its axes {axes:?} repeat"));
    }
    Ok(vec![reader.layer(Reshape { shape: new }, &[x])?])
}

/// The axes: an attribute, since operator set 13 an input.
fn axes(reader: &Reader<'_>) -> Result<Option<Vec<i64>>, String> {
    if let Some(axes) = reader.ints("axes")? {
        return Ok(Some(axes.to_vec()));
    }
    reader.optional(1).map(|_| reader.integers(1)).transpose()
}

/// The shape that ONNX's `target` means for elements of shape `from`.
fn resolve(from: &[usize], target: &[i64], keep_zeros: bool) -> Result<Vec<usize>, String> {
    let refuse = || format!("shape {from:?} cannot become {target:?}");
    let mut out = Vec::with_capacity(target.len());
    let mut open = None;
    for (axis, &size) in target.iter().enumerate() {
        out.push(match size {
            -1 if open.replace(axis).is_none() => 1,
            0 if !keep_zeros => *from.get(axis).ok_or_else(refuse)?,
            size => usize::try_from(size).map_err(|_| refuse())?,
        });
    }
    let total: usize = from.iter().product();
    let known = out
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size))
        .ok_or_else(refuse)?;
    match open {
        Some(axis) if known != 0 && total.is_multiple_of(known) => out[axis] = total / known,
        None if known == total => {}
        _ => return Err(refuse()),
    }
    Ok(out)
}

impl Compute for Reshape {
    const MOVES: bool = true;

    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let from = one(shapes)?;
        if shape::elements(&self.shape)? != shape::elements(from)? {
            return Err(format!("shape {from:?} cannot become {:?}", self.shape));
        }
        Ok(self.shape.clone())
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        self.shape.first() == inputs[0].shape.first()
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        Ok(b.reshape(inputs[0], &self.shape))
    }
}
