//! `Pad` with a constant, or with elements of the tensor itself.

use super::{Gather, Reader, Slice};
use crate::backend::Backend;
use crate::defaults::MAX_SIZE;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

/// Room around a tensor, filled with a number that is part of the architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pad {
    /// Room before each axis.
    pub before: Vec<usize>,
    /// Room behind each axis.
    pub after: Vec<usize>,
    /// What fills it.
    pub value: f64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let mut x = reader.input(0)?;
    let rank = reader.shape(x).len();
    let mode = reader.text("mode", "constant")?;
    // Attributes up to operator set 10, inputs since.
    let (pads, value) = match reader.ints("pads")? {
        Some(pads) => (pads.to_vec(), reader.float("value", 0.0)?),
        None => (reader.integers(1)?, fill(reader)?),
    };
    let axes = match reader.optional(3) {
        Some(_) => reader.integers(3)?,
        None => (0..rank as i64).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    let (first, last) = pads.split_at(axes.len());
    for ((&axis, &first), &last) in axes.iter().zip(first).zip(last) {
        let axis = shape::axis(axis, rank)?;
        if first.unsigned_abs().max(last.unsigned_abs()) > MAX_SIZE as u64 {
            return Err(format!("pads of {pads:?} are not supported"));
        }
        (before[axis], after[axis]) = (first, last);
    }
    if mode != "constant" {
        for axis in 0..rank {
            x = mirrored(reader, x, axis, [before[axis], after[axis]], mode)?;
        }
        return Ok(vec![x]);
    }
    // Negative room cuts off.
    for axis in 0..rank {
        let size = reader.shape(x)[axis] as i64;
        let (start, end) = (-before[axis].min(0), size + after[axis].min(0));
        if (start, end) != (0, size) {
            let wrong = |_| format!("pads of {pads:?} leave nothing of axis {axis}");
            let (start, end) = (start as usize, usize::try_from(end).map_err(wrong)?);
            x = reader.layer(
                Slice {
                    axis,
                    start,
                    end,
                    step: 1,
                },
                &[x],
            )?;
        }
    }
    let room = |sizes: Vec<i64>| sizes.into_iter().map(|size| size.max(0) as usize).collect();
    let (before, after): (Vec<usize>, Vec<usize>) = (room(before), room(after));
    if before.iter().chain(&after).all(|&size| size == 0) {
        return Ok(vec![x]);
    }
    Ok(vec![reader.layer(
        Pad {
            before,
            after,
            value,
        },
        &[x],
    )?])
}

/// An axis with room that is filled with elements of the axis itself: mirrored at its ends, its ends repeated, or all of
/// it repeated.
fn mirrored(
    reader: &mut Reader<'_>,
    x: ValueId,
    axis: usize,
    [before, after]: [i64; 2],
    mode: &str,
) -> Result<ValueId, String> {
    if (before, after) == (0, 0) {
        return Ok(x);
    }
    let size = reader.shape(x)[axis] as i64;
    if mode == "reflect" && before.max(after) >= size {
        return Err(format!(
            "it reflects {} elements of an axis of {size}",
            before.max(after)
        ));
    }
    let place = |at: i64| match mode {
        // 0 1 2 1 0 1 2 …
        "reflect" => {
            let around = at.rem_euclid((2 * size - 2).max(1));
            Ok(around.min(2 * size - 2 - around))
        }
        "edge" => Ok(at.clamp(0, size - 1)),
        "wrap" => Ok(at.rem_euclid(size)),
        _ => Err(format!(
            "its mode is `{mode}`; `constant`, `reflect`, `edge` and `wrap` are supported"
        )),
    };
    let indices = (-before..size + after).map(|at| place(at).map(|at| at as usize));
    let indices = indices.collect::<Result<Vec<_>, _>>()?;
    if indices.is_empty() {
        return Err(format!("its pads leave nothing of axis {axis}"));
    }
    reader.layer(Gather { axis, indices }, &[x])
}

/// The number that fills the room: input 2, read as part of the architecture.
fn fill(reader: &Reader<'_>) -> Result<f64, String> {
    let Some(id) = reader.optional(2) else {
        return Ok(0.0);
    };
    match reader.constant(id) {
        Some(array) if array.len() == 1 => Ok(array.iter().copied().sum()),
        _ => Err("its constant_value is not one number; it must be constant".into()),
    }
}

impl Compute for Pad {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let shape = one(shapes)?;
        let rooms = self.before.iter().chain(&self.after);
        let fits = [self.before.len(), self.after.len()] == [shape.len(); 2];
        if !fits || !self.value.is_finite() || rooms.into_iter().any(|&room| room > MAX_SIZE) {
            return Err(format!(
                "room of {:?} before and {:?} behind the axes of a tensor of shape {shape:?}, filled with {}; room of up to \
                 {MAX_SIZE} for each axis and finite numbers are supported",
                self.before, self.after, self.value
            ));
        }
        let rooms = self.before.iter().zip(&self.after);
        Ok(shape
            .iter()
            .zip(rooms)
            .map(|(size, (before, after))| before + size + after)
            .collect())
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        [self.before.first(), self.after.first()] == [Some(&0); 2]
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let mut out = inputs[0].clone();
        for (axis, (&before, &after)) in self.before.iter().zip(&self.after).enumerate() {
            let room = |size: usize| {
                let mut shape = b.shape(&out);
                shape[axis] = size;
                b.public(&ArrayD::from_elem(IxDyn(&shape), self.value))
            };
            out = match (before, after) {
                (0, 0) => continue,
                (0, after) => b.concat(&[&out, &room(after)], axis),
                (before, 0) => b.concat(&[&room(before), &out], axis),
                (before, after) => b.concat(&[&room(before), &out, &room(after)], axis),
            };
        }
        Ok(out)
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole && self.value.fract() == 0.0
    }
}
