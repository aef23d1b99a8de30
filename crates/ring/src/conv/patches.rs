//! The matrix of patches, written piece by piece.

use super::Conv2d;
use crate::Ring;
use crate::matmul::Columns;
use std::ops::Range;

/// The patches of the channels from `channel` on. A row is a position of the kernel (channel,
/// then kernel row, then kernel column), a column a position of the output (picture, then row,
/// then column).
pub(super) struct Patches<'a, R> {
    geometry: &'a Conv2d,
    input: &'a [R],
    channel: usize,
    output: [usize; 2],
}

impl<'a, R> Patches<'a, R> {
    pub(super) fn new(geometry: &'a Conv2d, input: &'a [R], channel: usize) -> Self {
        Self {
            geometry,
            input,
            channel,
            output: geometry.output(),
        }
    }
}

impl<R: Ring> Columns<R> for Patches<'_, R> {
    fn write(&self, row: usize, first: usize, mut out: &mut [R]) {
        let Self {
            geometry: g,
            input,
            channel,
            output: [height, width],
        } = *self;
        let (ky, kx) = (row / g.kernel[1] % g.kernel[0], row % g.kernel[1]);
        let channel = channel + row / (g.kernel[0] * g.kernel[1]);
        let inside = inside(g, kx, width);

        let (mut picture, rest) = (first / (height * width), first % (height * width));
        let (mut y, mut x) = (rest / width, rest % width);
        while !out.is_empty() {
            let (line, behind) = out.split_at_mut(out.len().min(width - x));
            let plane = (picture * g.channels + channel) * g.input[0];
            match source_row(g, ky, y) {
                Some(iy) => {
                    let from = &input[(plane + iy) * g.input[1]..][..g.input[1]];
                    copy_line(g, kx, from, x, &inside, line);
                }
                None => line.fill(R::zero()),
            }
            out = behind;
            x = 0;
            y += 1;
            if y == height {
                y = 0;
                picture += 1;
            }
        }
    }
}

/// Write the values that kernel column `kx` sees from output column `x` on, 0 outside `inside`.
fn copy_line<R: Ring>(
    g: &Conv2d,
    kx: usize,
    from: &[R],
    x: usize,
    inside: &Range<usize>,
    to: &mut [R],
) {
    let end = x + to.len();
    let (start, stop) = (inside.start.clamp(x, end), inside.end.clamp(x, end));
    if start >= stop {
        to.fill(R::zero());
        return;
    }
    to[..start - x].fill(R::zero());
    to[stop - x..].fill(R::zero());
    let to = &mut to[start - x..stop - x];
    let at = start * g.strides[1] + kx * g.dilations[1] - g.pads[1];
    if g.strides[1] == 1 {
        to.copy_from_slice(&from[at..][..to.len()]);
    } else {
        for (to, &from) in to.iter_mut().zip(from[at..].iter().step_by(g.strides[1])) {
            *to = from;
        }
    }
}

/// The input row that kernel row `ky` sees from output row `y`; none in the padding.
#[inline(always)]
pub(super) fn source_row(g: &Conv2d, ky: usize, y: usize) -> Option<usize> {
    let row = (y * g.strides[0] + ky * g.dilations[0]).checked_sub(g.pads[0])?;
    (row < g.input[0]).then_some(row)
}

/// The output columns, of `width`, from which kernel column `kx` sees the input and not padding.
#[inline(always)]
pub(super) fn inside(g: &Conv2d, kx: usize, width: usize) -> Range<usize> {
    let shift = kx * g.dilations[1];
    let start = g.pads[1].saturating_sub(shift).div_ceil(g.strides[1]);
    let end = (g.input[1] + g.pads[1])
        .saturating_sub(shift)
        .div_ceil(g.strides[1]);
    start.min(width)..end.min(width).max(start.min(width))
}
