//! `Conv` in one and two dimensions.

use super::Reader;
use super::pool::{like, pictures};
use super::window::{Window, pair, picture};
use crate::backend::Backend;
use crate::defaults::MAX_SIZE;
use crate::layer::{Compute, Operand};
use crate::value::ValueId;
use crate::window::as_pictures;
use serde::{Deserialize, Serialize};
use trefoil_ring::Conv2d;

/// A convolution of pictures (N, C, H, W) by weights (O, C / groups, KH, KW), plus a bias (O) if
/// there is a third operand; or of rows (N, C, L) by weights (O, C / groups, K), which are pictures of height 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conv {
    /// Steps down and across.
    pub strides: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Distance of the taps of the kernel.
    pub dilations: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<ValueId>, String> {
    let (x, w) = (reader.input(0)?, reader.input(1)?);
    let (shape, weights) = (reader.shape(x), reader.shape(w));
    picture(&shape)?;
    let &[_, _, kh, kw] = as_pictures(&weights).as_slice() else {
        return Err(format!(
            "its weights have shape {weights:?}, not (O, C, KH, KW)"
        ));
    };
    if weights.len() != shape.len() {
        return Err(format!(
            "weights of shape {weights:?} for an input of shape {shape:?}"
        ));
    }
    if kh.max(kw) > MAX_SIZE || kh * kw == 0 {
        return Err(format!("its kernel is {kh} x {kw}"));
    }
    if let Some(kernel) = pair(reader, "kernel_shape", shape.len() - 2)?
        && kernel != [kh, kw]
    {
        return Err(format!(
            "its kernel_shape is {kernel:?}, its weights are {kh} x {kw}"
        ));
    }
    let Window {
        strides,
        pads,
        dilations,
    } = Window::read(reader, [kh, kw], &shape)?;
    let groups = usize::try_from(reader.int("group")?.unwrap_or(1)).unwrap_or(0);
    let mut inputs = vec![x, w];
    inputs.extend(reader.optional(2));
    Ok(vec![reader.layer(
        Conv {
            strides,
            pads,
            dilations,
            groups,
        },
        &inputs,
    )?])
}

impl Conv {
    /// The whole geometry for pictures and weights of these shapes.
    ///
    /// # Errors
    /// If they do not fit each other.
    pub fn geometry(&self, x: &[usize], w: &[usize]) -> Result<Conv2d, String> {
        let lifted = [x, w].map(as_pictures);
        let [&[batch, channels, h, width], &[filters, depth, kh, kw]] =
            [lifted[0].as_slice(), lifted[1].as_slice()]
        else {
            return Err(format!(
                "inputs {x:?} and weights {w:?} are neither pictures nor rows"
            ));
        };
        let Self {
            strides,
            pads,
            dilations,
            groups,
        } = self.clone();
        let sizes = [kh, kw, h, width, groups]
            .into_iter()
            .chain(strides)
            .chain(dilations);
        if sizes.clone().chain(pads).any(|size| size > MAX_SIZE) || sizes.clone().any(|s| s == 0) {
            return Err(format!(
                "a kernel of {kh} x {kw} with strides {strides:?}, pads {pads:?}, dilations {dilations:?} and {groups} groups \
                 over {h} x {width}; sizes from 1 to {MAX_SIZE} are supported"
            ));
        }
        if depth.checked_mul(groups) != Some(channels) || !filters.is_multiple_of(groups) {
            return Err(format!(
                "weights {w:?} in {groups} groups do not fit {channels} channels"
            ));
        }
        let (input, kernel) = ([h, width], [kh, kw]);
        for d in 0..2 {
            if input[d] + pads[d] + pads[d + 2] < dilations[d] * (kernel[d] - 1) + 1 {
                return Err(format!(
                    "its kernel does not fit into pictures of {h} x {width}"
                ));
            }
        }
        Ok(Conv2d {
            batch,
            channels,
            input,
            filters,
            kernel,
            strides,
            pads,
            dilations,
            groups,
        })
    }
}

impl Compute for Conv {
    fn output_shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
        let (x, w) = match *shapes {
            [x, w] => (x, w),
            [x, w, bias] if w.first().map(std::slice::from_ref) == Some(bias) => (x, w),
            [_, w, bias] => return Err(format!("a bias of shape {bias:?} for weights {w:?}")),
            _ => return Err(format!("it takes 2 or 3 operands, not {}", shapes.len())),
        };
        let geometry = self.geometry(x, w)?;
        let [height, width] = geometry.output();
        match (x.len(), w.len(), height) {
            (4, 4, _) => Ok(vec![geometry.batch, geometry.filters, height, width]),
            (3, 3, 1) => Ok(vec![geometry.batch, geometry.filters, width]),
            _ => Err(format!(
                "its input has shape {x:?}, its weights {w:?}, which makes an output of height {height}; rows stay rows of height 1"
            )),
        }
    }
    fn keeps_batch(&self, inputs: &[Operand<'_>]) -> bool {
        inputs[0].batched && inputs[1..].iter().all(|input| !input.batched)
    }
    async fn run<B: Backend>(&self, b: &B, inputs: &[&B::Tensor]) -> Result<B::Tensor, B::Error> {
        let geometry = self.geometry(&b.shape(inputs[0]), &b.shape(inputs[1]));
        assert!(geometry.is_ok(), "operands of a convolution: {geometry:?}");
        let Ok(geometry) = &geometry else {
            return Ok(inputs[0].clone());
        };
        let ((x, shape), (w, _)) = (pictures(b, inputs[0]), pictures(b, inputs[1]));
        let out = b.conv2d(&x, &w, inputs.get(2).copied(), geometry).await?;
        Ok(like(b, out, &shape))
    }
    fn multiply_accumulates(&self, shapes: &[&[usize]]) -> u64 {
        let Ok(g) = self.geometry(shapes[0], shapes[1]) else {
            return 0;
        };
        let [oh, ow] = g.output();
        let taps = (g.channels / g.groups * g.kernel[0] * g.kernel[1]) as u64;
        ((g.batch * g.filters) as u64)
            .saturating_mul((oh * ow) as u64)
            .saturating_mul(taps)
    }
    fn gives_whole(&self, whole: bool) -> bool {
        whole
    }
}
