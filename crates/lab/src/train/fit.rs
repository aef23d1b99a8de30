//! Training.

use super::checkpoint::{Checkpoint, Saving};
use super::examples::Examples;
use super::hamp::Hamp;
use super::network::{Network, vector};
use super::pass::{Mode, Pass};
use super::sgd::Sgd;
use crate::LabError;
use crate::random::Stream;
use burn_tensor::activation::{log_softmax, softplus};
use burn_tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Part of the last value that running statistics keep at each batch.
const KEPT: f64 = 0.9;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// How often every example is seen.
    pub epochs: usize,
    /// Examples behind one step.
    pub batch: usize,
    /// The optimiser.
    pub sgd: Sgd,
    /// What is made small.
    pub loss: Loss,
    /// Draws the order of the examples.
    pub seed: u64,
}

/// What training makes small.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Loss {
    /// The cross-entropy of the classes.
    CrossEntropy,
    /// The cross-entropy of one output, whose sign says whether the label is 1.
    Binary,
    /// The training part of HAMP.
    Hamp(Hamp),
}

/// An epoch that is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Its number, counted from 1.
    pub number: usize,
    /// Epochs there will be.
    pub of: usize,
    /// The mean loss while it ran.
    pub loss: f64,
    /// The rate it ran at.
    pub rate: f64,
    /// How long it took.
    pub elapsed: Duration,
    /// Examples seen in a second.
    pub throughput: f64,
}

/// Train `network` on `examples`; `progress` hears of every epoch. With `saving`, training can be
/// interrupted at any time and goes on from the last saved epoch, with the same result.
///
/// # Errors
/// If the examples do not fit the network, the options make no sense, the loss stops being a
/// number, or a checkpoint cannot be read or written.
pub fn fit(
    network: &mut Network,
    examples: &Examples<'_>,
    options: &Fit,
    saving: Option<&Saving>,
    progress: &mut dyn FnMut(&Epoch),
) -> Result<(), LabError> {
    network.check_inputs(examples.inputs.ncols())?;
    options.check(network, examples)?;
    let mut velocity = Vec::new();
    let mut first = 0;
    let fingerprint = saving.map(|_| options.fingerprint(network, examples)).unwrap_or_default();
    if let Some(checkpoint) = saving.map(|s| s.load(fingerprint)).transpose()?.flatten() {
        first = checkpoint.epochs;
        velocity = checkpoint.restore(network)?;
    }
    let mut saved = Instant::now();
    for epoch in first..options.epochs {
        let start = Instant::now();
        let rate = options.sgd.rate_at(epoch);
        let order = Stream::new(options.seed, &format!("order of epoch {epoch}"))
            .permutation(examples.len());
        let mut sum = 0.0;
        for chosen in order.chunks(options.batch) {
            let loss = options.step(network, examples, chosen, rate, &mut velocity)?;
            if !loss.is_finite() {
                let hint = "lower the rate, or scale the inputs to about -1 to 1";
                let problem = format!("the loss became {loss} in epoch {}; {hint}", epoch + 1);
                return Err(LabError::Model(problem));
            }
            sum += loss * chosen.len() as f64;
        }
        let (number, elapsed) = (epoch + 1, start.elapsed());
        progress(&Epoch {
            number,
            of: options.epochs,
            loss: sum / examples.len() as f64,
            rate,
            elapsed,
            throughput: examples.len() as f64 / elapsed.as_secs_f64().max(1e-9),
        });
        if let Some(saving) = saving
            && number < options.epochs
            && saved.elapsed() >= saving.every
        {
            let checkpoint = Checkpoint::of(network, &velocity, number, fingerprint)?;
            saving.save(&checkpoint)?;
            saved = Instant::now();
        }
    }
    Ok(())
}

