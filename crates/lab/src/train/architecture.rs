//! Architectures as data: a list of layers, from which everything else is derived.

use crate::LabError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A layer of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// `x W + b` on vectors.
    Linear {
        /// Numbers that come out.
        outputs: usize,
    },
    /// A convolution with square kernels.
    Conv {
        /// Channels that come out.
        channels: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Distance of the windows.
        stride: usize,
        /// Zeros around the picture.
        padding: usize,
        /// Whether a number is added per channel.
        bias: bool,
    },
    /// Batch normalisation per channel (Ioffe and Szegedy 2015).
    BatchNorm,
    /// `max(x, 0)`.
    Relu,
    /// The maximum of square windows.
    MaxPool {
        /// Side and distance of the windows.
        size: usize,
    },
    /// The mean of square windows.
    AveragePool {
        /// Side and distance of the windows.
        size: usize,
    },
    /// The mean of each channel, as a vector.
    GlobalAveragePool,
    /// Pictures as vectors.
    Flatten,
    /// `body(x) + shortcut(x)`; an empty shortcut is `x` itself (He et al. 2016).
    Residual {
        /// The longer way.
        body: Vec<Layer>,
        /// The shorter way.
        shortcut: Vec<Layer>,
    },
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear { outputs } => write!(f, "a dense layer of {outputs} outputs"),
            Self::Conv {
                channels,
                kernel,
                stride,
                padding,
                ..
            } => write!(
                f,
                "a convolution to {channels} channels with kernels of {kernel} x {kernel}, stride {stride} and padding {padding}"
            ),
            Self::BatchNorm => f.write_str("a batch normalisation"),
            Self::Relu => f.write_str("a ReLU"),
            Self::MaxPool { size } => write!(f, "a maximum over windows of {size} x {size}"),
            Self::AveragePool { size } => write!(f, "a mean over windows of {size} x {size}"),
            Self::GlobalAveragePool => f.write_str("a mean over each channel"),
            Self::Flatten => f.write_str("a flattening"),
            Self::Residual { .. } => f.write_str("a residual block"),
        }
    }
}

/// A network without its numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// Its name, for messages and files.
    pub name: String,
    /// The shape of one example: `[features]`, or `[channels, height, width]`.
    pub input: Vec<usize>,
    /// The layers, first to last.
    pub layers: Vec<Layer>,
}

/// How a tensor of parameters starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initial {
    /// Uniform in ±√(6 / (in + out)) (Glorot and Bengio 2010).
    Glorot {
        /// Numbers that go in.
        fan_in: usize,
        /// Numbers that come out.
        fan_out: usize,
    },
    /// Normal with variance 2 / out (He et al. 2015, counted backwards as in residual networks).
    He {
        /// Numbers that each input goes to.
        fan_out: usize,
    },
    /// 0.
    Zero,
    /// 1.
    One,
}

/// A tensor of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, such as `3.weight`: the layer's position and the part.
    pub name: String,
    /// Its shape: `[in, out]` of linear layers, `[out, in, kernel, kernel]` of convolutions.
    pub shape: Vec<usize>,
    /// How it starts.
    pub initial: Initial,
}

/// What a walk over the layers collects.
#[derive(Default)]
struct Parts {
    parameters: Vec<Parameter>,
    /// The channels of each batch normalisation, which keeps a running mean and variance.
    statistics: Vec<usize>,
}

impl Architecture {
    /// The parameters in the order in which the layers use them.
    ///
    /// # Errors
    /// If a layer does not fit what comes in, with its position.
    pub fn parameters(&self) -> Result<Vec<Parameter>, LabError> {
        Ok(self.parts()?.0.parameters)
    }

    /// The channels of each batch normalisation, in order.
    ///
    /// # Errors
    /// If a layer does not fit what comes in, with its position.
    pub fn statistics(&self) -> Result<Vec<usize>, LabError> {
        Ok(self.parts()?.0.statistics)
    }

    /// Numbers that come out for one example.
    ///
    /// # Errors
    /// If a layer does not fit what comes in, or what comes out is no vector.
    pub fn outputs(&self) -> Result<usize, LabError> {
        match self.parts()?.1[..] {
            [outputs] => Ok(outputs),
            ref shape => Err(self.misfit("the end", &format!("{shape:?} is no vector"))),
        }
    }

