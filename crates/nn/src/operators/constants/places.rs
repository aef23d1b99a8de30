//! Elements of constants by their places: gathering, scattering, slicing in any step.

use super::{Known, output, room};
use crate::graph::Element;
use crate::operators::Reader;
use crate::shape;
use crate::value::ValueId;
use ndarray::{ArrayD, Axis, Dimension as _, IxDyn};

/// The place that an index of an axis of `size` means: negative ones count from the end.
fn place(index: f64, size: usize) -> Result<usize, String> {
    shape::axis(index as i64, size).map_err(|_| format!("index {index} of an axis of {size}"))
}

/// For each index, the element of its lane that it names.
pub(super) fn gather_elements(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, indices] = [Known::input(reader, 0)?, Known::input(reader, 1)?];
    let axis = axis(reader, &x)?;
    let places = lane_places(x.array.shape(), &indices.array, axis)?;
    room(reader, indices.array.shape())?;
    let gathered = places.iter().map(|at| x.array[IxDyn(at)]).collect();
    let array = ArrayD::from_shape_vec(indices.array.raw_dim(), gathered);
    output(reader, array.unwrap_or_default(), x.element)
}

/// The elements, or whole parts, that lists of indices name.
pub(super) fn gather_nd(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let [x, indices] = [Known::input(reader, 0)?, Known::input(reader, 1)?];
    let shared = reader.int("batch_dims")?.unwrap_or(0);
    let shared = usize::try_from(shared).map_err(|_| format!("batch_dims of {shared}"))?;
    let (from, lists) = (x.array.shape(), indices.array.shape());
    let wrong = || format!("indices of shape {lists:?} into shape {from:?}");
    let (&depth, around) = lists.split_last().ok_or_else(wrong)?;
    if shared > around.len() || shared + depth > from.len() || from[..shared] != around[..shared] {
        return Err(wrong());
    }
    let part = &from[shared + depth..];
    let to = [around, part].concat();
    room(reader, &to)?;
    let mut gathered = Vec::new();
    for (number, list) in indices
        .array
        .lanes(Axis(lists.len() - 1))
        .into_iter()
        .enumerate()
    {
        // Which of the shared axes' parts this list belongs to.
        let inner: usize = around[shared..].iter().product();
        let mut view = x.array.view();
        let mut rest = number / inner.max(1);
        let mut outer = Vec::with_capacity(shared);
        for &size in from[..shared].iter().rev() {
            outer.push(rest % size);
            rest /= size;
        }
        for &at in outer.iter().rev() {
            view = view.index_axis_move(Axis(0), at);
        }
        for &index in &list {
            let size = view.shape()[0];
            view = view.index_axis_move(Axis(0), place(index, size)?);
        }
        gathered.extend(view.iter().copied());
    }
    let array = ArrayD::from_shape_vec(IxDyn(&to), gathered).map_err(|_| wrong())?;
    output(reader, array, x.element)
}

/// The constant with elements of lanes replaced.
pub(super) fn scatter_elements(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, indices, updates) = scattered(reader)?;
    let axis = axis(reader, &x)?;
    if indices.array.shape() != updates.array.shape() {
        return Err("its indices and updates differ in shape".into());
    }
    let places = lane_places(x.array.shape(), &indices.array, axis)?;
    let join = reduction(reader)?;
    let mut array = ArrayD::clone(&x.array);
    for (at, &update) in places.iter().zip(&*updates.array) {
        let old = &mut array[IxDyn(at)];
        *old = join(*old, update);
    }
    output(reader, array, x.element)
}

/// The constant with elements, or whole parts, replaced that lists of indices name.
pub(super) fn scatter_nd(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, indices, updates) = scattered(reader)?;
    let (from, lists) = (x.array.shape(), indices.array.shape());
    let wrong = || format!("indices of shape {lists:?} into shape {from:?}");
    let (&depth, around) = lists.split_last().ok_or_else(wrong)?;
    if depth > from.len() || *updates.array.shape() != [around, &from[depth..]].concat() {
        return Err(wrong());
    }
    let join = reduction(reader)?;
    let mut array = ArrayD::clone(&x.array);
    let mut updates = updates.array.iter();
    for list in indices.array.lanes(Axis(lists.len() - 1)) {
        let mut view = array.view_mut();
        for &index in &list {
            let size = view.shape()[0];
            view = view.index_axis_move(Axis(0), place(index, size)?);
        }
        for old in &mut view {
            *old = join(*old, updates.next().copied().unwrap_or_default());
        }
    }
    output(reader, array, x.element)
}

/// The indices of all elements that are not 0: one row for each axis.
pub(super) fn non_zero(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let found = x.array.indexed_iter().filter(|&(_, &value)| value != 0.0);
    let found: Vec<Vec<usize>> = found.map(|(at, _)| at.slice().to_vec()).collect();
    let rank = x.array.ndim();
    room(reader, &[rank, found.len()])?;
    let rows = (0..rank).flat_map(|axis| found.iter().map(move |at| at[axis] as f64));
    let array = ArrayD::from_shape_vec(IxDyn(&[rank, found.len()]), rows.collect());
    output(reader, array.unwrap_or_default(), Element::Integer)
}

/// Parts of axes, in steps of either sign; none may be left.
pub(super) fn slice(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let mut array = ArrayD::clone(&x.array);
    for part in crate::operators::slice::parts(reader, x.array.shape())? {
        array = array.select(Axis(part.axis), &part.places());
    }
    output(reader, array, x.element)
}

/// The node's axis of `x`, by default the first.
fn axis(reader: &Reader<'_>, x: &Known) -> Result<usize, String> {
    shape::axis(reader.int("axis")?.unwrap_or(0), x.array.ndim())
}

/// The operands of a scattering, of which the first is accounted for.
fn scattered(reader: &mut Reader<'_>) -> Result<(Known, Known, Known), String> {
    let x = Known::input(reader, 0)?;
    let operands = (x, Known::input(reader, 1)?, Known::input(reader, 2)?);
    room(reader, operands.0.array.shape())?;
    Ok(operands)
}

/// How an update joins what is there.
fn reduction(reader: &Reader<'_>) -> Result<fn(f64, f64) -> f64, String> {
    Ok(match reader.text("reduction", "none")? {
        "none" => |_, new| new,
        "add" => |old, new| old + new,
        "mul" => |old, new| old * new,
        "max" => f64::max,
        "min" => f64::min,
        other => return Err(format!("its reduction is `{other}`")),
    })
}

/// The places of a tensor of shape `from` that indices name, each along `axis` of its own lane.
pub(in super::super) fn lane_places(
    from: &[usize],
    indices: &ArrayD<f64>,
    axis: usize,
) -> Result<Vec<Vec<usize>>, String> {
    let inside = |(a, (&own, &size)): (usize, (&usize, &usize))| a == axis || own <= size;
    let fits =
        indices.ndim() == from.len() && indices.shape().iter().zip(from).enumerate().all(inside);
    if !fits {
        return Err(format!(
            "indices of shape {:?} along axis {axis} of shape {from:?}",
            indices.shape()
        ));
    }
    let named = indices.indexed_iter().map(|(at, &index)| {
        let mut at = at.slice().to_vec();
        at[axis] = place(index, from[axis])?;
        Ok(at)
    });
    named.collect()
}
