//! SIGuard as printed (NDSS 2025, Protocols 1 to 6): for comparison, and as the oracle of the fast variant.
//!
//! Kept: the n × n Jacobian, the sequential one-hot argmax, a fresh softmax in every step, the label of the unperturbed
//! confidences anew in every step, steps one after the other. Two places differ, where the printed form loses the guard in
//! fixed point: the softmax subtracts its maximum (else it overflows above 9.7, see `docs/guard.md`), and the norm's square is
//! not rounded before its root.

use crate::{LoadedClassifier, Settings};
use ndarray::{Array2, ArrayD};
use trefoil_nn::RangedBackend;

/// The guarded confidences (rows × classes) of logits (rows × classes).
///
/// # Errors
/// The back end's.
pub async fn faithful<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let shape = backend.shape(logits);
    let (rows, n) = (shape[0], shape[1]);
    let s = settings.softmax.apply(backend, logits).await?;
    let (_, score) = forward(backend, network, &s).await?;
    let scale = settings.gradient_scale();
    let mut c3 = backend.constant(&[rows], settings.weights[2] * scale);
    let mut best = backend.constant(&shape, 0.0);
    let beta = ArrayD::from_elem(vec![1, 1], settings.steps.beta);
    for _ in 0..settings.steps.outer {
        let mut noise = backend.constant(&shape, 0.0);
        for _ in 0..settings.steps.inner {
            let u = gradient(backend, settings, network, logits, &s, &noise, &c3).await?;
            let u = backend.unit(&u).await?;
            noise = backend.sub(&noise, &backend.mul_public(&u, &beta).await?);
        }
        let valid = validate(backend, settings, network, logits, &s, &noise, &score).await?;
        let change = backend.sub(&noise, &best);
        let change = backend
            .masked(&backend.repeat_bits(&valid, n), &change)
            .await?;
        best = backend.add(&best, &change);
        let more = backend.masked(&valid, &c3).await?;
        c3 = backend.add(&c3, &backend.mul_integer(&more, 9));
    }
    settings
        .softmax
        .apply(backend, &backend.add(logits, &best))
        .await
}

/// Protocol 1: the gradient of the loss.
async fn gradient<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
    s: &B::Tensor,
    noise: &B::Tensor,
    c3: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let n = backend.shape(s)[1];
    let now = settings
        .softmax
        .apply(backend, &backend.add(logits, noise))
        .await?;
    let jacobian = jacobian(backend, &now).await?;
    let (kept, score) = forward(backend, network, &now).await?;
    // Step 5: the sign as a number.
    let negative = backend.is_negative(&score).await?;
    let twice = backend.scaled_bits(&negative, 2.0).await?;
    let sign = backend.sub(&backend.constant(&backend.shape(&score), 1.0), &twice);
    let g = backward(backend, network, &kept).await?;
    // Step 7: sign J g, with c1 in g.
    let moved = times(backend, &jacobian, &g).await?;
    let membership = backend.mul(&moved, &backend.repeat(&sign, n)).await?;
    // Steps 8 to 10.
    let label = argmax(backend, s).await?;
    let leader = argmax(backend, &now).await?;
    let weight = ArrayD::from_elem(vec![1, 1], settings.weights[1] * settings.gradient_scale());
    let utility = backend
        .mul_public(&backend.sub(&leader, &label), &weight)
        .await?;
    // Steps 11 to 13.
    let below = backend.is_negative(&backend.sub(&now, s)).await?;
    let twice = backend.scaled_bits(&below, 2.0).await?;
    let signs = backend.sub(&backend.constant(&backend.shape(s), 1.0), &twice);
    let distortion = times(backend, &jacobian, &signs).await?;
    let distortion = backend.mul(&distortion, &backend.repeat(c3, n)).await?;
    Ok(backend.add(&backend.add(&membership, &utility), &distortion))
}

/// Protocol 4: `J_ij = s_i (delta_ij - s_j)` (rows × n × n).
async fn jacobian<B: RangedBackend>(backend: &B, s: &B::Tensor) -> Result<B::Tensor, B::Error> {
    let shape = backend.shape(s);
    let (rows, n) = (shape[0], shape[1]);
    let column = backend.reshape(s, &[rows, n, 1]);
    let row = backend.reshape(s, &[rows, 1, n]);
    let identity = backend.public(&Array2::eye(n).into_dyn());
    let difference = backend.sub(&identity, &row);
    backend.mul(&column, &difference).await
}

