//! Convolutions: a matrix product per picture and group on the unrolled picture.

use super::matrix::view;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayD, IxDyn};
use trefoil_nn::operators::Conv;
use trefoil_ring::Conv2d;

/// The gradients of pictures, weights and bias.
pub(super) fn pull_back(
    conv: &Conv,
    operands: &[&ArrayD<f64>],
    upstream: &ArrayD<f64>,
    needed: &[bool],
) -> Vec<Option<ArrayD<f64>>> {
    let (x, w) = (operands[0], operands[1]);
    let Ok(g) = conv.geometry(x.shape(), w.shape()) else {
        // Plans are checked before they run.
        return vec![None; operands.len()];
    };
    let [oh, ow] = g.output();
    let (columns, taps) = (oh * ow, g.channels / g.groups * g.kernel[0] * g.kernel[1]);
    let filters = g.filters / g.groups;
    let picture = g.channels / g.groups * g.input[0] * g.input[1];
    let [x_data, w_data, up] = [x, w, upstream].map(|tensor| tensor.as_standard_layout());
    let slice =
        |data: &ndarray::CowArray<'_, f64, IxDyn>| data.as_slice().unwrap_or_default().to_vec();
    let (x_data, w_data, up) = (slice(&x_data), slice(&w_data), slice(&up));
    let mut dx = vec![0.0; if needed[0] { x_data.len() } else { 0 }];
    let mut dw = vec![0.0; if needed[1] { w_data.len() } else { 0 }];
    let mut unrolled = Array2::zeros((taps, columns));
    for index in 0..g.batch * g.groups {
        // Pictures and groups in one count: both run over consecutive channels.
        let group = index % g.groups;
        let up = view(
            &up[index * filters * columns..][..filters * columns],
            filters,
            columns,
        );
        let part = group * filters * taps..(group + 1) * filters * taps;
        if needed[1] {
            let picture = &x_data[index * picture..][..picture];
            each_tap(&g, |tap, column, at| {
                unrolled[[tap, column]] = at.map_or(0.0, |at| picture[at]);
            });
            if let Ok(mut sum) =
                ndarray::ArrayViewMut2::from_shape((filters, taps), &mut dw[part.clone()])
            {
                general_mat_mul(1.0, &up, &unrolled.t(), 1.0, &mut sum);
            }
        }
        if needed[0] {
            let w = view(&w_data[part], filters, taps);
            general_mat_mul(1.0, &w.t(), &up, 0.0, &mut unrolled);
            let picture = &mut dx[index * picture..][..picture];
            each_tap(&g, |tap, column, at| {
                if let Some(at) = at {
                    picture[at] += unrolled[[tap, column]];
                }
            });
        }
    }
    let tensor = |data: Vec<f64>, shape: &[usize]| {
        (!data.is_empty()).then(|| ArrayD::from_shape_vec(IxDyn(shape), data).unwrap_or_default())
    };
    let mut parts = vec![tensor(dx, x.shape()), tensor(dw, w.shape())];
    if operands.len() > 2 {
        parts.push(needed[2].then(|| {
            let mut bias = vec![0.0; g.filters];
            for (plane, gradient) in up.chunks_exact(columns).enumerate() {
                bias[plane % g.filters] += gradient.iter().sum::<f64>();
            }
            ArrayD::from_shape_vec(IxDyn(&[g.filters]), bias).unwrap_or_default()
        }));
    }
    parts
}

/// For each tap (channel, kernel row, kernel column) and each position of the output: where in a group's
/// channels it reads, or nowhere in the padding.
fn each_tap(g: &Conv2d, mut visit: impl FnMut(usize, usize, Option<usize>)) {
    let ([h, w], [oh, ow]) = (g.input, g.output());
    let mut tap = 0;
    for channel in 0..g.channels / g.groups {
        for ki in 0..g.kernel[0] {
            for kj in 0..g.kernel[1] {
                for i in 0..oh {
                    // A coordinate in the padding wraps to a huge one.
                    let row = (i * g.strides[0] + ki * g.dilations[0]).wrapping_sub(g.pads[0]);
                    for j in 0..ow {
                        let column =
                            (j * g.strides[1] + kj * g.dilations[1]).wrapping_sub(g.pads[1]);
                        let inside = row < h && column < w;
                        visit(
                            tap,
                            i * ow + j,
                            inside.then(|| (channel * h + row) * w + column),
                        );
                    }
                }
                tap += 1;
            }
        }
    }
}
