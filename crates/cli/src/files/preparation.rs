//! How samples become what a model takes: scaling, and the order of axes.

use crate::Failure;
use clap::{Args, ValueEnum};
use ndarray::{ArrayD, Axis};
use std::path::Path;

/// How pictures become what a model takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Preparation {
    /// Divide values by 255, so that pixels lie in [0, 1]
    #[arg(long)]
    pub(super) unit: bool,
    /// Subtract these, one number for each channel (after --unit)
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub(super) mean: Vec<f64>,
    /// Divide by these, one number for each channel (after --mean)
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    pub(super) std: Vec<f64>,
    /// Where channels are. `nhwc` if the model or the array has them last: pictures and arrays that have them elsewhere
    /// than the model are transposed
    #[arg(long, value_enum, default_value_t = Layout::Nchw)]
    pub(super) layout: Layout,
}

/// The order of a picture tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Pictures, channels, height, width (PyTorch)
    #[default]
    Nchw,
    /// Pictures, height, width, channels (TensorFlow)
    Nhwc,
}

impl Preparation {
    /// Whether anything is to be done.
    pub(crate) fn given(&self) -> bool {
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
    ) -> Result<(), Failure> {
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
                return Err(Failure::misuse(format!(
                    "{flag} has {} numbers, but {shown} has {channels} channels, along axis {axis} of its shape {shape:?}",
                    numbers.len()
                ))
                .help(
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
                return Err(Failure::misuse(format!("{flag} has the number {bad}"))
                    .help(format!("give {numbers}")));
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
