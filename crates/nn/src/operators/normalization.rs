//! Normalisations by statistics of the input itself: `LayerNormalization`, `InstanceNormalization`.

use super::{Add, Mul, Offset, Reader, ReduceSum, Reshape, Rsqrt, Scale, Sub};
use crate::shape;
use crate::value::ValueId;

/// Normalised over the axes from one on, then scaled and shifted by tensors of these axes.
pub(super) fn layer(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let first = shape::axis(reader.int("axis")?.unwrap_or(-1), shape.len())?;
    let normal = normalised(reader, x, first)?;
    let scale = reader.input(1)?;
    let mut out = reader.layer(Mul {}, &[normal, scale])?;
    if let Some(bias) = reader.optional(2) {
        out = reader.layer(Add {}, &[out, bias])?;
    }
    if reader.shape(out) != shape {
        return Err(format!(
            "its scale or bias widens its input of shape {shape:?}"
        ));
    }
    Ok(vec![out])
}

/// Each channel of each picture normalised, then scaled and shifted by one number for each channel.
pub(super) fn instance(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let &[_, channels, _, ..] = shape.as_slice() else {
        return Err(format!("its input has shape {shape:?}, without pictures"));
    };
    let normal = normalised(reader, x, 2)?;
    let mut axes = vec![1; shape.len() - 1];
    axes[0] = channels;
    let mut channelwise = |index: usize| {
        let id = reader.input(index)?;
        if reader.shape(id) != [channels] {
            let actual = reader.shape(id);
            return Err(format!(
                "its input {index} has shape {actual:?} for {channels} channels"
            ));
        }
        reader.layer(
            Reshape {
                shape: axes.clone(),
            },
            &[id],
        )
    };
    let (scale, bias) = (channelwise(1)?, channelwise(2)?);
    let scaled = reader.layer(Mul {}, &[normal, scale])?;
    Ok(vec![reader.layer(Add {}, &[scaled, bias])?])
}

/// `(x - mean) / sqrt(variance + epsilon)`, both over the axes from `first` on.
fn normalised(reader: &mut Reader<'_>, x: ValueId, first: usize) -> Result<ValueId, String> {
    let epsilon = reader.float("epsilon", 1e-5)?;
    let mut one = reader.shape(x);
    let count: usize = one[first..].iter().product();
    let axes: Vec<usize> = (first..one.len()).collect();
    one[first..].fill(1);
    let mean = |reader: &mut Reader<'_>, x: ValueId| {
        let total = reader.layer(ReduceSum { axes: axes.clone() }, &[x])?;
        let factor = (count as f64).recip();
        let mean = reader.layer(Scale { factor }, &[total])?;
        reader.layer(Reshape { shape: one.clone() }, &[mean])
    };
    let middle = mean(reader, x)?;
    let distance = reader.layer(Sub {}, &[x, middle])?;
    let square = reader.layer(Mul {}, &[distance, distance])?;
    let variance = mean(reader, square)?;
    let variance = reader.layer(Offset { by: epsilon }, &[variance])?;
    let factor = reader.layer(Rsqrt {}, &[variance])?;
    reader.layer(Mul {}, &[distance, factor])
}
