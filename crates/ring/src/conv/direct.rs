//! Convolution without a matrix product, for groups of few filters.

use super::Conv2d;
use super::patches::{inside, source_row};
use crate::Ring;
use crate::simd::Job;

/// A convolution, summed line by line for each position of the kernel.
pub(super) struct Direct<'a, R> {
    pub(super) geometry: &'a Conv2d,
    pub(super) input: &'a [R],
    pub(super) weights: &'a [R],
    pub(super) out: &'a mut [R],
}

impl<R: Ring> Job for Direct<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let g = self.geometry;
        let [height, width] = g.output();
        let (plane, area) = (g.input[0] * g.input[1], g.kernel[0] * g.kernel[1]);
        let (channels, filters) = (g.group_channels(), g.group_filters());
        for (index, out) in self.out.chunks_exact_mut(height * width).enumerate() {
            let (picture, filter) = (index / g.filters, index % g.filters);
            let first = picture * g.channels + filter / filters * channels;
            for c in 0..channels {
                let input = &self.input[(first + c) * plane..][..plane];
                let weights = &self.weights[(filter * channels + c) * area..][..area];
                for (position, &weight) in weights.iter().enumerate() {
                    add_shifted(
                        g,
                        input,
                        [position / g.kernel[1], position % g.kernel[1]],
                        weight,
                        out,
                        width,
                    );
                }
            }
        }
    }
}

/// Add to one output plane what one kernel position gives: the input plane, shifted, times its
/// weight.
#[inline(always)]
fn add_shifted<R: Ring>(
    g: &Conv2d,
    input: &[R],
    [ky, kx]: [usize; 2],
    weight: R,
    out: &mut [R],
    width: usize,
) {
    let inside = inside(g, kx, width);
    if inside.is_empty() {
        return;
    }
    let at = inside.start * g.strides[1] + kx * g.dilations[1] - g.pads[1];
    for (y, line) in out.chunks_exact_mut(width).enumerate() {
        let Some(iy) = source_row(g, ky, y) else {
            continue;
        };
        let from = &input[iy * g.input[1] + at..(iy + 1) * g.input[1]];
        let line = &mut line[inside.clone()];
        if g.strides[1] == 1 {
            for (to, &from) in line.iter_mut().zip(from) {
                *to += weight * from;
            }
        } else {
            for (to, &from) in line.iter_mut().zip(from.iter().step_by(g.strides[1])) {
                *to += weight * from;
            }
        }
    }
}
