//! Pooling: a maximum passes its gradient to the winner, an average to all alike.

use ndarray::{ArrayD, IxDyn};
use trefoil_nn::Pool2d;

/// The first largest element under each window receives the window's gradient.
pub(super) fn maximum(pool: &Pool2d, x: &ArrayD<f64>, upstream: &ArrayD<f64>) -> ArrayD<f64> {
    spread(pool, x, upstream, |plane, taps, _, gradient, out| {
        let mut best: Option<usize> = None;
        for &at in taps {
            if best.is_none_or(|best| plane[at] > plane[best]) {
                best = Some(at);
            }
        }
        if let Some(best) = best {
            out[best] += gradient;
        }
    })
}

/// Every element under a window receives its share of the window's gradient.
pub(super) fn average(
    pool: &Pool2d,
    include_padding: bool,
    x: &ArrayD<f64>,
    upstream: &ArrayD<f64>,
) -> ArrayD<f64> {
    let shape = x.shape();
    let counts = pool.counts([shape[2], shape[3]], include_padding);
    let counts: Vec<f64> = counts.iter().copied().collect();
    spread(pool, x, upstream, |_, taps, window, gradient, out| {
        for &at in taps {
            out[at] += gradient / counts[window];
        }
    })
}

/// Visit each window of each plane: the plane, where its taps inside it are, its number, and its gradient.
fn spread(
    pool: &Pool2d,
    x: &ArrayD<f64>,
    upstream: &ArrayD<f64>,
    mut visit: impl FnMut(&[f64], &[usize], usize, f64, &mut [f64]),
) -> ArrayD<f64> {
    let (h, w) = (x.shape()[2], x.shape()[3]);
    let (oh, ow) = (upstream.shape()[2], upstream.shape()[3]);
    let x_data = x.as_standard_layout();
    let up = upstream.as_standard_layout();
    let (x_data, up) = (
        x_data.as_slice().unwrap_or_default(),
        up.as_slice().unwrap_or_default(),
    );
    let mut out = vec![0.0; x.len()];
    let windows: Vec<Vec<usize>> = (0..oh * ow)
        .map(|window| {
            let (i, j) = (window / ow, window % ow);
            let mut taps = Vec::with_capacity(pool.kernel[0] * pool.kernel[1]);
            for ki in 0..pool.kernel[0] {
                // A coordinate in the padding wraps to a huge one.
                let row = (i * pool.strides[0] + ki * pool.dilations[0]).wrapping_sub(pool.pads[0]);
                for kj in 0..pool.kernel[1] {
                    let column =
                        (j * pool.strides[1] + kj * pool.dilations[1]).wrapping_sub(pool.pads[1]);
                    if row < h && column < w {
                        taps.push(row * w + column);
                    }
                }
            }
            taps
        })
        .collect();
    let planes = x_data.chunks_exact(h * w).zip(out.chunks_exact_mut(h * w));
    for ((plane, out), up) in planes.zip(up.chunks_exact(oh * ow)) {
        for (window, taps) in windows.iter().enumerate() {
            visit(plane, taps, window, up[window], out);
        }
    }
    ArrayD::from_shape_vec(IxDyn(x.shape()), out).unwrap_or_default()
}
