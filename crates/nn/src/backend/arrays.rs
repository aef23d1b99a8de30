//! Local operations on `ndarray` tensors that the back ends share, whatever the element.

use ndarray::{ArrayD, ArrayRef, ArrayViewD, Axis, CowArray, IxDyn, Slice, concatenate};
use std::ops::Range;

/// `x` under `shape`, row-major.
pub(crate) fn reshape<T: Clone + Default>(x: &ArrayD<T>, shape: &[usize]) -> ArrayD<T> {
    let reshaped = x.to_shape(IxDyn(shape)).map(CowArray::into_owned);
    assert!(reshaped.is_ok(), "reshape of {:?} to {shape:?}", x.shape());
    reshaped.unwrap_or_default()
}

/// Axis `i` of the result is axis `axes[i]` of `x`; in standard layout.
pub(crate) fn permute<T: Clone>(x: &ArrayRef<T, IxDyn>, axes: &[usize]) -> ArrayD<T> {
    x.view()
        .permuted_axes(IxDyn(axes))
        .as_standard_layout()
        .into_owned()
}

/// The part of `x` with `range` on `axis`, in standard layout.
pub(crate) fn slice<T: Clone>(
    x: &ArrayRef<T, IxDyn>,
    axis: usize,
    range: Range<usize>,
) -> ArrayD<T> {
    x.slice_axis(Axis(axis), Slice::from(range))
        .as_standard_layout()
        .into_owned()
}

/// The tensors one behind the other along `axis`, in standard layout.
pub(crate) fn concat<T: Clone + Default>(parts: &[ArrayViewD<'_, T>], axis: usize) -> ArrayD<T> {
    let joined = concatenate(Axis(axis), parts);
    assert!(
        joined.is_ok(),
        "concatenation along axis {axis}: shapes differ"
    );
    let joined = joined.unwrap_or_default();
    if joined.is_standard_layout() {
        return joined;
    }
    joined.as_standard_layout().into_owned()
}

/// `x` repeated to `shape`.
pub(crate) fn broadcast<T: Clone + Default>(x: &ArrayRef<T, IxDyn>, shape: &[usize]) -> ArrayD<T> {
    let view = x
        .broadcast(IxDyn(shape))
        .map(|view| view.as_standard_layout().into_owned());
    assert!(view.is_some(), "broadcast of {:?} to {shape:?}", x.shape());
    view.unwrap_or_default()
}

/// The elements of `parts`, one behind the other, at `places`.
pub(crate) fn arranged<T: Copy>(parts: &[&ArrayD<T>], places: &ArrayD<usize>) -> ArrayD<T> {
    let all: Vec<T> = parts.iter().flat_map(|part| part.iter().copied()).collect();
    places.mapv(|place| all[place])
}

/// 1 at the largest element along `axis`, the first among equal ones.
pub(crate) fn one_hot<T: Copy + PartialOrd, O: Clone>(
    x: &ArrayD<T>,
    axis: usize,
    zero: O,
    one: O,
) -> ArrayD<O> {
    let mut out = ArrayD::from_elem(x.raw_dim(), zero);
    for (lane, mut hot) in x
        .lanes(Axis(axis))
        .into_iter()
        .zip(out.lanes_mut(Axis(axis)))
    {
        let mut best = 0;
        for index in 1..lane.len() {
            if lane[index] > lane[best] {
                best = index;
            }
        }
        if !lane.is_empty() {
            hot[best] = one.clone();
        }
    }
    out
}
