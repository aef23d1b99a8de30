//! The back end in the clear: 64-bit floats.

use super::Backend;
use super::arrays;
use crate::window::{Outside, Pool2d};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewMut2, Axis, IxDyn, Zip};
use std::convert::Infallible;
use std::ops::Range;
use trefoil_ring::Conv2d;

/// Computes in the clear with 64-bit floats: the definition of every operation, without rounding
/// to a format. Its futures are ready at once ([`crate::ready`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Clear;

impl Backend for Clear {
    type Tensor = ArrayD<f64>;
    type Bits = ArrayD<bool>;
    type Error = Infallible;

    fn shape(&self, x: &ArrayD<f64>) -> Vec<usize> {
        x.shape().to_vec()
    }
    fn public(&self, values: &ArrayD<f64>) -> ArrayD<f64> {
        values.clone()
    }
    fn add(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
        x + y
    }
    fn sub(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
        x - y
    }
    fn neg(&self, x: &ArrayD<f64>) -> ArrayD<f64> {
        -x
    }
    fn add_public(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
        x + y
    }
    fn mul_integer(&self, x: &ArrayD<f64>, factor: i64) -> ArrayD<f64> {
        x * factor as f64
    }
    fn sum(&self, x: &ArrayD<f64>, axis: usize) -> ArrayD<f64> {
        x.sum_axis(Axis(axis))
    }
    fn reshape(&self, x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
        arrays::reshape(x, shape)
    }
    fn permute(&self, x: &ArrayD<f64>, axes: &[usize]) -> ArrayD<f64> {
        arrays::permute(x, axes)
    }
    fn slice(&self, x: &ArrayD<f64>, axis: usize, range: Range<usize>) -> ArrayD<f64> {
        arrays::slice(x, axis, range)
    }
    fn concat(&self, parts: &[&ArrayD<f64>], axis: usize) -> ArrayD<f64> {
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        arrays::concat(&views, axis)
    }
    fn broadcast(&self, x: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
        arrays::broadcast(x, shape)
    }
    fn windows(&self, x: &ArrayD<f64>, pool: &Pool2d, outside: Outside<f64>) -> ArrayD<f64> {
        pool.windows(x.view(), outside)
    }

    fn bits_shape(&self, bits: &ArrayD<bool>) -> Vec<usize> {
        bits.shape().to_vec()
    }
    fn not(&self, bits: &ArrayD<bool>) -> ArrayD<bool> {
        !bits
    }
    fn xor(&self, x: &ArrayD<bool>, y: &ArrayD<bool>) -> ArrayD<bool> {
        x ^ y
    }
    fn arrange_bits(&self, parts: &[&ArrayD<bool>], places: &ArrayD<usize>) -> ArrayD<bool> {
        arrays::arranged(parts, places)
    }

    async fn mul(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x * y)
    }
    async fn mul_public(
        &self,
        x: &ArrayD<f64>,
        y: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(x * y)
    }
    async fn matmul(&self, x: &ArrayD<f64>, y: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(matrix(x).dot(&matrix(y)).into_dyn())
    }
    async fn conv2d(
        &self,
        x: &ArrayD<f64>,
        w: &ArrayD<f64>,
        bias: Option<&ArrayD<f64>>,
        geometry: &Conv2d,
    ) -> Result<ArrayD<f64>, Infallible> {
        let out = convolve(x, w, geometry);
        Ok(match bias {
            Some(bias) => out + arrays::reshape(bias, &[geometry.filters, 1, 1]),
            None => out,
        })
    }
    async fn relu(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(|v| v.max(0.0)))
    }
    async fn is_negative(&self, x: &ArrayD<f64>) -> Result<ArrayD<bool>, Infallible> {
        Ok(x.mapv(|v| v < 0.0))
    }
    async fn and(&self, x: &ArrayD<bool>, y: &ArrayD<bool>) -> Result<ArrayD<bool>, Infallible> {
        Ok(x & y)
    }
    async fn numbers(&self, bits: &ArrayD<bool>) -> Result<ArrayD<f64>, Infallible> {
        Ok(bits.mapv(|bit| f64::from(u8::from(bit))))
    }
    async fn select(
        &self,
        bits: &ArrayD<bool>,
        x: &ArrayD<f64>,
        y: &ArrayD<f64>,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(Zip::from(bits)
            .and(x)
            .and(y)
            .map_collect(|&bit, &x, &y| if bit { x } else { y }))
    }
    async fn max(&self, x: &ArrayD<f64>, axis: usize) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.fold_axis(Axis(axis), f64::NEG_INFINITY, |&a, &b| a.max(b)))
    }
    async fn argmax_one_hot(
        &self,
        x: &ArrayD<f64>,
        axis: usize,
    ) -> Result<ArrayD<f64>, Infallible> {
        Ok(arrays::one_hot(x, axis, 0.0, 1.0))
    }
    async fn exp(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(f64::exp))
    }
    async fn reciprocal(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(f64::recip))
    }
    async fn rsqrt(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(|v| v.sqrt().recip()))
    }
    async fn sqrt(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(f64::sqrt))
    }
    async fn sigmoid(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(|v| (1.0 + (-v).exp()).recip()))
    }
    async fn tanh(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(f64::tanh))
    }
    async fn log(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(f64::ln))
    }
    async fn erf(&self, x: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        Ok(x.mapv(libm::erf))
    }
    async fn softmax(&self, x: &ArrayD<f64>, axis: usize) -> Result<ArrayD<f64>, Infallible> {
        let mut out = x.clone();
        for mut lane in out.lanes_mut(Axis(axis)) {
            let largest = lane.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            lane.mapv_inplace(|v| (v - largest).exp());
            let sum = lane.sum();
            lane.mapv_inplace(|v| v / sum);
        }
        Ok(out)
    }
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        (f(self).await, g(self).await)
    }
}

