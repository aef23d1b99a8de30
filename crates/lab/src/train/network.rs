//! Networks: an architecture with its numbers.

use super::architecture::{Architecture, Initial, Parameter};
use super::device::device;
use super::value::Value;
use crate::LabError;
use crate::random::Stream;
use burn_tensor::{Device, Tensor, TensorData};

/// A running mean and variance, a number of each for each channel.
pub type MeanAndVariance = (Vec<f32>, Vec<f32>);

/// A network: an architecture and its numbers.
///
/// Every tensor of parameters is kept as a vector; layers see it in its shape. So the optimiser,
/// checkpoints and differential privacy know nothing of shapes.
#[derive(Debug, Clone)]
pub struct Network {
    pub(super) architecture: Architecture,
    pub(super) specification: Vec<Parameter>,
    pub(super) parameters: Vec<Tensor<1>>,
    /// Running mean and variance of each batch normalisation.
    pub(super) statistics: Vec<(Tensor<1>, Tensor<1>)>,
    pub(super) device: Device,
}

impl Network {
    /// A network with random numbers drawn from `seed`.
    ///
    /// # Errors
    /// If the architecture contradicts itself.
    pub fn new(architecture: &Architecture, seed: u64) -> Result<Self, LabError> {
        let mut stream = Stream::new(seed, "initial parameters");
        let specification = architecture.parameters()?;
        let numbers = specification.iter().map(|p| draw(p, &mut stream)).collect();
        let ones = architecture.statistics()?;
        let statistics = ones.iter().map(|&c| (vec![0.0; c], vec![1.0; c])).collect();
        Self::from_numbers(architecture, numbers, statistics)
    }

    /// A network with the given numbers: each parameter's, and the running mean and variance of
    /// each batch normalisation, in the architecture's order.
    ///
    /// # Errors
    /// If there are not as many numbers as the architecture has.
    pub fn from_numbers(
        architecture: &Architecture,
        parameters: Vec<Vec<f32>>,
        statistics: Vec<MeanAndVariance>,
    ) -> Result<Self, LabError> {
        architecture.outputs()?;
        let device = device();
        let specification = architecture.parameters()?;
        let lengths: Vec<usize> = specification
            .iter()
            .map(|p| p.shape.iter().product())
            .collect();
        let actual: Vec<usize> = parameters.iter().map(Vec::len).collect();
        let channels: Vec<_> = architecture.statistics()?.iter().map(|&c| (c, c)).collect();
        let actual_channels: Vec<_> = statistics.iter().map(|(m, v)| (m.len(), v.len())).collect();
        if lengths != actual || channels != actual_channels {
            let problem = format!("{actual:?} numbers, but the architecture has {lengths:?}");
            return Err(LabError::input(
                format!("the network {}", architecture.name),
                problem,
            ));
        }
        let place = |numbers: Vec<f32>| vector(numbers, &device);
        let parameters = parameters.into_iter().map(place).collect();
        let statistics = statistics
            .into_iter()
            .map(|(mean, variance)| (place(mean), place(variance)))
            .collect();
        Ok(Self {
            architecture: architecture.clone(),
            specification,
            parameters,
            statistics,
            device,
        })
    }

    /// The architecture.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Names, shapes and numbers of the parameters, in the architecture's order.
    ///
    /// # Errors
    /// If the device cannot hand them over.
    pub fn numbers(&self) -> Result<Vec<(&Parameter, Vec<f32>)>, LabError> {
        let tensors = self.parameters.iter().map(numbers);
        self.specification
            .iter()
            .zip(tensors)
            .map(|(p, n)| Ok((p, n?)))
            .collect()
    }

    /// Running mean and variance of each batch normalisation.
    ///
    /// # Errors
    /// If the device cannot hand them over.
    pub fn running(&self) -> Result<Vec<MeanAndVariance>, LabError> {
        let pairs = self.statistics.iter();
        pairs
            .map(|(mean, variance)| Ok((numbers(mean)?, numbers(variance)?)))
            .collect()
    }

    /// Refuse rows of another length than the architecture's.
    pub(super) fn check_inputs(&self, actual: usize) -> Result<(), LabError> {
        let expected = self.architecture.inputs();
        if expected == actual {
            return Ok(());
        }
        let what = format!("the inputs of {}", self.architecture.name);
        let problem = format!("examples have {actual} numbers, but it takes {expected}");
        Err(LabError::input(what, problem))
    }

    /// Rows as the network's input on `device`.
    pub(super) fn batch(&self, rows: Vec<f32>, count: usize, device: &Device) -> Value {
        if let [c, h, w] = self.architecture.input[..] {
            Value::Pictures(Tensor::from_data(
                TensorData::new(rows, [count, c, h, w]),
                device,
            ))
        } else {
            let inputs = self.architecture.inputs();
            Value::Rows(Tensor::from_data(
                TensorData::new(rows, [count, inputs]),
                device,
            ))
        }
    }
}

/// Numbers as a vector on a device.
pub(super) fn vector(numbers: Vec<f32>, device: &Device) -> Tensor<1> {
    let length = numbers.len();
    Tensor::from_data(TensorData::new(numbers, [length]), device)
}

/// A tensor's numbers.
pub(super) fn numbers<const D: usize>(tensor: &Tensor<D>) -> Result<Vec<f32>, LabError> {
    let data = tensor.to_data();
    data.try_to_vec()
        .map_err(|error| LabError::Model(format!("numbers of a network cannot be read: {error}")))
}

/// A parameter's first numbers.
fn draw(parameter: &Parameter, stream: &mut Stream) -> Vec<f32> {
    let count: usize = parameter.shape.iter().product();
    (0..count)
        .map(|_| match parameter.initial {
            Initial::Zero => 0.0,
            Initial::One => 1.0,
            Initial::Glorot { fan_in, fan_out } => {
                let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
                (limit * (2.0 * stream.unit() - 1.0)) as f32
            }
            Initial::He { fan_out } => (stream.normal() * (2.0 / fan_out as f64).sqrt()) as f32,
        })
        .collect()
}
