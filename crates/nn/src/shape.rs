//! Shapes: numpy's broadcasting, element counts.

use crate::defaults::{MAX_ELEMENTS, MAX_RANK};

/// The shape that two shapes broadcast to, as in numpy; `None` if they do not.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| {
        (axis + shape.len())
            .checked_sub(rank)
            .map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The number of elements of a shape that a plan may hold.
///
/// # Errors
/// If an axis is empty, if there are more than [`MAX_RANK`] axes, or more than [`MAX_ELEMENTS`]
/// elements.
pub(crate) fn elements(shape: &[usize]) -> Result<usize, String> {
    if shape.len() > MAX_RANK {
        return Err(format!(
            "a tensor of {} axes; at most {MAX_RANK} are supported",
            shape.len()
        ));
    }
    let mut count = 1_usize;
    for &size in shape {
        if size == 0 {
            return Err(format!("an empty tensor of shape {shape:?}"));
        }
        count = count
            .checked_mul(size)
            .filter(|&count| count <= MAX_ELEMENTS)
            .ok_or_else(|| format!("a tensor of shape {shape:?}, above {MAX_ELEMENTS} elements"))?;
    }
    Ok(count)
}

/// `axis` counted from the front, where negative ones count from the end of `rank` axes.
pub(crate) fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let signed = rank as i64;
    usize::try_from(if axis < 0 {
        axis.saturating_add(signed)
    } else {
        axis
    })
    .ok()
    .filter(|&axis| axis < rank)
    .ok_or_else(|| format!("axis {axis} of a tensor of {rank} axes"))
}
