//! The rule of each layer: from the gradient of its output to those of its operands.

use super::{conv, pool};
use ndarray::{Array2, ArrayD, Axis, IxDyn, Slice, Zip};
use trefoil_nn::Layer;

/// Layers with a rule.
pub(super) const KNOWN: &[&str] = &[
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Elu",
    "MatMul",
    "MaxPool",
    "Mul",
    "Offset",
    "Pad",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Scale",
    "Sigmoid",
    "Softmax",
    "Sub",
    "Tanh",
    "Transpose",
];

/// Whether a layer has a rule.
pub(super) fn known(layer: &Layer) -> bool {
    KNOWN.contains(&layer.name())
}

/// The gradients of the operands that are `needed`; `None` for a layer without a rule. At a kink, the derivative
/// is that of the side where the function is 0 (as training libraries have it).
pub(super) fn pull_back(
    layer: &Layer,
    operands: &[&ArrayD<f64>],
    output: &ArrayD<f64>,
    upstream: &ArrayD<f64>,
    needed: &[bool],
) -> Option<Vec<Option<ArrayD<f64>>>> {
    let x = operands[0];
    let pointwise = |slope: &dyn Fn(f64, f64) -> f64| {
        let mut gradient = upstream.clone();
        Zip::from(&mut gradient)
            .and(x)
            .and(output)
            .for_each(|g, &x, &y| *g *= slope(x, y));
        vec![Some(gradient)]
    };
    Some(match layer {
        Layer::Conv(conv) => conv::pull_back(conv, operands, upstream, needed),
        Layer::MatMul(_) => product(operands, upstream, needed),
        Layer::MaxPool(layer) => vec![Some(pool::maximum(&layer.pool, x, upstream))],
        Layer::AveragePool(layer) => {
            vec![Some(pool::average(
                &layer.pool,
                layer.include_padding,
                x,
                upstream,
            ))]
        }
        Layer::Add(_) => vec![
            Some(reduced(upstream.clone(), x.shape())),
            Some(reduced(upstream.clone(), operands[1].shape())),
        ],
        Layer::Sub(_) => vec![
            Some(reduced(upstream.clone(), x.shape())),
            Some(reduced(-upstream, operands[1].shape())),
        ],
        Layer::Mul(_) => vec![
            Some(reduced(upstream * operands[1], x.shape())),
            Some(reduced(upstream * x, operands[1].shape())),
        ],
        Layer::Scale(scale) => vec![Some(upstream * scale.factor)],
        Layer::Offset(_) => vec![Some(upstream.clone())],
        Layer::Relu(_) => pointwise(&|x, _| f64::from(u8::from(x > 0.0))),
        Layer::Clip(clip) => {
            let (low, high) = (
                clip.low.unwrap_or(f64::NEG_INFINITY),
                clip.high.unwrap_or(f64::INFINITY),
            );
            pointwise(&|x, _| f64::from(u8::from(x > low && x < high)))
        }
        Layer::Elu(elu) => pointwise(&|x, y| if x > 0.0 { 1.0 } else { y + elu.alpha }),
        Layer::Sigmoid(_) => pointwise(&|_, y| y * (1.0 - y)),
        Layer::Tanh(_) => pointwise(&|_, y| 1.0 - y * y),
        Layer::Softmax(softmax) => vec![Some(soft(output, upstream, softmax.axis))],
        Layer::Reshape(_) => vec![
            upstream
                .to_shape(x.shape())
                .ok()
                .map(ndarray::CowArray::into_owned),
        ],
        Layer::Transpose(transpose) => {
            let mut inverse = vec![0; transpose.axes.len()];
            for (to, &from) in transpose.axes.iter().enumerate() {
                inverse[from] = to;
            }
            let turned = upstream.view().permuted_axes(IxDyn(&inverse));
            vec![Some(turned.as_standard_layout().into_owned())]
        }
        Layer::Concat(concat) => {
            let mut start = 0;
            let part = |x: &&ArrayD<f64>| {
                let end = start + x.shape()[concat.axis];
                let range = Slice::from(start..end);
                start = end;
                Some(upstream.slice_axis(Axis(concat.axis), range).to_owned())
            };
            operands.iter().map(part).collect()
        }
        Layer::Pad(pad) => {
            let mut inner = upstream.view();
            for (axis, (&before, &size)) in pad.before.iter().zip(x.shape()).enumerate() {
                inner.slice_axis_inplace(Axis(axis), Slice::from(before..before + size));
            }
            vec![Some(inner.as_standard_layout().into_owned())]
        }
        Layer::ReduceSum(sum) => {
            // The summed axes may be kept with size 1, or gone.
            let mut shape = x.shape().to_vec();
            for &axis in &sum.axes {
                shape[axis] = 1;
            }
            let kept = upstream.to_shape(IxDyn(&shape)).ok()?;
            vec![kept.broadcast(x.raw_dim()).map(|whole| whole.to_owned())]
        }
        _ => return None,
    })
}

/// `gradient`, summed over the axes along which an operand of shape `to` was repeated.
fn reduced(mut gradient: ArrayD<f64>, to: &[usize]) -> ArrayD<f64> {
    while gradient.ndim() > to.len() {
        gradient = gradient.sum_axis(Axis(0));
    }
    for (axis, &size) in to.iter().enumerate() {
        if size == 1 && gradient.shape()[axis] != 1 {
            gradient = gradient.sum_axis(Axis(axis)).insert_axis(Axis(axis));
        }
    }
    gradient
}

/// Of `x` (…, k) times `w` (k, n) plus a bias (n).
fn product(
    operands: &[&ArrayD<f64>],
    upstream: &ArrayD<f64>,
    needed: &[bool],
) -> Vec<Option<ArrayD<f64>>> {
    let (x, w) = (operands[0], operands[1]);
    let (depth, columns) = (w.shape()[0], w.shape()[1]);
    let rows = x.len() / depth;
    let gradient = matrix(upstream, rows, columns);
    let left = needed[0].then(|| {
        let w = matrix(w, depth, columns);
        shaped(&gradient.dot(&w.t()), x.shape())
    });
    let right = needed[1].then(|| {
        let x = matrix(x, rows, depth);
        shaped(&x.t().dot(&gradient), w.shape())
    });
    let mut parts = vec![left, right];
    if operands.len() > 2 {
        parts.push(needed[2].then(|| gradient.sum_axis(Axis(0)).into_dyn()));
    }
    parts
}

/// `y · (g - Σ g · y)` along `axis`.
fn soft(output: &ArrayD<f64>, upstream: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
    let weighted = (output * upstream)
        .sum_axis(Axis(axis))
        .insert_axis(Axis(axis));
    (upstream - &weighted) * output
}

/// A tensor as a matrix in row-major order.
pub(super) fn matrix(x: &ArrayD<f64>, rows: usize, columns: usize) -> Array2<f64> {
    let data: Vec<f64> = match x.as_slice() {
        Some(data) => data.to_vec(),
        None => x.iter().copied().collect(),
    };
    Array2::from_shape_vec((rows, columns), data).unwrap_or_default()
}

fn shaped(x: &Array2<f64>, shape: &[usize]) -> ArrayD<f64> {
    let x = x.as_standard_layout().into_owned();
    let (data, _) = x.into_raw_vec_and_offset();
    ArrayD::from_shape_vec(IxDyn(shape), data).unwrap_or_default()
}
