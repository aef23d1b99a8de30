//! Sliding windows over pictures, the geometry of pooling.

use crate::defaults::{MAX_ELEMENTS, MAX_SIZE};
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use serde::{Deserialize, Serialize};

/// Windows that slide over the last two axes of a tensor (N, C, H, W).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pool2d {
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Steps down and across.
    pub strides: [usize; 2],
    /// Padding: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Distance of the taps of a window.
    pub dilations: [usize; 2],
    /// Whether a last window that reaches beyond the padding is kept.
    pub ceil: bool,
}

/// What a window's tap outside the picture reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside<T> {
    /// This value.
    Value(T),
    /// The window's first tap inside the picture: harmless under a maximum.
    Repeat,
}

/// The shape of rows (N, C, L) as pictures of height 1; other shapes as they are.
pub(crate) fn as_pictures(shape: &[usize]) -> Vec<usize> {
    match *shape {
        [n, c, length] => vec![n, c, 1, length],
        _ => shape.to_vec(),
    }
}

impl Pool2d {
    /// Height and width of the output for pictures of height and width `input`; `None` if the
    /// windows do not fit or sizes are absurd.
    pub fn output(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        Some([self.length(0, input[0])?, self.length(1, input[1])?])
    }

    fn length(&self, d: usize, input: usize) -> Option<usize> {
        let (kernel, stride, dilation) = (self.kernel[d], self.strides[d], self.dilations[d]);
        let (before, after) = (self.pads[d], self.pads[d + 2]);
        let sizes = [kernel, stride, dilation, before, after, input];
        if sizes.iter().any(|&size| size > MAX_SIZE) || kernel * stride * dilation == 0 {
            return None;
        }
        let span = dilation * (kernel - 1) + 1;
        let room = (input + before + after).checked_sub(span)?;
        let mut length = room / stride + 1;
        // ONNX: a window that would start behind the picture and its padding is dropped.
        if self.ceil && !room.is_multiple_of(stride) && length * stride < input + before {
            length += 1;
        }
        Some(length)
    }

    /// Shape of [`Pool2d::windows`] for an input (N, C, H, W): (KH·KW, N, C, OH, OW).
    ///
    /// # Errors
    /// If the input has other than four axes, the windows do not fit, one lies entirely outside
    /// the picture, or their elements exceed what a plan may hold.
    pub(crate) fn windows_shape(&self, input: &[usize]) -> Result<[usize; 5], String> {
        let &[n, c, h, w] = input else {
            return Err(format!(
                "pools pictures (N, C, H, W), its input has shape {input:?}"
            ));
        };
        let misfit = || format!("{} do not fit pictures of {h} x {w}", self.sentence());
        let [oh, ow] = self.output([h, w]).ok_or_else(misfit)?;
        let taps = self.kernel[0] * self.kernel[1];
        let shape = [taps, n, c, oh, ow];
        shape
            .iter()
            .try_fold(1_usize, |count, &size| count.checked_mul(size))
            .filter(|&count| count <= MAX_ELEMENTS)
            .ok_or_else(|| format!("its windows hold more than {MAX_ELEMENTS} elements"))?;
        for (d, size) in [h, w].into_iter().enumerate() {
            if (0..self.length(d, size).unwrap_or(0)).any(|window| self.is_empty(d, window, size)) {
                return Err(format!(
                    "of {}, one lies entirely in the padding",
                    self.sentence()
                ));
            }
        }
        Ok(shape)
    }

    /// The windows, for messages.
    fn sentence(&self) -> String {
        let [[kh, kw], [down, across], [dh, dw]] = [self.kernel, self.strides, self.dilations];
        format!(
            "windows of {kh} x {kw}, {down} down and {across} across, with padding {:?} and dilations {dh} and {dw},",
            self.pads
        )
    }

    /// Whether all taps of a window along axis `d` lie outside an input of this size.
    fn is_empty(&self, d: usize, window: usize, input: usize) -> bool {
        let (start, pad) = (window * self.strides[d], self.pads[d]);
        // The first tap that is not before the input.
        let first = pad.saturating_sub(start).div_ceil(self.dilations[d]);
        first >= self.kernel[d] || start + first * self.dilations[d] - pad >= input
    }

