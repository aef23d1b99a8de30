//! The simulated membership classifier h in the clear.

use crate::{GuardError, NetworkShape, Settings};
use ndarray::{Array1, Array2, ArrayD, Axis};

/// A dense layer: `x W + b` for rows x.
#[derive(Clone, PartialEq)]
pub struct Dense {
    /// Weights, inputs × outputs.
    pub weights: Array2<f64>,
    /// Biases, outputs.
    pub bias: Array1<f64>,
}

/// An MLP from a confidence vector to one real score, `ReLU` between its layers; > 0 means member. A secret of the model's
/// owner: no `Debug`.
#[derive(Clone, PartialEq)]
pub struct Classifier {
    layers: Vec<Dense>,
}

impl Classifier {
    /// The classifier of these layers.
    ///
    /// # Errors
    /// Layers that do not follow each other, more than one output, sizes out of range, weights that are no numbers.
    pub fn new(layers: Vec<Dense>) -> Result<Self, GuardError> {
        let mut width = layers.first().map_or(0, |layer| layer.weights.nrows());
        for (index, layer) in layers.iter().enumerate() {
            if layer.weights.nrows() != width || layer.bias.len() != layer.weights.ncols() {
                return Err(GuardError::Layers {
                    layer: index,
                    expected: width,
                    actual: layer.weights.nrows(),
                });
            }
            width = layer.weights.ncols();
            let values = layer.weights.iter().chain(&layer.bias);
            if let Some((at, &value)) = values.enumerate().find(|(_, v)| !v.is_finite()) {
                return Err(GuardError::Weight {
                    layer: index,
                    index: at,
                    value,
                });
            }
        }
        if width != 1 {
            return Err(GuardError::Output { actual: width });
        }
        let classifier = Self { layers };
        classifier.shape().check()?;
        Ok(classifier)
    }

    /// A classifier of this shape with weights of `draw`, which gives numbers in (-1, 1): scaled as He et al. 2015 do, for
    /// benchmarks, whose cost does not depend on weights.
    ///
    /// # Errors
    /// A shape out of range.
    pub fn sample(shape: &NetworkShape, mut draw: impl FnMut() -> f64) -> Result<Self, GuardError> {
        shape.check()?;
        let mut dense = |(inputs, outputs): (usize, usize)| {
            let scale = (6.0 / inputs as f64).sqrt();
            Dense {
                weights: Array2::from_shape_simple_fn((inputs, outputs), || scale * draw()),
                bias: Array1::from_shape_simple_fn(outputs, || 0.1 * draw()),
            }
        };
        Self::new(shape.layers().into_iter().map(&mut dense).collect())
    }

    /// Its layers.
    pub fn layers(&self) -> &[Dense] {
        &self.layers
    }

    /// Its sizes.
    pub fn shape(&self) -> NetworkShape {
        let hidden = self.layers.len().saturating_sub(1);
        NetworkShape {
            inputs: self.layers.first().map_or(0, |layer| layer.weights.nrows()),
            hidden: self.layers[..hidden]
                .iter()
                .map(|layer| layer.weights.ncols())
                .collect(),
        }
    }

    /// The tensors that the owner shares, in the order of [`NetworkShape::tensors`].
    pub fn tensors(&self) -> Vec<ArrayD<f64>> {
        let both = |layer: &Dense| {
            let bias = layer.bias.clone().insert_axis(Axis(0));
            [layer.weights.clone().into_dyn(), bias.into_dyn()]
        };
        self.layers.iter().flat_map(both).collect()
    }

    /// The score of one confidence vector.
    pub fn score(&self, s: &Array1<f64>) -> f64 {
        self.forward(s).1
    }

    /// The score and its gradient by the confidences.
    pub fn gradient(&self, s: &Array1<f64>) -> (f64, Array1<f64>) {
        let (kept, score) = self.forward(s);
        let mut g = Array1::ones(1);
        for (layer, kept) in self.layers.iter().zip(&kept).rev() {
            g = layer.weights.dot(&(&g * kept));
        }
        (score, g)
    }

