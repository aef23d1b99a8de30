//! Roots, reciprocals, powers, and what is made of them.

use super::{AveragePool, Erf, Mul, Offset, Reader, Reshape, Scale, Tanh};
use crate::backend::Backend;
use crate::defaults::MAX_SIZE;
use crate::layer::{Compute, Operand, one};
use crate::value::ValueId;
use crate::window::Pool2d;
use serde::{Deserialize, Serialize};

/// `1 / x`, for `x` of either sign but not 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reciprocal {}
/// The square root of `x >= 0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sqrt {}
/// `1 / sqrt(x)` of `x > 0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rsqrt {}

pub(super) fn reciprocal(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Reciprocal {}, &[x])?])
}

pub(super) fn sqrt(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    Ok(vec![reader.layer(Sqrt {}, &[x])?])
}

/// The largest exponent that is computed by products.
const LARGEST_POWER: f64 = 16.0;

/// `Pow` by one constant number, which is read as part of the architecture.
pub(super) fn pow(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, exponent) = (reader.input(0)?, reader.input(1)?);
    let values = reader.constant(exponent).ok_or_else(|| {
        "its exponent depends on the model's inputs; it must be constant".to_owned()
    })?;
    let first = values.iter().copied().next().unwrap_or(0.0);
    let same = values.iter().all(|value| value.total_cmp(&first).is_eq());
    if !same || values.ndim() > reader.shape(x).len() {
        return Err("only one exponent for all elements is supported".into());
    }
    let twice = first.abs() * 2.0;
    if !(1.0..=LARGEST_POWER * 2.0).contains(&twice) || twice.fract() != 0.0 {
        return Err(format!(
            "only multiples of 1/2 up to {LARGEST_POWER} are supported as exponents, not {first}"
        ));
    }
    if reader.is_integer(x) != reader.is_integer(exponent) && reader.constant(x).is_some() {
        return Err("only FLOAT and DOUBLE are computed with".into());
    }
    let base = if first < 0.0 {
        reader.layer(Reciprocal {}, &[x])?
    } else {
        x
    };
    let whole = (twice / 2.0) as u32;
    let mut result = match twice.rem_euclid(2.0) as u32 {
        0 => None,
        _ if first < 0.0 => Some(reader.layer(Rsqrt {}, &[x])?),
        _ => Some(reader.layer(Sqrt {}, &[x])?),
    };
    // Squares of squares.
    let mut square = base;
    for bit in 0..u32::BITS - whole.leading_zeros() {
        if bit > 0 {
            square = reader.layer(Mul {}, &[square, square])?;
        }
        if whole >> bit & 1 == 1 {
            result = Some(match result {
                Some(result) => reader.layer(Mul {}, &[result, square])?,
                None => square,
            });
        }
    }
    Ok(vec![result.unwrap_or(x)])
}

/// `Gelu`, `x / 2 * (1 + erf(x / sqrt(2)))`, or its approximation with the hyperbolic tangent,
/// `x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 * x^3)))`.
pub(super) fn gelu(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let curve = match reader.text("approximate", "none")? {
        "none" => {
            let factor = std::f64::consts::FRAC_1_SQRT_2;
            let line = reader.layer(Scale { factor }, &[x])?;
            reader.layer(Erf {}, &[line])?
        }
        "tanh" => tanh_curve(reader, x)?,
        other => return Err(format!("its attribute approximate is `{other}`")),
    };
    let gate = reader.layer(Offset { by: 1.0 }, &[curve])?;
    let half = reader.layer(Scale { factor: 0.5 }, &[x])?;
    Ok(vec![reader.layer(Mul {}, &[half, gate])?])
}

fn tanh_curve(reader: &mut Reader<'_>, x: ValueId) -> Result<ValueId, String> {
    // x + c * x^3 = x * (1 + c * x^2): a coefficient of a square loses less to rounding.
    let square = reader.layer(Mul {}, &[x, x])?;
    let bend = reader.layer(Scale { factor: 0.044_715 }, &[square])?;
    let bend = reader.layer(Offset { by: 1.0 }, &[bend])?;
    let root = (2.0 / std::f64::consts::PI).sqrt();
    let line = reader.layer(Scale { factor: root }, &[x])?;
    let curve = reader.layer(Mul {}, &[line, bend])?;
    reader.layer(Tanh {}, &[curve])
}

/// Normalisation across channels: `x / (bias + alpha / size * Σ x^2)^beta`, over `size` neighbouring
/// channels.
pub(super) fn lrn(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let size = reader.int("size")?.ok_or("it has no size")?;
    let size = usize::try_from(size)
        .ok()
        .filter(|size| (1..=MAX_SIZE).contains(size));
    let size = size.ok_or("its size is no size")?;
    let alpha = reader.float("alpha", 1e-4)?;
    let beta = reader.float("beta", 0.75)?;
    let bias = reader.float("bias", 1.0)?;
    let x = reader.input(0)?;
    let shape = reader.shape(x);
    let &[pictures, channels, ref rest @ ..] = shape.as_slice() else {
        return Err(format!("its input has shape {shape:?}, without channels"));
    };
    let square = reader.layer(Mul {}, &[x, x])?;
    // Channels as the rows of a picture: the mean under a window of rows, zeros outside.
    let rows = vec![pictures, 1, channels, rest.iter().product()];
    let rows = reader.layer(Reshape { shape: rows }, &[square])?;
    let (before, after) = ((size - 1) / 2, size / 2);
    let pool = Pool2d {
        kernel: [size, 1],
        strides: [1, 1],
        pads: [before, 0, after, 0],
        dilations: [1, 1],
        ceil: false,
    };
    let window = AveragePool {
        pool,
        include_padding: true,
    };
    let mean = reader.layer(window, &[rows])?;
    let scaled = reader.layer(Scale { factor: alpha }, &[mean])?;
    let base = reader.layer(Offset { by: bias }, &[scaled])?;
    let root = reader.layer(Rsqrt {}, &[base])?;
    let factor = match beta * 4.0 {
        2.0 => root,
        3.0 => {
            let fourth = reader.layer(Sqrt {}, &[root])?;
            reader.layer(Mul {}, &[root, fourth])?
        }
        4.0 => reader.layer(Mul {}, &[root, root])?,
        _ => return Err(format!("a beta of 0.5, 0.75 or 1 is supported, not {beta}")),
    };
    let factor = reader.layer(Reshape { shape }, &[factor])?;
    Ok(vec![reader.layer(Mul {}, &[x, factor])?])
}

impl Compute for Reciprocal {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        // The back end's is for positive numbers: of the magnitude, then with the sign.
        let x = inputs[0];
        let negative = b.is_negative(x).await?;
        let magnitude = b.select(&negative, &b.neg(x), x).await?;
        let inverse = b.reciprocal(&magnitude).await?;
        b.select(&negative, &b.neg(&inverse), &inverse).await
    }
}

impl Compute for Sqrt {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.sqrt(inputs[0]).await
    }
}

impl Compute for Rsqrt {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        one(shapes).map(<[usize]>::to_vec)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        b.rsqrt(inputs[0]).await
    }
}
