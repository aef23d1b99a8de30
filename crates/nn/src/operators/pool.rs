//! `MaxPool`, `AveragePool`, `GlobalAveragePool`.

use super::Reader;
use super::window::{Window, pair, picture};
use crate::backend::Backend;
use crate::layer::{Compute, Operand, one};
use crate::value::ValueId;
use crate::window::{Pool2d, as_pictures};
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The maximum under each window of pictures (N, C, H, W) or rows (N, C, L), which are pictures of height 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaxPool {
    /// The windows.
    pub pool: Pool2d,
}

/// The average under each window, as [`MaxPool`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AveragePool {
    /// The windows.
    pub pool: Pool2d,
    /// Whether padding counts, as zeros.
    pub include_padding: bool,
}

pub(super) fn max(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let pool = pool(reader, x)?;
    Ok(vec![reader.layer(MaxPool { pool }, &[x])?])
}

pub(super) fn average(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let pool = pool(reader, x)?;
    let include_padding = reader.int("count_include_pad")?.unwrap_or(0) != 0;
    Ok(vec![reader.layer(
        AveragePool {
            pool,
            include_padding,
        },
        &[x],
    )?])
}

pub(super) fn global_average(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let x = reader.input(0)?;
    let kernel = picture(&reader.shape(x))?;
    let [strides, dilations] = [[1, 1]; 2];
    let pool = Pool2d {
        kernel,
        strides,
        pads: [0; 4],
        dilations,
        ceil: false,
    };
    Ok(vec![reader.layer(
        AveragePool {
            pool,
            include_padding: false,
        },
        &[x],
    )?])
}

fn pool(reader: &Reader<'_>, x: ValueId) -> Result<Pool2d, String> {
    let shape = reader.shape(x);
    picture(&shape)?;
    let kernel = pair(reader, "kernel_shape", shape.len() - 2)?.ok_or("it has no kernel_shape")?;
    let Window {
        strides,
        pads,
        dilations,
    } = Window::read(reader, kernel, &shape)?;
    let ceil = reader.int("ceil_mode")?.unwrap_or(0) != 0;
    Ok(Pool2d {
        kernel,
        strides,
        pads,
        dilations,
        ceil,
    })
}

/// `x` as pictures, and its shape.
pub(super) fn pictures<'a, B: Backend>(
    b: &B,
    x: &'a B::Tensor,
) -> (Cow<'a, B::Tensor>, Vec<usize>) {
    let shape = b.shape(x);
    if shape.len() == 4 {
        // Weights come through here on every run: they are not copied.
        return (Cow::Borrowed(x), shape);
    }
    (Cow::Owned(b.reshape(x, &as_pictures(&shape))), shape)
}

/// Pictures as rows again, if the input, of `shape`, was.
pub(super) fn like<B: Backend>(b: &B, pictures: B::Tensor, shape: &[usize]) -> B::Tensor {
    if shape.len() == 4 {
        return pictures;
    }
    let [n, c, h, w] = [0, 1, 2, 3].map(|axis| b.shape(&pictures)[axis]);
    b.reshape(&pictures, &[n, c, h * w])
}

impl Compute for MaxPool {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        self.pool.output_shape(one(shapes)?)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let (x, shape) = pictures(b, inputs[0]);
        let out = b.max_pool(&x, &self.pool).await?;
        Ok(like(b, out, &shape))
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}

impl Compute for AveragePool {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        self.pool.output_shape(one(shapes)?)
    }
    fn keeps_batch(&self, _: &[Operand<'_>]) -> bool {
        true
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let (x, given) = pictures(b, inputs[0]);
        let shape = b.shape(&x);
        let sums = b.sum_pool(&x, &self.pool);
        let counts = self.pool.counts([shape[2], shape[3]], self.include_padding);
        // One factor for all windows is the usual case.
        let first = counts.first().copied().unwrap_or(1.0);
        let uniform = counts.iter().all(|count| count.total_cmp(&first).is_eq());
        let factors = if uniform {
            ArrayD::from_elem(IxDyn(&[]), first.recip())
        } else {
            counts.mapv(f64::recip)
        };
        let out = b.mul_public(&sums, &factors).await?;
        Ok(like(b, out, &given))
    }
}