    /// Which neurons of each layer let through (1 or 0; the last always), and the score.
    fn forward(&self, s: &Array1<f64>) -> (Vec<Array1<f64>>, f64) {
        let mut value = s.clone();
        let mut kept = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            value = value.dot(&layer.weights) + &layer.bias;
            let last = index + 1 == self.layers.len();
            kept.push(value.mapv(|v| f64::from(last || v >= 0.0)));
            if !last {
                value.mapv_inplace(|v| v.max(0.0));
            }
        }
        (kept, value.first().copied().unwrap_or(0.0))
    }

    /// The largest magnitude of any value before a `ReLU` and of the score, over all confidence vectors: interval
    /// arithmetic, exact in the first layer, where a confidence vector mixes the rows of the weights.
    pub fn value_bound(&self) -> f64 {
        let mut largest = 0.0_f64;
        let mut interval: Option<(Array1<f64>, Array1<f64>)> = None;
        for layer in &self.layers {
            let (low, high) = match &interval {
                None => {
                    let fold = |start: f64, f: fn(f64, f64) -> f64| {
                        layer.weights.fold_axis(Axis(0), start, |&a, &b| f(a, b))
                    };
                    let low = fold(f64::INFINITY, f64::min);
                    (low, fold(f64::NEG_INFINITY, f64::max))
                }
                Some((low, high)) => {
                    let positive = layer.weights.mapv(|w| w.max(0.0));
                    let negative = layer.weights.mapv(|w| w.min(0.0));
                    let at = |a: &Array1<f64>, b: &Array1<f64>| a.dot(&positive) + b.dot(&negative);
                    (at(low, high), at(high, low))
                }
            };
            let (low, high) = (low + &layer.bias, high + &layer.bias);
            largest = low.iter().chain(&high).fold(largest, |a, v| a.max(v.abs()));
            interval = Some((low.mapv(|v| v.max(0.0)), high.mapv(|v| v.max(0.0))));
        }
        largest
    }

    /// A bound of the gradient's elements over all confidence vectors: whichever neurons let through, the way back is
    /// bounded by the absolute weights.
    pub fn gradient_bound(&self) -> f64 {
        let mut g = Array1::ones(1);
        for layer in self.layers.iter().rev() {
            g = layer.weights.mapv(f64::abs).dot(&g);
        }
        g.fold(0.0, |a, &b| a.max(b))
    }

    /// The largest norm of a gradient of the loss, before it is shifted.
    fn loss_gradient_bound(&self, settings: &Settings) -> f64 {
        let [c1, c2, c3] = settings.weights;
        let distortion = c3 * 10_f64.powi(settings.steps.outer as i32);
        // Each element is a weight of sum 1 times a difference of two elements of v; the leading class takes their sum.
        let v = c1 * self.gradient_bound() + distortion;
        2.0 * 2_f64.sqrt() * v + 2_f64.sqrt() * c2
    }

    /// The ranges of `settings` that this classifier needs: the next power of two above its values, and the shift of the
    /// gradient. Both become public with the settings.
    pub fn fit(&self, settings: &mut Settings) {
        let bound = self.value_bound().max(1.0).log2().floor() + 1.0;
        settings.activation_bound = bound.exp2();
        let excess = self.loss_gradient_bound(settings) / settings.largest_norm();
        settings.gradient_shift = excess.max(1.0).log2().ceil() as u32;
    }

    /// Check that this classifier belongs to `settings` and stays within their ranges.
    ///
    /// # Errors
    /// Another shape, or a value that can leave its range.
    pub fn check(&self, settings: &Settings) -> Result<(), GuardError> {
        settings.check()?;
        if self.shape().inputs != settings.classes() {
            return Err(GuardError::Width {
                expected: self.shape().inputs,
                actual: settings.classes(),
            });
        }
        let (what, value) = ("a value of the membership classifier", self.value_bound());
        if value >= settings.activation_bound {
            return Err(GuardError::Range {
                what,
                value,
                limit: settings.activation_bound,
                advice: "raise the activation bound, or train the classifier with weight decay",
            });
        }
        let value = self.loss_gradient_bound(settings) * settings.gradient_scale();
        if value > settings.largest_norm() {
            return Err(GuardError::Range {
                what: "the gradient of the loss",
                value,
                limit: settings.largest_norm(),
                advice: "raise the gradient shift, or train the classifier with weight decay",
            });
        }
        Ok(())
    }
}