/// `J v`, row by row.
async fn times<B: RangedBackend>(
    backend: &B,
    jacobian: &B::Tensor,
    v: &B::Tensor,
) -> Result<B::Tensor, B::Error> {
    let shape = backend.shape(jacobian);
    let v = backend.reshape(v, &[shape[0], 1, shape[2]]);
    backend.dot(jacobian, &backend.broadcast(&v, &shape)).await
}

/// The one-hot argmax of section V-A: one class after the other.
async fn argmax<B: RangedBackend>(backend: &B, x: &B::Tensor) -> Result<B::Tensor, B::Error> {
    let shape = backend.shape(x);
    let (rows, n) = (shape[0], shape[1]);
    let unit = |class: usize| {
        let hot = ArrayD::from_shape_fn(vec![rows, n], |at| f64::from(at[1] == class));
        backend.public(&hot)
    };
    let mut largest = backend.slice(x, 1, 0..1);
    let mut hot = unit(0);
    for class in 1..n {
        let value = backend.slice(x, 1, class..class + 1);
        let above = backend.is_negative(&backend.sub(&largest, &value)).await?;
        let up = async |backend: &B| backend.select(&above, &value, &largest).await;
        let turn = async |backend: &B| {
            let flat = backend.parity(&above);
            let change = backend.sub(&unit(class), &hot);
            backend
                .masked(&backend.repeat_bits(&flat, n), &change)
                .await
        };
        let (up, turn) = backend.join(up, turn).await;
        largest = up?;
        hot = backend.add(&hot, &turn?);
    }
    Ok(hot)
}

/// Protocol 2: whether the noise keeps the label and flips the classifier's sign.
async fn validate<B: RangedBackend>(
    backend: &B,
    settings: &Settings,
    network: &LoadedClassifier<B>,
    logits: &B::Tensor,
    s: &B::Tensor,
    noise: &B::Tensor,
    score: &B::Tensor,
) -> Result<B::Bits, B::Error> {
    let now = settings
        .softmax
        .apply(backend, &backend.add(logits, noise))
        .await?;
    let (label, leader) = (argmax(backend, s).await?, argmax(backend, &now).await?);
    // Equal labels: the one-hot vectors' inner product is 1, else 0.
    let same = backend.dot(&label, &leader).await?;
    let half = backend.constant(&backend.shape(&same), 0.5);
    let differ = backend.is_negative(&backend.sub(&same, &half)).await?;
    let (_, now_score) = forward(backend, network, &now).await?;
    let flips = backend
        .is_negative(&backend.mul(score, &now_score).await?)
        .await?;
    backend.and(&flips, &backend.not(&differ)).await
}

/// Protocol 5: which neurons of each hidden layer let through, and the score (rows).
async fn forward<B: RangedBackend>(
    backend: &B,
    network: &LoadedClassifier<B>,
    s: &B::Tensor,
) -> Result<(Vec<B::Bits>, B::Tensor), B::Error> {
    let rows = backend.shape(s)[0];
    let mut kept = Vec::new();
    let mut value = s.clone();
    for (index, layer) in network.layers().iter().enumerate() {
        let product = backend.matmul(&value, &layer.weights).await?;
        value = backend.add(&product, &layer.bias);
        if index + 1 < network.layers().len() {
            let positive = backend.not(&backend.is_negative(&value).await?);
            value = backend.masked(&positive, &value).await?;
            kept.push(positive);
        }
    }
    Ok((kept, backend.reshape(&value, &[rows])))
}

/// Protocol 6: the score's gradient by the confidences (rows × classes), times c1.
async fn backward<B: RangedBackend>(
    backend: &B,
    network: &LoadedClassifier<B>,
    kept: &[B::Bits],
) -> Result<B::Tensor, B::Error> {
    let rows = kept.first().map_or(0, |bits| backend.bits_shape(bits)[0]);
    let mut g = network.seed(backend, rows);
    for (positive, layer) in kept.iter().zip(network.layers()).rev() {
        g = backend.masked(positive, &g).await?;
        g = backend.matmul(&g, &layer.transposed).await?;
    }
    Ok(g)
}
