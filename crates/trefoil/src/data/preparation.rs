//! How samples become what a model takes: scaling, and the order of axes.

use crate::Error;
use ndarray::{ArrayD, Axis};
use std::path::Path;

/// How numbers in files become what a model takes: the preparation of training, which a user states.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Divide values by 255, so that pixels lie in [0, 1].
    pub unit: bool,
    /// Subtract these, one number for each channel, after `unit`.
    pub mean: Vec<f64>,
    /// Divide by these, one number for each channel, after `mean`.
    pub std: Vec<f64>,
    /// Where channels are.
    pub layout: Layout,
}

/// The order of a picture tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Pictures, channels, height, width (PyTorch).
    #[default]
    Nchw,
    /// Pictures, height, width, channels (TensorFlow): pictures and arrays that have channels elsewhere than the model are
    /// transposed.
    Nhwc,
}

impl Preparation {
    /// Whether anything is to be done.
    pub fn given(&self) -> bool {
        self.unit || !self.mean.is_empty() || !self.std.is_empty() || self.layout != Layout::Nchw
    }

    /// Scale `values`, whose channels lie along axis `channels`.
    ///
    /// # Errors
    /// If there are more or fewer means or deviations than channels, or one that cannot be.
    pub(super) fn scale(
        &self,
        path: &Path,
        values: &mut ArrayD<f64>,
        axis: usize,
    ) -> Result<(), Error> {
        if self.unit {
            values.mapv_inplace(|v| v / 255.0);
        }
        for (flag, numbers) in [("--mean", &self.mean), ("--std", &self.std)] {
            if numbers.is_empty() {
                continue;
            }
            let channels = values.shape().get(axis).copied().unwrap_or(0);
            if numbers.len() != channels && numbers.len() != 1 {
                let (shown, shape) = (path.display(), values.shape());
                return Err(Error::misuse(format!(
                    "{flag} has {} numbers, but {shown} has {channels} channels, along axis {axis} of its shape {shape:?}",
                    numbers.len()
                ))
                .with_help(
                    "give one number for all channels, or one for each; if the channels are the last axis, add --layout nhwc",
                ));
            }
            let cannot_be = |v: &f64| !v.is_finite() || (flag == "--std" && *v <= 0.0);
            if let Some(bad) = numbers.iter().find(|v| cannot_be(v)) {
                let numbers = if flag == "--std" {
                    "positive numbers"
                } else {
                    "finite numbers"
                };
                return Err(Error::misuse(format!("{flag} has the number {bad}"))
                    .with_help(format!("give {numbers}")));
            }
            if channels == 0 {
                continue;
            }
            for (channel, mut part) in values.axis_iter_mut(Axis(axis)).enumerate() {
                let number = numbers[channel % numbers.len()];
                part.mapv_inplace(|v| {
                    if flag == "--mean" {
                        v - number
                    } else {
                        v / number
                    }
                });
            }
        }
        Ok(())
    }
}
