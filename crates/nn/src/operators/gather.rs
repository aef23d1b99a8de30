//! Parts of a tensor: `Gather` with constant indices, `Split`.

use super::{Reader, Reshape, Slice};
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::network::ValueId;
use crate::shape;
use serde::{Deserialize, Serialize};

/// Places of one axis, in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gather {
    /// The axis.
    pub axis: usize,
    /// The places.
    pub indices: Vec<usize>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, at) = (reader.input(0)?, reader.input(1)?);
    let from = reader.shape(x);
    let axis = shape::axis(reader.int("axis")?.unwrap_or(0), from.len())?;
    let constant = reader.constant(at).filter(|_| reader.is_integer(at));
    let constant =
        constant.ok_or("its indices depend on the model's inputs; it must be constant")?;
    let indices = constant
        .iter()
        .map(|&index| shape::axis(index as i64, from[axis]))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| format!("an index is outside axis {axis} of shape {from:?}"))?;
    let gathered = reader.layer(Gather { axis, indices }, &[x])?;
    // The indices' own shape takes the place of the axis.
    let shape = [&from[..axis], constant.shape(), &from[axis + 1..]].concat();
    if constant.ndim() == 1 {
        return Ok(vec![gathered]);
    }
    Ok(vec![reader.layer(Reshape { shape }, &[gathered])?])
}

pub(super) fn split(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let axis = shape::axis(reader.int("axis")?.unwrap_or(0), shape.len())?;
    let size = shape[axis];
    // An attribute up to operator set 12, an input since; else equal parts.
    let sizes = match (reader.ints("split")?, reader.optional(1)) {
        (Some(sizes), _) => Some(sizes.to_vec()),
        (None, Some(_)) => Some(reader.integers(1)?),
        (None, None) => None,
    };
    let outputs = reader.node.outputs.len();
    let sizes: Vec<usize> = if let Some(sizes) = sizes {
        sizes
            .iter()
            .map(|&size| usize::try_from(size).map_err(|_| format!("parts of {sizes:?}")))
            .collect::<Result<_, _>>()?
    } else {
        let each = size.div_ceil(outputs.max(1));
        let start = |index: usize| index.saturating_mul(each).min(size);
        (0..outputs).map(|i| start(i + 1) - start(i)).collect()
    };
    let total = sizes
        .iter()
        .try_fold(0_usize, |total, &size| total.checked_add(size));
    if total != Some(size) || sizes.len() != outputs {
        return Err(format!(
            "parts of {sizes:?} of axis {axis} of shape {shape:?} as {outputs} outputs"
        ));
    }
    let mut parts = Vec::with_capacity(outputs);
    let mut start = 0;
    for size in sizes {
        let slice = Slice {
            axis,
            start,
            end: start + size,
            step: 1,
        };
        parts.push(reader.layer(slice, &[x])?);
        start += size;
    }
    Ok(parts)
}

impl Compute for Gather {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let mut shape = one(shapes)?.to_vec();
        match shape.get_mut(self.axis) {
            Some(size) if self.indices.iter().all(|index| index < size) => {
                *size = self.indices.len();
                Ok(shape)
            }
            _ => Err(format!(
                "places of axis {} of a tensor of shape {shape:?}",
                self.axis
            )),
        }
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        self.axis != 0
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        // Runs of neighbours at once.
        let runs = self.indices.chunk_by(|&index, &next| next == index + 1);
        let parts: Vec<B::Tensor> = runs
            .map(|run| b.slice(inputs[0], self.axis, run[0]..run[0] + run.len()))
            .collect();
        Ok(b.concat(&parts.iter().collect::<Vec<_>>(), self.axis))
    }
}
