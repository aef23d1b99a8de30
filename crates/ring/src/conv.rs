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

/// A geometry that no convolution has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// A size that must be positive is 0.
    #[error("{what} of the convolution is 0; it must be at least 1")]
    Zero {
        /// The field of [`Conv2d`].
        what: &'static str,
    },
    /// The groups do not divide the channels or filters evenly.
    #[error("{groups} groups do not divide {count} {what} evenly")]
    Groups {
        /// `channels` or `filters`.
        what: &'static str,
        /// How many of them there are.
        count: usize,
        /// Groups.
        groups: usize,
    },
    /// The kernel, spread by its dilations, is larger than the padded input.
    #[error(
        "the kernel spans {span} along the {axis}, more than the padded input's {padded}; \
         check the order of the input's dimensions (N, C, H, W), pads and dilations"
    )]
    Kernel {
        /// `height` or `width`.
        axis: &'static str,
        /// Positions between the first and the last of the kernel, both included.
        span: usize,
        /// Input and pads.
        padded: usize,
    },
    /// A tensor of more elements than memory can address.
    #[error("the {what} of the convolution has more elements than memory can address")]
    TooLarge {
        /// `input`, `weights` or `output`.
        what: &'static str,
    },
}

impl Conv2d {
    /// Whether there is such a convolution.
    ///
    /// # Errors
    /// [`GeometryError`]: sizes, strides, dilations or groups of 0 (a batch of 0 is allowed),
    /// groups that do not divide channels and filters, a kernel larger than the padded input,
    /// tensors beyond the address space.
    pub fn check(&self) -> Result<(), GeometryError> {
        let positive = [
            ("channels", self.channels),
            ("filters", self.filters),
            ("groups", self.groups),
            ("input", self.input[0].min(self.input[1])),
            ("kernel", self.kernel[0].min(self.kernel[1])),
            ("strides", self.strides[0].min(self.strides[1])),
            ("dilations", self.dilations[0].min(self.dilations[1])),
        ];
        for (what, size) in positive {
            if size == 0 {
                return Err(GeometryError::Zero { what });
            }
        }
        let groups = self.groups;
        for (what, count) in [("channels", self.channels), ("filters", self.filters)] {
            if !count.is_multiple_of(groups) {
                return Err(GeometryError::Groups {
                    what,
                    count,
                    groups,
                });
            }
        }
        for (d, axis) in ["height", "width"].into_iter().enumerate() {
            let span = (self.kernel[d] - 1)
                .saturating_mul(self.dilations[d])
                .saturating_add(1);
            let padded = self.input[d]
                .saturating_add(self.pads[d])
                .saturating_add(self.pads[d + 2]);
            if padded == usize::MAX {
                return Err(GeometryError::TooLarge { what: "input" });
            }
            if span > padded {
                return Err(GeometryError::Kernel { axis, span, padded });
            }
        }
        let sizes = [
            (
                "input",
                [self.batch, self.channels, self.input[0], self.input[1]],
            ),
            (
                "weights",
                [
                    self.filters,
                    self.group_channels(),
                    self.kernel[0],
                    self.kernel[1],
                ],
            ),
            (
                "output",
                [self.batch, self.filters, self.output()[0], self.output()[1]],
            ),
        ];
        for (what, shape) in sizes {
            let len = shape
                .iter()
                .try_fold(1_usize, |len, &size| len.checked_mul(size));
            // Elements take up to 8 bytes, and an allocation at most `isize::MAX`.
            if len.is_none_or(|len| len > isize::MAX as usize / 8) {
                return Err(GeometryError::TooLarge { what });
            }
        }
        Ok(())
    }

    /// Output height and width, of a geometry that passes [`Conv2d::check`].
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|d| {
            let span = self.dilations[d] * (self.kernel[d] - 1) + 1;
            (self.input[d] + self.pads[d] + self.pads[d + 2]).saturating_sub(span) / self.strides[d]
                + 1
        })
    }

    /// Elements of the input, N C H W.
    pub fn input_len(&self) -> usize {
        self.batch * self.channels * self.input[0] * self.input[1]
    }

    /// Elements of the weights, O (C / groups) KH KW.
    pub fn weights_len(&self) -> usize {
        self.filters * self.group_channels() * self.kernel[0] * self.kernel[1]
    }

    /// Elements of the output, N O OH OW.
    pub fn output_len(&self) -> usize {
        let [height, width] = self.output();
        self.batch * self.filters * height * width
    }

    /// Input channels of a group.
    fn group_channels(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of a group.
    fn group_filters(&self) -> usize {
        self.filters / self.groups
    }
}

/// `out += input * weights` (cross-correlation, as ONNX's Conv), slices row-major in the shapes of
/// [`Conv2d`].
///
/// # Panics
/// If the geometry fails [`Conv2d::check`] or a slice's length does not fit it.
pub fn conv2d<R: Ring>(g: &Conv2d, input: &[R], weights: &[R], out: &mut [R]) {
    let check = g.check();
    assert!(check.is_ok(), "geometry of conv2d: {check:?}");
    assert_eq!(
        (input.len(), weights.len(), out.len()),
        (g.input_len(), g.weights_len(), g.output_len()),
        "elements of conv2d's input, weights and output"
    );
    let [oh, ow] = g.output();
    let (cg, fg) = (g.group_channels(), g.group_filters());
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