impl Fit {
    fn check(&self, network: &Network, examples: &Examples<'_>) -> Result<(), LabError> {
        let refuse = |problem: String| Err(LabError::input("the training", problem));
        let outputs = network.architecture().outputs()?;
        if self.batch == 0 || !(self.sgd.rate > 0.0 && self.sgd.rate.is_finite()) {
            return refuse(format!("batch {}, rate {}: both must be above 0", self.batch, self.sgd.rate));
        }
        let classes = if self.loss == Loss::Binary { 2 } else { outputs };
        if self.loss == Loss::Binary && outputs != 1 {
            return refuse(format!("a classifier of two kinds has 1 output, not {outputs}"));
        }
        if let Loss::Hamp(hamp) = &self.loss {
            hamp.check()?;
        }
        match examples.labels.iter().max() {
            Some(&most) if most >= classes => {
                refuse(format!("label {most}, but the network tells {classes} classes apart"))
            }
            _ => Ok(()),
        }
    }

    /// One step, and its loss.
    fn step(
        &self,
        network: &mut Network,
        examples: &Examples<'_>,
        chosen: &[usize],
        rate: f64,
        velocity: &mut Vec<Tensor<1>>,
    ) -> Result<f64, LabError> {
        let device = network.device.clone().autodiff();
        let input = network.batch(examples.rows(chosen), chosen.len(), &device);
        let track = |p: &Tensor<1>| p.clone().autodiff().require_grad();
        let leaves: Vec<Tensor<1>> = network.parameters.iter().map(track).collect();
        let mut pass = Pass::new(network, &leaves, Mode::Train);
        let outputs = pass.run(input);
        let seen = pass.seen;
        let loss = self.loss.of(outputs, examples, chosen) / chosen.len() as f64;
        let value: f32 = loss.clone().into_scalar();
        let mut gradients = loss.backward();
        let missing = || LabError::Model("a parameter has no gradient".into());
        let gradients: Vec<_> = leaves
            .iter()
            .map(|leaf| leaf.grad_remove(&mut gradients).ok_or_else(missing))
            .collect::<Result<_, _>>()?;
        self.sgd.step(rate, &mut network.parameters, gradients, velocity);
        for ((mean, variance), (m, v, count)) in network.statistics.iter_mut().zip(seen) {
            // The variance that is kept is the unbiased one.
            let unbias = count as f64 / (count as f64 - 1.0).max(1.0);
            *mean = mean.clone() * KEPT + m * (1.0 - KEPT);
            *variance = variance.clone() * KEPT + v * ((1.0 - KEPT) * unbias);
        }
        Ok(f64::from(value))
    }

    /// A digest of all that decides the result.
    pub(super) fn fingerprint(&self, network: &Network, examples: &Examples<'_>) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil lab: training");
        hasher.update(format!("{:?} {self:?}", network.architecture()).as_bytes());
        for value in examples.inputs {
            hasher.update(&value.to_le_bytes());
        }
        for &label in examples.labels {
            hasher.update(&(label as u64).to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

impl Loss {
    /// The sum of the chosen examples' losses, of shape `[1]`.
    pub(super) fn of(
        &self,
        outputs: Tensor<2>,
        examples: &Examples<'_>,
        chosen: &[usize],
    ) -> Tensor<1> {
        let [rows, columns] = outputs.dims();
        let device = outputs.device();
        let labels = chosen.iter().map(|&row| examples.labels[row]);
        if *self == Self::Binary {
            let targets: Vec<f32> = labels.map(|label| label as f32).collect();
            let targets = vector(targets, &device).reshape([rows, 1]);
            // -log sigmoid(z) for 1 and -log(1 - sigmoid(z)) for 0.
            return (softplus(outputs.clone(), 1.0) - outputs * targets).sum();
        }
        let (right, wrong) = match self {
            Self::Hamp(hamp) => hamp.targets(columns),
            _ => (1.0, 0.0),
        };
        let mut targets = vec![wrong as f32; rows * columns];
        for (row, label) in labels.enumerate() {
            targets[row * columns + label] = right as f32;
        }
        let targets = Tensor::from_data(TensorData::new(targets, [rows, columns]), &device);
        let logs = log_softmax(outputs, 1);
        let distance = -(logs.clone() * targets).sum();
        match self {
            Self::Hamp(hamp) => {
                let entropy = -(logs.clone().exp() * logs).sum();
                distance - entropy * hamp.entropy_weight
            }
            _ => distance,
        }
    }
}
