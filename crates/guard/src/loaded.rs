//! The membership classifier on a back end: score, and gradient by the confidences.

use crate::{Classifier, Settings};
use ndarray::ArrayD;
use trefoil_nn::RangedBackend;

/// A classifier's weights on a back end, ready for both directions.
pub struct LoadedClassifier<B: RangedBackend> {
    layers: Vec<Layer<B>>,
    /// The last layer's weights as a row, times c1 and the gradient's scale: where the way back starts.
    seed: B::Tensor,
    classes: usize,
    activation_bound: f64,
}

pub(crate) struct Layer<B: RangedBackend> {
    pub(crate) weights: B::Tensor,
    pub(crate) transposed: B::Tensor,
    pub(crate) bias: B::Tensor,
    /// Weights, and the bias as the row of one more input.
    joined: B::Tensor,
}

/// What a pass of the network found.
pub(crate) struct Pass<B: RangedBackend> {
    /// `h < 0`, one bit a row.
    pub(crate) negative: B::Bits,
    /// `c1 scale dh/ds` (rows × classes), if it was asked for.
    pub(crate) gradient: Option<B::Tensor>,
}

impl<B: RangedBackend> LoadedClassifier<B> {
    /// The network of an owner's tensors, in the order of [`crate::NetworkShape::tensors`]. One round, for the scaled last layer.
    ///
    /// # Errors
    /// The back end's.
    ///
    /// # Panics
    /// If the tensors do not have those shapes.
    pub async fn new(
        backend: &B,
        settings: &Settings,
        tensors: &[B::Tensor],
    ) -> Result<Self, B::Error> {
        let shapes = settings.shape.tensors();
        assert_eq!(tensors.len(), shapes.len(), "tensors of a classifier");
        for (tensor, shape) in tensors.iter().zip(&shapes) {
            assert_eq!(backend.shape(tensor), *shape, "a tensor of a classifier");
        }
        let layer = |pair: &[B::Tensor]| Layer {
            joined: backend.concat(&[&pair[0], &pair[1]], 0),
            weights: pair[0].clone(),
            transposed: backend.permute(&pair[0], &[1, 0]),
            bias: pair[1].clone(),
        };
        let layers: Vec<Layer<B>> = tensors.chunks_exact(2).map(layer).collect();
        let factor = settings.weights[0] * settings.gradient_scale();
        let last = &layers[layers.len() - 1].transposed;
        let seed = if factor.to_bits() == 1.0_f64.to_bits() {
            last.clone()
        } else {
            let factor = ArrayD::from_elem(vec![1, 1], factor);
            backend.mul_public(last, &factor).await?
        };
        Ok(Self {
            layers,
            seed,
            classes: settings.classes(),
            activation_bound: settings.activation_bound,
        })
    }

    /// A network whose weights everyone knows: for the clear, and for measuring cost.
    ///
    /// # Errors
    /// The back end's.
    pub async fn public(
        backend: &B,
        settings: &Settings,
        classifier: &Classifier,
    ) -> Result<Self, B::Error> {
        let tensors: Vec<B::Tensor> = classifier
            .tensors()
            .iter()
            .map(|t| backend.public(t))
            .collect();
        Self::new(backend, settings, &tensors).await
    }

    /// Classes of the model.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The layers, first to last.
    pub(crate) fn layers(&self) -> &[Layer<B>] {
        &self.layers
    }

    /// The last layer's weights times c1 and the gradient's scale, once for each row: where the way back starts.
    pub(crate) fn seed(&self, backend: &B, rows: usize) -> B::Tensor {
        let width = backend.shape(&self.seed)[1];
        backend.broadcast(&self.seed, &[rows, width])
    }

    /// What all values stay below.
    pub(crate) fn bound(&self) -> f64 {
        self.activation_bound
    }

    /// The sign of the score of each row and, if asked for, its gradient, from confidences at any scale: `scaled` (rows
    /// × classes) sums to `scale` (rows).
    ///
    /// All layers are positively homogeneous once their biases are scaled too, so neurons let through what they would,
    /// and signs and gradient, which depend on nothing else, need no division. The way back starts when the last
    /// hidden layer's signs are known, beside the last product.
    pub(crate) async fn pass(
        &self,
        backend: &B,
        scaled: &B::Tensor,
        scale: &B::Tensor,
        gradient: bool,
    ) -> Result<Pass<B>, B::Error> {
        let hidden = self.layers.len() - 1;
        let rows = backend.shape(scaled)[0];
        let column = backend.reshape(scale, &[rows, 1]);
        let affine = async |backend: &B, value: &B::Tensor, layer: &Layer<B>| {
            let input = backend.concat(&[value, &column], 1);
            backend.matmul_untruncated(&input, &layer.joined).await
        };
        let mut value = scaled.clone();
        let mut kept = Vec::with_capacity(hidden);
        let mut before_last = None;
        for (index, layer) in self.layers[..hidden].iter().enumerate() {
            let product = affine(backend, &value, layer).await?;
            let negative = backend
                .is_negative_untruncated(&product, self.bound())
                .await?;
            let positive = backend.factors(&backend.not(&negative)).await?;
            if index + 1 < hidden {
                value = backend.masked_untruncated(&positive, &product).await?;
            } else {
                before_last = Some(product);
            }
            kept.push(positive);
        }
        let (Some(last), Some(product)) = (kept.last(), before_last) else {
            unreachable!("a classifier has a hidden layer");
        };
        let forward = async |backend: &B| -> Result<B::Bits, B::Error> {
            let value = backend.masked_untruncated(last, &product).await?;
            let score = affine(backend, &value, &self.layers[hidden]).await?;
            let negative = backend
                .is_negative_untruncated(&score, self.bound())
                .await?;
            // One a row.
            Ok(backend.parity(&negative))
        };
        if !gradient {
            let negative = forward(backend).await?;
            let gradient = None;
            return Ok(Pass { negative, gradient });
        }
        let back = async |backend: &B| -> Result<B::Tensor, B::Error> {
            let mut g = backend.masked_by(last, &self.seed(backend, rows)).await?;
            for (below, layer) in kept.iter().zip(&self.layers[1..hidden]).rev() {
                let product = backend.matmul_untruncated(&g, &layer.transposed).await?;
                g = backend.masked_untruncated(below, &product).await?;
            }
            backend.matmul(&g, &self.layers[0].transposed).await
        };
        let (negative, gradient) = backend.join(forward, back).await;
        Ok(Pass {
            negative: negative?,
            gradient: Some(gradient?),
        })
    }

    /// The score itself (rows): for checks in the clear.
    ///
    /// # Errors
    /// The back end's.
    pub async fn score(&self, backend: &B, s: &B::Tensor) -> Result<B::Tensor, B::Error> {
        let rows = backend.shape(s)[0];
        let mut value = s.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            let product = backend.matmul(&value, &layer.weights).await?;
            value = backend.add(&product, &layer.bias);
            if index + 1 < self.layers.len() {
                value = backend.relu(&value).await?;
            }
        }
        Ok(backend.reshape(&value, &[rows]))
    }
}
