//! Inference of a dense network.

use super::{Disguise, Framework, bilinear, linear, relu, sigmoid, truncate};
use trefoil_mpc::Abort;
use trefoil_ring::Z64;

/// What follows a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing: the last layer.
    None,
    /// The rectifier.
    Relu,
    /// The clamp of `x + 1/2` to `[0, 1]`.
    Sigmoid,
}

/// A party's shares of a dense layer.
#[derive(Clone)]
pub struct Dense {
    /// Width of its input and output.
    pub size: [usize; 2],
    /// Shares of the weights (inputs × outputs), row-major.
    pub weights: Vec<Z64>,
    /// Shares of the bias, at the scale of the products.
    pub bias: Vec<Z64>,
    /// What follows.
    pub activation: Activation,
}

/// Shares of the network's answers to `rows` queries (rows × inputs), in numbers of `fraction_bits`.
///
/// # Errors
/// As every message.
pub async fn infer(
    framework: &Framework<'_>,
    layers: &[Dense],
    queries: Vec<Z64>,
    rows: usize,
    fraction_bits: u32,
    disguise: Disguise,
) -> Result<Vec<Z64>, Abort> {
    let mut x = queries;
    for layer in layers {
        let [inputs, outputs] = layer.size;
        let lens = [rows * inputs, inputs * outputs, rows * outputs];
        let map = |a: &[Z64], b: &[Z64], out: &mut [Z64]| {
            trefoil_ring::matmul(rows, inputs, outputs, a, b, out);
        };
        x = bilinear(framework, &x, &layer.weights, lens, map).await?;
        if !framework.helps() {
            for row in x.chunks_mut(outputs) {
                linear::add_to(row, &layer.bias);
            }
            x = truncate(framework, &x, fraction_bits);
        }
        let len = rows * outputs;
        x = match layer.activation {
            Activation::None => x,
            Activation::Relu => relu(framework, &x, len, disguise).await?,
            Activation::Sigmoid => sigmoid(framework, &x, len, fraction_bits, disguise).await?,
        };
    }
    Ok(x)
}