fn matrix(x: &ArrayD<f64>) -> ArrayView2<'_, f64> {
    let [rows, columns] = [x.shape()[0], x.shape()[1]];
    let view = x
        .as_slice()
        .and_then(|data| ArrayView2::from_shape((rows, columns), data).ok());
    assert!(
        view.is_some() && x.ndim() == 2,
        "a matrix in standard layout"
    );
    view.unwrap_or_else(|| ArrayView2::from(&[[0.0; 0]; 0]))
}

/// A convolution as one matrix product per picture and group, on the unrolled picture.
fn convolve(x: &ArrayD<f64>, w: &ArrayD<f64>, g: &Conv2d) -> ArrayD<f64> {
    let [oh, ow] = g.output();
    let (columns, taps) = (oh * ow, g.channels / g.groups * g.kernel[0] * g.kernel[1]);
    let filters = g.filters / g.groups;
    let (x, w) = (x.as_standard_layout(), w.as_standard_layout());
    let (x, w) = (
        x.as_slice().unwrap_or_default(),
        w.as_slice().unwrap_or_default(),
    );
    let mut out = vec![0.0; g.batch * g.filters * columns];
    let mut unrolled = Array2::zeros((taps, columns));
    let picture = g.channels / g.groups * g.input[0] * g.input[1];
    for (index, out) in out.chunks_exact_mut(filters * columns).enumerate() {
        // Pictures and groups in one count: both run over consecutive channels.
        unroll(&x[index * picture..][..picture], g, [oh, ow], &mut unrolled);
        let w = &w[index % g.groups * filters * taps..][..filters * taps];
        let w = ArrayView2::from_shape((filters, taps), w);
        let out = ArrayViewMut2::from_shape((filters, columns), out);
        if let (Ok(w), Ok(mut out)) = (w, out) {
            ndarray::linalg::general_mat_mul(1.0, &w, &unrolled, 0.0, &mut out);
        }
    }
    ArrayD::from_shape_vec(IxDyn(&[g.batch, g.filters, oh, ow]), out).unwrap_or_default()
}

/// Rows: channel, kernel row, kernel column. Columns: positions of the output.
fn unroll(channels: &[f64], g: &Conv2d, [oh, ow]: [usize; 2], out: &mut Array2<f64>) {
    let [h, w] = g.input;
    let mut rows = out.rows_mut().into_iter();
    for plane in channels.chunks_exact(h * w) {
        for ki in 0..g.kernel[0] {
            for kj in 0..g.kernel[1] {
                let Some(mut row) = rows.next() else { return };
                for i in 0..oh {
                    let at = (i * g.strides[0] + ki * g.dilations[0]).wrapping_sub(g.pads[0]);
                    for j in 0..ow {
                        let left = (j * g.strides[1] + kj * g.dilations[1]).wrapping_sub(g.pads[1]);
                        // A coordinate in the padding wraps to a huge one.
                        row[i * ow + j] = if at < h && left < w {
                            plane[at * w + left]
                        } else {
                            0.0
                        };
                    }
                }
            }
        }
    }
}
