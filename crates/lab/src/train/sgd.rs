//! Stochastic gradient descent.

use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum and weight decay, as PyTorch defines them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// The rate of the first epoch.
    pub rate: f64,
    /// Which part of the last step is repeated.
    pub momentum: f64,
    /// Which part of a weight is added to its gradient.
    pub weight_decay: f64,
    /// Epochs, counted from 0, from which on the rate is multiplied by `factor` once more.
    pub drops: Vec<usize>,
    /// By how much the rate falls.
    pub factor: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self {
            rate: 0.01,
            momentum: 0.0,
            weight_decay: 0.0,
            drops: Vec::new(),
            factor: 0.1,
        }
    }
}

impl Sgd {
    /// The rate of an epoch, counted from 0.
    ///
    /// ```
    /// use trefoil_lab::train::Sgd;
    /// let sgd = Sgd { drops: vec![150], ..Sgd::default() };
    /// assert_eq!(sgd.rate_at(149), 0.01);
    /// assert_eq!(sgd.rate_at(150), 0.001);
    /// ```
    pub fn rate_at(&self, epoch: usize) -> f64 {
        let drops = self.drops.iter().filter(|&&drop| epoch >= drop).count();
        self.rate * self.factor.powi(drops as i32)
    }

    /// One step. `velocity` is empty before the first.
    pub(super) fn step(
        &self,
        rate: f64,
        parameters: &mut [Tensor<1>],
        gradients: Vec<Tensor<1>>,
        velocity: &mut Vec<Tensor<1>>,
    ) {
        let mut steps = Vec::with_capacity(gradients.len());
        for (parameter, mut gradient) in parameters.iter().zip(gradients) {
            if self.weight_decay != 0.0 {
                gradient = gradient + parameter.clone() * self.weight_decay;
            }
            steps.push(gradient);
        }
        if self.momentum != 0.0 {
            if !velocity.is_empty() {
                for (step, before) in steps.iter_mut().zip(velocity.iter()) {
                    *step = step.clone() + before.clone() * self.momentum;
                }
            }
            velocity.clone_from(&steps);
        }
        for (parameter, step) in parameters.iter_mut().zip(steps) {
            *parameter = parameter.clone() - step * rate;
        }
    }
}