    /// Numbers that go in for one example.
    pub fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    fn parts(&self) -> Result<(Parts, Vec<usize>), LabError> {
        let mut parts = Parts::default();
        if self.input.contains(&0) || ![1, 3].contains(&self.input.len()) {
            let problem = format!("{:?} is neither a vector nor a picture", self.input);
            return Err(self.misfit("the input", &problem));
        }
        let shape = self.walk(&self.layers, self.input.clone(), "", &mut parts)?;
        Ok((parts, shape))
    }

    fn walk(
        &self,
        layers: &[Layer],
        mut shape: Vec<usize>,
        prefix: &str,
        parts: &mut Parts,
    ) -> Result<Vec<usize>, LabError> {
        for (index, layer) in layers.iter().enumerate() {
            let place = format!("{prefix}{index}");
            shape = self.step(layer, shape, &place, parts)?;
        }
        Ok(shape)
    }

    fn step(
        &self,
        layer: &Layer,
        shape: Vec<usize>,
        place: &str,
        parts: &mut Parts,
    ) -> Result<Vec<usize>, LabError> {
        let mut add = |part: &str, shape: Vec<usize>, initial: Initial| {
            let name = format!("{place}.{part}");
            parts.parameters.push(Parameter {
                name,
                shape,
                initial,
            });
        };
        let misfit = || {
            let problem = format!("{layer} cannot take a tensor of shape {shape:?}");
            Err(self.misfit(&format!("layer {place}"), &problem))
        };
        Ok(match (layer, &shape[..]) {
            (&Layer::Linear { outputs }, &[inputs]) if outputs > 0 => {
                let initial = Initial::Glorot {
                    fan_in: inputs,
                    fan_out: outputs,
                };
                add("weight", vec![inputs, outputs], initial);
                add("bias", vec![outputs], Initial::Zero);
                vec![outputs]
            }
            (
                &Layer::Conv {
                    channels,
                    kernel,
                    stride,
                    padding,
                    bias,
                },
                &[inputs, height, width],
            ) if channels > 0 && kernel > 0 && stride > 0 => {
                let (Some(height), Some(width)) = (
                    windows(height + 2 * padding, kernel, stride),
                    windows(width + 2 * padding, kernel, stride),
                ) else {
                    return misfit();
                };
                let fan_out = channels * kernel * kernel / (stride * stride).min(kernel * kernel);
                let initial = Initial::He {
                    fan_out: fan_out.max(1),
                };
                add("weight", vec![channels, inputs, kernel, kernel], initial);
                if bias {
                    add("bias", vec![channels], Initial::Zero);
                }
                vec![channels, height, width]
            }
            (Layer::BatchNorm, &[channels, _, _]) => {
                add("scale", vec![channels], Initial::One);
                add("shift", vec![channels], Initial::Zero);
                parts.statistics.push(channels);
                shape
            }
            (Layer::Relu, _) => shape,
            (
                &(Layer::MaxPool { size } | Layer::AveragePool { size }),
                &[channels, height, width],
            ) if size > 0 => {
                let (Some(height), Some(width)) =
                    (windows(height, size, size), windows(width, size, size))
                else {
                    return misfit();
                };
                vec![channels, height, width]
            }
            (Layer::GlobalAveragePool, &[channels, _, _]) => vec![channels],
            (Layer::Flatten, _) => vec![shape.iter().product()],
            (Layer::Residual { body, shortcut }, _) => {
                let long = self.walk(body, shape.clone(), &format!("{place}.body."), parts)?;
                let short = self.walk(shortcut, shape, &format!("{place}.shortcut."), parts)?;
                if long != short {
                    let problem = format!("the body gives {long:?}, the shortcut {short:?}");
                    return Err(self.misfit(&format!("layer {place}"), &problem));
                }
                long
            }
            _ => return misfit(),
        })
    }

    fn misfit(&self, place: &str, problem: &str) -> LabError {
        LabError::input(
            format!("the architecture {}", self.name),
            format!("{place}: {problem}"),
        )
    }
}

/// How many windows of this size fit.
fn windows(length: usize, size: usize, stride: usize) -> Option<usize> {
    Some(length.checked_sub(size)? / stride + 1)
}
