//! Parts of a tensor: `Gather` and `GatherElements`, with known or secret indices, and `Split`.

use super::{
    Add, Equal, Less, MatMul, Mul, Numbers, Reader, ReduceSum, Reshape, Scale, Slice, Transpose,
    constants,
};
use crate::backend::Backend;
use crate::graph::Element;
use crate::layer::{Compute, Operand, one};
use crate::shape;
use crate::value::ValueId;
use ndarray::{ArrayD, IxDyn};
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
    let Some(constant) = reader.constant(at) else {
        return Ok(vec![at_secret(reader, x, at, axis)?]);
    };
    if !reader.is_integer(at) {
        return Err("its indices are no integers".into());
    }
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

/// Parts of an axis at secret places: a product with vectors that are 1 at the place, so that all of the axis is read for
/// each. A place outside the axis, of which ONNX says nothing, gives 0.
fn at_secret(
    reader: &mut Reader<'_>,
    x: ValueId,
    at: ValueId,
    axis: usize,
) -> Result<ValueId, String> {
    let (from, places) = (reader.shape(x), reader.shape(at));
    let size = from[axis];
    let hot = one_hot(reader, at, size)?;
    let count = places.iter().product();
    let hot = retyped_like(reader, hot, x)?;
    let hot = reader.layer(
        Reshape {
            shape: vec![count, size],
        },
        &[hot],
    )?;
    // The axis first, all others behind it as one.
    let mut order: Vec<usize> = (0..from.len()).filter(|&a| a != axis).collect();
    let others: Vec<usize> = order.iter().map(|&a| from[a]).collect();
    order.insert(0, axis);
    let rows = reader.layer(Transpose { axes: order }, &[x])?;
    let wide = others.iter().product();
    let rows = reader.layer(
        Reshape {
            shape: vec![size, wide],
        },
        &[rows],
    )?;
    let found = reader.layer(MatMul {}, &[hot, rows])?;
    // Back: the indices' axes to where the axis was.
    let shape = [&places[..], &others].concat();
    let found = reader.layer(Reshape { shape }, &[found])?;
    let before = places.len()..places.len() + axis;
    let behind = places.len() + axis..places.len() + others.len();
    let axes = before.chain(0..places.len()).chain(behind).collect();
    reader.layer(Transpose { axes }, &[found])
}

/// `GatherElements`: of each lane along an axis the elements that indices name.
pub(super) fn elements(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, at) = (reader.input(0)?, reader.input(1)?);
    let (from, places) = (reader.shape(x), reader.shape(at));
    let axis = shape::axis(reader.int("axis")?.unwrap_or(0), from.len())?;
    if let Some(indices) = reader.constant(at) {
        // Known places: elements of all of x in another order.
        let places = constants::lane_places(&from, &indices, axis)?;
        let flat = |at: &Vec<usize>| {
            at.iter()
                .zip(&from)
                .fold(0, |flat, (at, size)| flat * size + at)
        };
        let places = places.iter().map(flat).collect();
        let all = reader.layer(
            Reshape {
                shape: vec![from.iter().product()],
            },
            &[x],
        )?;
        let gathered = reader.layer(
            Gather {
                axis: 0,
                indices: places,
            },
            &[all],
        )?;
        let shape = indices.shape().to_vec();
        return Ok(vec![reader.layer(Reshape { shape }, &[gathered])?]);
    }
    let lanes_fit =
        places.len() == from.len() && (0..from.len()).all(|a| a == axis || places[a] == from[a]);
    if !lanes_fit {
        return Err(format!(
            "secret indices of shape {places:?} along axis {axis} of shape {from:?}; all other axes must be the same"
        ));
    }
    // Each lane last, and for each index a vector that is 1 at its place.
    let last =
        |rank: usize| -> Vec<usize> { (0..rank).filter(|&a| a != axis).chain([axis]).collect() };
    let turned = reader.layer(
        Transpose {
            axes: last(from.len()),
        },
        &[x],
    )?;
    let at = reader.layer(
        Transpose {
            axes: last(from.len()),
        },
        &[at],
    )?;
    let named = reader.shape(at);
    let hot = one_hot(reader, at, from[axis])?;
    let hot = retyped_like(reader, hot, x)?;
    let mut shape = named.clone();
    if let Some(last) = shape.last_mut() {
        *last = 1;
    }
    shape.push(from[axis]);
    let lanes = reader.layer(Reshape { shape }, &[turned])?;
    let chosen = reader.layer(Mul {}, &[hot, lanes])?;
    let found = reader.layer(
        ReduceSum {
            axes: vec![named.len()],
        },
        &[chosen],
    )?;
    let mut back = last(from.len());
    for (place, &axis) in last(from.len()).iter().enumerate() {
        back[axis] = place;
    }
    Ok(vec![reader.layer(Transpose { axes: back }, &[found])?])
}

/// For each secret index, which may count from the end, a vector of `size` that is 1 at its place: numbers.
fn one_hot(reader: &mut Reader<'_>, at: ValueId, size: usize) -> Result<ValueId, String> {
    if !reader.is_integer(at) {
        return Err("its indices are no integers".into());
    }
    let shape = reader.shape(at);
    let zero = reader.add_constant(ArrayD::zeros(IxDyn(&[])), Element::Integer);
    let negative = reader.layer(Less { integers: true }, &[at, zero])?;
    let negative = reader.layer(Numbers {}, &[negative])?;
    let factor = size as f64;
    let turn = reader.layer(Scale { factor }, &[negative])?;
    let at = reader.layer(Add {}, &[at, turn])?;
    let at = reader.layer(
        Reshape {
            shape: [&shape[..], &[1]].concat(),
        },
        &[at],
    )?;
    let places = ArrayD::from_shape_fn(IxDyn(&[size]), |at| at[0] as f64);
    let places = reader.add_computed(places, Element::Integer)?;
    let hot = reader.layer(Equal {}, &[at, places])?;
    reader.layer(Numbers {}, &[hot])
}

/// Whole numbers as what `like` holds.
fn retyped_like(reader: &mut Reader<'_>, x: ValueId, like: ValueId) -> Result<ValueId, String> {
    let element = reader.element(like);
    if element == Element::Boolean {
        return Err("truth values are not read at secret places; cast them".into());
    }
    reader.retyped(x, element)
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
    const MOVES: bool = true;

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
