//! Two-dimensional convolution over the rings.

use crate::Ring;
use serde::{Deserialize, Serialize};

/// Geometry of a convolution: input (N, C, H, W), weights (O, C / groups, KH, KW), output (N, O, OH, OW).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conv2d {
    /// Pictures, N.
    pub batch: usize,
    /// Input channels, C.
    pub channels: usize,
    /// Input height and width.
    pub input: [usize; 2],
    /// Output channels, O.
    pub filters: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Strides down and across.
    pub strides: [usize; 2],
    /// Zero padding: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Dilations down and across.
    pub dilations: [usize; 2],
    /// Groups; divides C and O.
    pub groups: usize,
}

impl Conv2d {
    /// Output height and width.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|d| {
            let span = self.dilations[d] * (self.kernel[d] - 1) + 1;
            (self.input[d] + self.pads[d] + self.pads[d + 2]).saturating_sub(span) / self.strides[d]
                + 1
        })
    }
}

/// `out += input * weights` (cross-correlation, as ONNX's Conv), slices row-major in the shapes of [`Conv2d`].
pub fn conv2d<R: Ring>(g: &Conv2d, input: &[R], weights: &[R], out: &mut [R]) {
    let [oh, ow] = g.output();
    let (cg, fg) = (g.channels / g.groups, g.filters / g.groups);
    assert_eq!(
        input.len(),
        g.batch * g.channels * g.input[0] * g.input[1],
        "input of conv2d"
    );
    assert_eq!(
        weights.len(),
        g.filters * cg * g.kernel[0] * g.kernel[1],
        "weights of conv2d"
    );
    assert_eq!(out.len(), g.batch * g.filters * oh * ow, "output of conv2d");
    for n in 0..g.batch {
        for o in 0..g.filters {
            for y in 0..oh {
                for x in 0..ow {
                    let mut sum = R::zero();
                    for c in 0..cg {
                        for ky in 0..g.kernel[0] {
                            for kx in 0..g.kernel[1] {
                                let iy = (y * g.strides[0] + ky * g.dilations[0])
                                    .wrapping_sub(g.pads[0]);
                                let ix = (x * g.strides[1] + kx * g.dilations[1])
                                    .wrapping_sub(g.pads[1]);
                                if iy < g.input[0] && ix < g.input[1] {
                                    let channel = n * g.channels + o / fg * cg + c;
                                    sum += input[(channel * g.input[0] + iy) * g.input[1] + ix]
                                        * weights
                                            [((o * cg + c) * g.kernel[0] + ky) * g.kernel[1] + kx];
                                }
                            }
                        }
                    }
                    out[((n * g.filters + o) * oh + y) * ow + x] += sum;
                }
            }
        }
    }
}
