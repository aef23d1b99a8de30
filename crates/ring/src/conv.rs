//! Two-dimensional convolution over the rings.
//!
//! A group of filters is a matrix product of its weights with the input's patches (im2col). The
//! patches are written block by block as the product packs them, so the whole matrix of patches
//! never exists. Groups of few filters (depthwise convolution) are summed directly.

mod direct;
mod patches;

use crate::matmul::{Columns as _, Layout, NARROW};
use crate::simd;
use crate::{Level, Ring};
use direct::Direct;
use patches::Patches;
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
pub fn conv2d<R: Ring>(geometry: &Conv2d, input: &[R], weights: &[R], out: &mut [R]) {
    conv2d_at(Level::best(), geometry, input, weights, out);
}

/// [`conv2d`] with the kernel of `level`, to compare levels.
///
/// # Panics
/// As [`conv2d`], and if the processor lacks `level`.
pub fn conv2d_at<R: Ring>(
    level: Level,
    geometry: &Conv2d,
    input: &[R],
    weights: &[R],
    out: &mut [R],
) {
    let check = geometry.check();
    assert!(check.is_ok(), "geometry of conv2d: {check:?}");
    assert_eq!(
        (input.len(), weights.len(), out.len()),
        (
            geometry.input_len(),
            geometry.weights_len(),
            geometry.output_len()
        ),
        "elements of conv2d's input, weights and output"
    );
    if geometry.batch == 0 {
        return;
    }
    let filters = geometry.group_filters();
    if filters <= DIRECT {
        simd::run(
            level,
            Direct {
                geometry,
                input,
                weights,
                out,
            },
        );
        return;
    }
    let [height, width] = geometry.output();
    let area = height * width;
    let depth = geometry.group_channels() * geometry.kernel[0] * geometry.kernel[1];
    for (group, weights) in weights.chunks_exact(filters * depth).enumerate() {
        let patches = Patches::new(geometry, input, group * geometry.group_channels());
        let layout = Layout {
            start: group * filters * area,
            row_stride: area,
            run: area,
            run_stride: geometry.filters * area,
        };
        let shape = [filters, depth, geometry.batch * area];
        if shape[2] * R::BITS as usize <= NARROW {
            narrow(level, shape, weights, &patches, out, layout);
        } else {
            R::gemm_columns(level, shape, weights, &patches, out, layout);
        }
    }
}

/// A product with few patches, which are written out: tiles are wide, and would be padded.
fn narrow<R: Ring>(
    level: Level,
    [filters, depth, columns]: [usize; 3],
    weights: &[R],
    patches: &Patches<'_, R>,
    out: &mut [R],
    layout: Layout,
) {
    let mut dense = vec![R::zero(); depth * columns];
    for (row, to) in dense.chunks_exact_mut(columns).enumerate() {
        patches.write(row, 0, to);
    }
    let mut product = vec![R::zero(); filters * columns];
    R::gemm(
        level,
        filters,
        depth,
        columns,
        weights,
        &dense,
        &mut product,
    );
    for (row, values) in product.chunks_exact(columns).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            let run = column / layout.run * layout.run_stride + column % layout.run;
            out[layout.start + row * layout.row_stride + run] += value;
        }
    }
}

/// Up to this many filters of a group, a convolution is summed directly.
const DIRECT: usize = 2;

#[cfg(test)]
mod tests;
