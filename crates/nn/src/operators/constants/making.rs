//! Constants made of sizes and numbers, and sums and products of them.

use super::{Known, of_bool, output, room};
use crate::graph::Element;
use crate::operators::Reader;
use crate::shape;
use crate::value::ValueId;
use ndarray::{ArrayD, Axis, Dimension as _, IxDyn, concatenate};

/// Numbers from `start` in steps of `delta`, before `limit`.
pub(super) fn range(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let start = Known::input(reader, 0)?;
    let (element, start) = (start.element, start.scalar()?);
    let limit = Known::input(reader, 1)?.scalar()?;
    let delta = Known::input(reader, 2)?.scalar()?;
    let count = ((limit - start) / delta).ceil();
    if !count.is_finite() {
        return Err(format!(
            "numbers from {start} to {limit} in steps of {delta}"
        ));
    }
    let count = room(reader, &[count.max(0.0) as usize])?;
    let numbers = (0..count).map(|index| start + index as f64 * delta);
    let array = ArrayD::from_shape_vec(IxDyn(&[count]), numbers.collect());
    output(reader, array.unwrap_or_default(), element)
}

/// 1 on a diagonal of a matrix like the input, else 0.
pub(super) fn eye_like(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let &[rows, columns] = x.array.shape() else {
        return Err(format!(
            "its input has shape {:?}, which is no matrix",
            x.array.shape()
        ));
    };
    let offset = reader.int("k")?.unwrap_or(0);
    let element = match reader.int("dtype")? {
        None => x.element,
        Some(1 | 10 | 11 | 16) => Element::Float,
        Some(9) => Element::Boolean,
        Some(_) => Element::Integer,
    };
    let one = |at: IxDyn| of_bool(at[1] as i64 - at[0] as i64 == offset);
    output(
        reader,
        ArrayD::from_shape_fn(IxDyn(&[rows, columns]), one),
        element,
    )
}

/// The upper or the lower triangle of matrices, 0 elsewhere.
pub(super) fn triangle(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let upper = reader.int("upper")?.unwrap_or(1) != 0;
    let offset = match reader.optional(1) {
        Some(_) => Known::input(reader, 1)?.scalar()? as i64,
        None => 0,
    };
    let rank = x.array.ndim();
    if rank < 2 {
        return Err(format!(
            "its input has shape {:?}, without matrices",
            x.array.shape()
        ));
    }
    let mut array = ArrayD::clone(&x.array);
    for (at, value) in array.indexed_iter_mut() {
        let right = at[rank - 1] as i64 - at[rank - 2] as i64;
        if (upper && right < offset) || (!upper && right > offset) {
            *value = 0.0;
        }
    }
    output(reader, array, x.element)
}

/// Sums of all elements up to each, along an axis.
pub(super) fn cum_sum(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let axis = Known::input(reader, 1)?.scalar()?;
    let axis = Axis(shape::axis(axis as i64, x.array.ndim())?);
    let exclusive = reader.int("exclusive")?.unwrap_or(0) != 0;
    let reverse = reader.int("reverse")?.unwrap_or(0) != 0;
    let mut array = ArrayD::clone(&x.array);
    if reverse {
        array.invert_axis(axis);
    }
    for mut lane in array.lanes_mut(axis) {
        let mut sum = 0.0;
        for value in &mut lane {
            let own = *value;
            *value = if exclusive { sum } else { sum + own };
            sum += own;
        }
    }
    if reverse {
        array.invert_axis(axis);
    }
    output(reader, array, x.element)
}

/// Products over axes.
pub(super) fn product(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let rank = x.array.ndim();
    let axes = match (reader.ints("axes")?, reader.optional(1)) {
        (Some(axes), _) => axes.to_vec(),
        (None, Some(_)) => reader.integers(1)?,
        (None, None) => Vec::new(),
    };
    let axes = axes.iter().map(|&axis| shape::axis(axis, rank));
    let mut axes = axes.collect::<Result<Vec<_>, _>>()?;
    if axes.is_empty() && reader.int("noop_with_empty_axes")?.unwrap_or(0) == 0 {
        axes = (0..rank).collect();
    }
    axes.sort_unstable();
    axes.dedup();
    let keep = reader.int("keepdims")?.unwrap_or(1) != 0;
    let mut array = ArrayD::clone(&x.array);
    for &axis in axes.iter().rev() {
        array = array.product_axis(Axis(axis));
        if keep {
            array.insert_axis_inplace(Axis(axis));
        }
    }
    output(reader, array, x.element)
}

/// The number of elements.
pub(super) fn size(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let count = Known::input(reader, 0)?.array.len() as f64;
    output(
        reader,
        ArrayD::from_elem(IxDyn(&[]), count),
        Element::Integer,
    )
}

/// Constants one behind the other; lists of sizes may be empty.
pub(super) fn concat(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let count = reader.node.inputs.len();
    let parts = (0..count).map(|index| Known::input(reader, index));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let first = parts.first().ok_or("it has no inputs")?;
    let axis = reader.int("axis")?.ok_or("it has no axis")?;
    let axis = shape::axis(axis, first.array.ndim())?;
    let element = if parts.iter().all(|part| part.element == first.element) {
        first.element
    } else {
        Element::Float
    };
    reader.spend(parts.iter().map(|part| part.array.len()).sum())?;
    let views: Vec<_> = parts.iter().map(|part| part.array.view()).collect();
    let wrong = || {
        let shapes: Vec<_> = parts.iter().map(|part| part.array.shape()).collect();
        format!("shapes {shapes:?} do not join along axis {axis}")
    };
    // Arrays of other ranks would panic.
    if views.iter().any(|view| view.ndim() != views[0].ndim()) {
        return Err(wrong());
    }
    let joined = concatenate(Axis(axis), &views).map_err(|_| wrong())?;
    output(reader, joined.as_standard_layout().into_owned(), element)
}

/// A vector of `depth` elements for each index: one of two values at the index, the other elsewhere.
pub(super) fn one_hot(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let indices = Known::input(reader, 0)?;
    let depth = Known::input(reader, 1)?.scalar()?;
    let values = Known::input(reader, 2)?;
    let &[off, on] = values.array.as_slice().unwrap_or_default() else {
        return Err("its values are not two numbers".into());
    };
    let rank = indices.array.ndim();
    let axis = shape::axis(reader.int("axis")?.unwrap_or(-1), rank + 1)?;
    let mut to = indices.array.shape().to_vec();
    to.insert(axis, depth.max(0.0) as usize);
    room(reader, &to)?;
    let array = ArrayD::from_shape_fn(IxDyn(&to), |at: IxDyn| {
        let mut from = at.slice().to_vec();
        let place = from.remove(axis) as f64;
        let index = indices.array[IxDyn(&from)];
        let index = if index < 0.0 { index + depth } else { index };
        if index.trunc().total_cmp(&place).is_eq() {
            on
        } else {
            off
        }
    });
    output(reader, array, values.element)
}
