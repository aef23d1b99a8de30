//! Smooth activations made of exponentials, logarithms and rectifiers: Celu, Mish, Selu, Softplus, Softsign.

use super::{Add, Elu, Exp, Log, Mul, Offset, Reader, Reciprocal, Relu, Scale, Sub, Tanh};
use crate::value::ValueId;

/// `ln(1 + e^x)`.
pub(super) fn softplus(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![soft_relu(reader, x)?])
}

/// `x * tanh(ln(1 + e^x))`.
pub(super) fn mish(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let soft = soft_relu(reader, x)?;
    let gate = reader.layer(Tanh {}, &[soft])?;
    Ok(vec![reader.layer(Mul {}, &[x, gate])?])
}

/// `gamma * x` where positive, else `gamma * alpha * (e^x - 1)`.
pub(super) fn selu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let alpha = reader.float("alpha", 1.673_263_192_176_818_8)?;
    let factor = reader.float("gamma", 1.050_700_902_938_842_8)?;
    let x = reader.input(0)?;
    let curve = reader.layer(Elu { alpha }, &[x])?;
    Ok(vec![reader.layer(Scale { factor }, &[curve])?])
}

/// `x` where positive, else `alpha * (e^(x / alpha) - 1)`.
pub(super) fn celu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let alpha = reader.float("alpha", 1.0)?;
    if alpha <= 0.0 {
        return Err(format!("its alpha is {alpha}; it must be positive"));
    }
    let mut x = reader.input(0)?;
    // As Elu of x / alpha, times alpha.
    let around = alpha.to_bits() != 1_f64.to_bits();
    if around {
        let factor = alpha.recip();
        x = reader.layer(Scale { factor }, &[x])?;
    }
    let mut out = reader.layer(Elu { alpha: 1.0 }, &[x])?;
    if around {
        out = reader.layer(Scale { factor: alpha }, &[out])?;
    }
    Ok(vec![out])
}

/// `x / (1 + |x|)`.
pub(super) fn softsign(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let [_, magnitude] = magnitude(reader, x)?;
    let divisor = reader.layer(Offset { by: 1.0 }, &[magnitude])?;
    let inverse = reader.layer(Reciprocal {}, &[divisor])?;
    Ok(vec![reader.layer(Mul {}, &[x, inverse])?])
}

/// `ln(1 + e^x)` as `max(x, 0) + ln(1 + e^-|x|)`: no exponential exceeds 1.
fn soft_relu(reader: &mut Reader<'_>, x: ValueId) -> Result<ValueId, String> {
    let [positive, magnitude] = magnitude(reader, x)?;
    let fall = reader.layer(Scale { factor: -1.0 }, &[magnitude])?;
    let power = reader.layer(Exp {}, &[fall])?;
    let above = reader.layer(Offset { by: 1.0 }, &[power])?;
    let curve = reader.layer(Log {}, &[above])?;
    reader.layer(Add {}, &[positive, curve])
}

/// `max(x, 0)` and `|x|`.
fn magnitude(reader: &mut Reader<'_>, x: ValueId) -> Result<[ValueId; 2], String> {
    let positive = reader.layer(Relu {}, &[x])?;
    let negative = reader.layer(Sub {}, &[x, positive])?;
    Ok([positive, reader.layer(Sub {}, &[positive, negative])?])
}
