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
            (self.input[d] + self.pads[d] + self.pads[d + 2]).saturating_sub(span) / self.strides[d] + 1
        })
    }
}

/// `out += input * weights` (cross-correlation, as ONNX's Conv), slices row-major in the shapes of [`Conv2d`].
pub fn conv2d<R: Ring>(_geometry: &Conv2d, _input: &[R], _weights: &[R], _out: &mut [R]) { unreachable!() }
