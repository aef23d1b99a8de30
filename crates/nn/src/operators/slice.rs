//! `Slice` with constant bounds.

use super::{Gather, Reader};
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use serde::{Deserialize, Serialize};

/// Every `step`-th index from `start` up to `end` of one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// First index.
    pub start: usize,
    /// The index behind the last that may be taken.
    pub end: usize,
    /// Distance of the indices.
    pub step: usize,
}

/// What a node takes of an axis: `count` places from `start` on, `step` apart.
pub(super) struct Part {
    pub(super) axis: usize,
    start: i64,
    step: i64,
    count: usize,
}

impl Part {
    /// The places, in order.
    pub(super) fn places(&self) -> Vec<usize> {
        let place = |index: usize| self.start + index as i64 * self.step;
        (0..self.count).map(|index| place(index) as usize).collect()
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let mut x = reader.input(0)?;
    let shape = reader.shape(x);
    for part in parts(reader, &shape)? {
        let axis = part.axis;
        if part.step < 0 && part.count > 0 {
            let indices = part.places();
            x = reader.layer(Gather { axis, indices }, &[x])?;
            continue;
        }
        let (start, step) = (part.start as usize, part.step as usize);
        let end = match part.count {
            0 => start,
            count => start + (count - 1) * step + 1,
        };
        if (start, part.count) != (0, shape[axis]) {
            x = reader.layer(
                Slice {
                    axis,
                    start,
                    end,
                    step,
                },
                &[x],
            )?;
        }
    }
    Ok(vec![x])
}

/// The parts that a node takes of a tensor of `shape`, one for each axis that it names.
pub(super) fn parts(reader: &Reader<'_>, shape: &[usize]) -> Result<Vec<Part>, String> {
    // Attributes up to operator set 9, inputs since.
    let list = |name: &str, index: usize| match reader.ints(name)? {
        Some(values) => Ok(Some(values.to_vec())),
        None => reader
            .optional(index)
            .map(|_| reader.integers(index))
            .transpose(),
    };
    let starts = list("starts", 1)?.ok_or("it has no starts")?;
    let ends = list("ends", 2)?.ok_or("it has no ends")?;
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("its starts, ends, axes and steps differ in number".into());
    }
    let mut parts = Vec::with_capacity(starts.len());
    for (((start, end), axis), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let axis = shape::axis(axis, shape.len())?;
        if step == 0 {
            return Err("a step of 0".into());
        }
        let size = shape[axis] as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
        // Backwards, the end is before the first element at the most.
        let (least, greatest) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = from_end(start).clamp(least.max(0), greatest.max(0));
        let end = from_end(end).clamp(least, greatest);
        let distance = if step > 0 { end - start } else { start - end };
        let count = distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs());
        // Of one element, any step is the same.
        let step = if count <= 1 { step.signum() } else { step };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        parts.push(Part {
            axis,
            start,
            step,
            count,
        });
    }
    Ok(parts)
}

impl Compute for Slice {
    const MOVES: bool = true;

    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let mut shape = one(shapes)?.to_vec();
        match shape.get_mut(self.axis) {
            Some(size) if self.start < self.end && self.end <= *size && self.step > 0 => {
                *size = (self.end - self.start).div_ceil(self.step);
                Ok(shape)
            }
            Some(_) if self.start >= self.end => Err(format!(
                "it takes indices {} up to {} of axis {}, which are none: its output would be empty",
                self.start, self.end, self.axis
            )),
            _ => Err(format!(
                "it takes indices {} up to {} of axis {}, in steps of {}, of a tensor of shape {shape:?}",
                self.start, self.end, self.axis, self.step
            )),
        }
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axis != 0
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let &Self {
            axis,
            start,
            end,
            step,
        } = self;
        let part = b.slice(inputs[0], axis, start..end);
        if step == 1 {
            return Ok(part);
        }
        // Whole groups of `step` first, of which one is kept; then the one of a last, shorter group.
        let mut shape = b.shape(&part);
        let whole = shape[axis] / step * step;
        let rest = shape[axis] - whole;
        let last = (rest > 0).then(|| b.slice(&part, axis, whole..whole + 1));
        if whole == 0 {
            return Ok(last.unwrap_or(part));
        }
        shape[axis] = whole;
        let firsts = every(b, &b.slice(&part, axis, 0..whole), &shape, axis, step);
        Ok(match last {
            Some(last) => b.concat(&[&firsts, &last], axis),
            None => firsts,
        })
    }
}

/// Every `step`-th index of an axis whose size is a multiple of `step`.
fn every<B: Backend>(b: &B, x: &B::Tensor, shape: &[usize], axis: usize, step: usize) -> B::Tensor {
    let mut split = shape.to_vec();
    split[axis] /= step;
    let out = split.clone();
    split.insert(axis + 1, step);
    b.reshape(&b.slice(&b.reshape(x, &split), axis + 1, 0..1), &out)
}