    /// The coordinates that each window reads along axis `d`, window after window; `None` outside.
    fn taps(&self, d: usize, input: usize) -> Vec<Option<usize>> {
        let windows = self.length(d, input).unwrap_or(0);
        let tap = |window: usize, tap: usize| {
            (window * self.strides[d] + tap * self.dilations[d])
                .checked_sub(self.pads[d])
                .filter(|&at| at < input)
        };
        (0..windows)
            .flat_map(|w| (0..self.kernel[d]).map(move |k| tap(w, k)))
            .collect()
    }

    /// Shape of a pool's output for an input (N, C, H, W), or (N, C, L) if the windows' height is 1.
    ///
    /// # Errors
    /// As [`Pool2d::windows_shape`].
    pub(crate) fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, String> {
        let [_, n, c, h, w] = self.windows_shape(&as_pictures(input))?;
        match (input.len(), h) {
            (3, 1) => Ok(vec![n, c, w]),
            (3, _) => Err(format!(
                "{} over rows of shape {input:?}; windows of rows have height 1",
                self.sentence()
            )),
            _ => Ok(vec![n, c, h, w]),
        }
    }

    /// The elements under every window of `x` (N, C, H, W): (KH·KW, N, C, OH, OW), taps first, so
    /// that a pool is a reduction of axis 0. A local operation on shares too.
    ///
    /// # Panics
    /// If the windows do not fit `x`.
    #[expect(clippy::needless_pass_by_value, reason = "a view is a reference")]
    pub fn windows<T: Copy + Default>(
        &self,
        x: ArrayViewD<'_, T>,
        outside: Outside<T>,
    ) -> ArrayD<T> {
        let shape = self.windows_shape(x.shape());
        assert!(
            shape.is_ok(),
            "windows of a pool: {}",
            shape.err().unwrap_or_default()
        );
        let shape = shape.unwrap_or_default();
        let [h, w] = [x.shape()[2], x.shape()[3]];
        let (rows, columns) = (self.taps(0, h), self.taps(1, w));
        let [kh, kw] = self.kernel;
        let first = |taps: &[Option<usize>]| taps.iter().flatten().next().copied().unwrap_or(0);
        let row_first: Vec<usize> = rows.chunks(kh).map(first).collect();
        let column_first: Vec<usize> = columns.chunks(kw).map(first).collect();

        let x = x.as_standard_layout();
        let data = x.as_slice().unwrap_or_default();
        let mut out = Vec::with_capacity(shape.iter().product());
        for tap in 0..shape[0] {
            let (ki, kj) = (tap / kw, tap % kw);
            for plane in data.chunks_exact(h * w) {
                for (i, row) in rows.chunks(kh).map(|taps| taps[ki]).enumerate() {
                    for (j, column) in columns.chunks(kw).map(|taps| taps[kj]).enumerate() {
                        out.push(match (row, column, outside) {
                            (Some(row), Some(column), _) => plane[row * w + column],
                            (_, _, Outside::Value(value)) => value,
                            (row, column, Outside::Repeat) => {
                                let row = row.unwrap_or(row_first[i]);
                                plane[row * w + column.unwrap_or(column_first[j])]
                            }
                        });
                    }
                }
            }
        }
        ArrayD::from_shape_vec(IxDyn(&shape), out).unwrap_or_default()
    }

    /// What a sum over each window is divided by for its average, (OH, OW): the taps inside the
    /// picture, or inside the picture and its padding if `with_padding`.
    ///
    /// # Panics
    /// If the windows do not fit.
    pub fn counts(&self, input: [usize; 2], with_padding: bool) -> ArrayD<f64> {
        let count = |d: usize| -> Vec<f64> {
            let end = self.pads[d] + input[d] + if with_padding { self.pads[d + 2] } else { 0 };
            let start = if with_padding { 0 } else { self.pads[d] };
            let inside = |window: usize| {
                (0..self.kernel[d])
                    .map(|tap| window * self.strides[d] + tap * self.dilations[d])
                    .filter(|at| (start..end).contains(at))
                    .count() as f64
            };
            (0..self.length(d, input[d]).unwrap_or(0))
                .map(inside)
                .collect()
        };
        let (rows, columns) = (count(0), count(1));
        assert!(
            !rows.is_empty() && !columns.is_empty(),
            "windows {self:?} fit {input:?}"
        );
        ArrayD::from_shape_fn(IxDyn(&[rows.len(), columns.len()]), |at| {
            rows[at[0]] * columns[at[1]]
        })
    }
}
