//! `QuantizeLinear` of constants, and `DequantizeLinear`.

use super::{Known, output, room};
use crate::graph::Element;
use crate::operators::{Mul, Reader, Reshape, Sub};
use crate::shape;
use crate::value::ValueId;
use ndarray::{ArrayD, Dimension as _, IxDyn};

/// Integers as numbers: `(x - zero point) * scale`, with one scale for all, for each index of an axis, or for each
/// block of one. The integers may depend on the model's inputs, scales and zero points may not.
pub(in super::super) fn dequantize(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let scale = spread(reader, 1, &shape)?;
    let zero = match reader.optional(2) {
        Some(_) => Some(spread(reader, 2, &shape)?),
        None => None,
    };
    let mut out = reader.retyped(x, Element::Float)?;
    if let Some(zero) = zero {
        let zero = reader.add_computed(zero, Element::Float)?;
        out = reader.layer(Sub {}, &[out, zero])?;
    }
    let scale = reader.add_computed(scale, Element::Float)?;
    let out = reader.layer(Mul {}, &[out, scale])?;
    if reader.shape(out) != shape {
        return Ok(vec![reader.layer(Reshape { shape }, &[out])?]);
    }
    Ok(vec![out])
}

/// Numbers as integers: `round(x / scale) + zero point`, within the range of the zero point's element type.
pub(super) fn quantize(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = Known::input(reader, 0)?;
    let shape = x.array.shape().to_vec();
    room(reader, &shape)?;
    let scale = spread(reader, 1, &shape)?;
    let zero = match reader.optional(2) {
        Some(_) => spread(reader, 2, &shape)?,
        None => ArrayD::zeros(IxDyn(&[])),
    };
    let mut array = (&*x.array / &scale).mapv(f64::round_ties_even) + zero;
    let [low, high] = match reader.int("output_dtype")?.unwrap_or(0) {
        2 => [0.0, 255.0],
        3 => [-128.0, 127.0],
        5 => [-32_768.0, 32_767.0],
        4 => [0.0, 65_535.0],
        _ if reader.optional(2).is_none() => [0.0, 255.0],
        // The width of integers is not kept, so that what would be cut off is not known.
        _ if array.iter().all(|v| (0.0..=127.0).contains(v)) => [0.0, 127.0],
        _ => {
            return Err(
                "it may have to cut off integers; state its output_dtype, or store them".into(),
            );
        }
    };
    array.mapv_inplace(|v| v.clamp(low, high));
    output(reader, array, Element::Integer)
}

/// The scales or zero points of input `index` in a shape that broadcasts to `shape`.
fn spread(reader: &Reader<'_>, index: usize, shape: &[usize]) -> Result<ArrayD<f64>, String> {
    let known = Known::input(reader, index)?.array;
    let given = known.shape();
    if known.len() == 1 {
        return Ok(ArrayD::from_elem(IxDyn(&[]), known.iter().copied().sum()));
    }
    let axis = shape::axis(reader.int("axis")?.unwrap_or(1), shape.len())?;
    let block = usize::try_from(reader.int("block_size")?.unwrap_or(0)).unwrap_or(0);
    if block == 0 && *given == [shape[axis]] {
        let mut wide = vec![1; shape.len()];
        wide[axis] = shape[axis];
        let spread = known
            .to_shape(IxDyn(&wide))
            .map(ndarray::ArrayBase::into_owned);
        return spread.map_err(|error| error.to_string());
    }
    let mut blocks = shape.to_vec();
    blocks[axis] = shape[axis].div_ceil(block.max(1));
    if block > 0 && *given == blocks {
        shape::elements(shape)?;
        return Ok(ArrayD::from_shape_fn(IxDyn(shape), |at: IxDyn| {
            let mut at = at.slice().to_vec();
            at[axis] /= block;
            known[IxDyn(&at)]
        }));
    }
    Err(format!(
        "its input {index} has shape {given:?} for values of shape {shape:?} along axis {axis}"
    ))
}
