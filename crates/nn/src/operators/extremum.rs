//! `Max` and `Min` of tensors, `Sum` and `Mean`.

use super::{Add, Reader, Relu, Scale, Sub};
use crate::value::ValueId;

pub(super) fn max(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    // max(x, y) = y + max(x - y, 0)
    fold(reader, |reader, x, y| {
        let excess = reader.layer(Sub {}, &[x, y])?;
        let excess = reader.layer(Relu {}, &[excess])?;
        reader.layer(Add {}, &[y, excess])
    })
}

pub(super) fn min(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    // min(x, y) = x - max(x - y, 0)
    fold(reader, |reader, x, y| {
        let excess = reader.layer(Sub {}, &[x, y])?;
        let excess = reader.layer(Relu {}, &[excess])?;
        reader.layer(Sub {}, &[x, excess])
    })
}

pub(super) fn sum(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    fold(reader, |reader, x, y| reader.layer(Add {}, &[x, y]))
}

pub(super) fn mean(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let factor = (reader.inputs()?.len() as f64).recip();
    let total = sum(reader)?;
    Ok(vec![reader.layer(Scale { factor }, &total)?])
}

/// Join all inputs, in pairs of pairs: as few steps behind each other as there can be.
fn fold(
    reader: &mut Reader<'_>,
    join: impl Fn(&mut Reader<'_>, ValueId, ValueId) -> Result<ValueId, String>,
) -> Result<Vec<ValueId>, String> {
    let mut values = reader.inputs()?;
    if values.is_empty() {
        return Err("it has no inputs".into());
    }
    while values.len() > 1 {
        let mut joined = Vec::with_capacity(values.len().div_ceil(2));
        for pair in values.chunks(2) {
            joined.push(match *pair {
                [x, y] => join(reader, x, y)?,
                _ => pair[0],
            });
        }
        values = joined;
    }
    Ok(values)
}
