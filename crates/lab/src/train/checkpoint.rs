//! Training that was interrupted, to go on from.

use super::network::{Network, numbers, vector};
use crate::LabError;
use burn_tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::time::Duration;

/// Where and how often training is saved.
#[derive(Debug, Clone)]
pub struct Saving {
    /// The file. One from other data or options is ignored and replaced.
    pub path: PathBuf,
    /// The least time between two savings.
    pub every: Duration,
}

/// Training, as far as it went.
#[derive(Clone, Serialize, Deserialize)]
pub struct Checkpoint {
    /// A digest of the examples, the architecture and the options.
    pub fingerprint: [u8; 32],
    /// Epochs done.
    pub epochs: usize,
    /// Each parameter's numbers.
    pub parameters: Vec<Vec<f32>>,
    /// Running mean and variance of each batch normalisation.
    pub statistics: Vec<(Vec<f32>, Vec<f32>)>,
    /// The optimiser's last steps; empty without momentum.
    pub velocity: Vec<Vec<f32>>,
}

impl Checkpoint {
    pub(super) fn of(
        network: &Network,
        velocity: &[Tensor<1>],
        epochs: usize,
        fingerprint: [u8; 32],
    ) -> Result<Self, LabError> {
        let all = |tensors: &[Tensor<1>]| tensors.iter().map(numbers).collect::<Result<_, _>>();
        Ok(Self {
            fingerprint,
            epochs,
            parameters: all(&network.parameters)?,
            statistics: network.running()?,
            velocity: all(velocity)?,
        })
    }

    /// Put the numbers into `network`, and give the optimiser's last steps.
    pub(super) fn restore(self, network: &mut Network) -> Result<Vec<Tensor<1>>, LabError> {
        let architecture = network.architecture.clone();
        let device = network.device.clone();
        *network = Network::from_numbers(&architecture, self.parameters, self.statistics)?;
        Ok(self.velocity.into_iter().map(|v| vector(v, &device)).collect())
    }
}

impl Saving {
    /// What was saved of this very training, if anything.
    pub(super) fn load(&self, fingerprint: [u8; 32]) -> Result<Option<Checkpoint>, LabError> {
        let path = self.path.clone();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(LabError::Read { path, problem }),
        };
        // A damaged file is worth no more than none.
        let checkpoint = postcard::from_bytes::<Checkpoint>(&bytes).ok();
        Ok(checkpoint.filter(|checkpoint| checkpoint.fingerprint == fingerprint))
    }

    /// Save, so that the file is the old or the new one at any time.
    pub(super) fn save(&self, checkpoint: &Checkpoint) -> Result<(), LabError> {
        let bytes = postcard::to_stdvec(checkpoint)
            .map_err(|error| LabError::Model(error.to_string()))?;
        write_atomically(&self.path, &bytes)
    }
}

/// Write a file so that no reader ever sees a part of it.
pub(crate) fn write_atomically(path: &std::path::Path, bytes: &[u8]) -> Result<(), LabError> {
    let fail = |problem| LabError::Write {
        path: path.to_owned(),
        problem,
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| std::path::Path::new("."));
    fs::create_dir_all(folder).map_err(fail)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
