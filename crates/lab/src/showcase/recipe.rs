//! How the showcase's records and networks are made.

use crate::LabError;
use crate::data::{Split, generated};
use crate::pipeline::Records;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How records are drawn and networks trained: all that it takes to make the same again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What tables call the records.
    pub name: String,
    /// Draws the records and who gets which of them; with a number for each network added, first weights and order of
    /// training.
    pub seed: u64,
    /// Records like Location30's.
    pub records: usize,
    /// Those that the target is trained on.
    pub target: usize,
    /// The attacker's, on each side.
    pub shadow: usize,
    /// The attacker's reference models, on halves of what it has.
    pub references: usize,
    /// Neurons of the hidden layers, `ReLU` between them.
    pub hidden: Vec<usize>,
    /// How often every record is seen.
    pub epochs: usize,
    /// Records behind one step.
    pub batch: usize,
    /// The length of a step of gradient descent.
    pub rate: f64,
}

impl Recipe {
    /// Read a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no recipe: which line, and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, LabError> {
        let path = path.to_owned();
        match std::fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes).map_err(|problem| LabError::Format { path, problem }),
            Err(problem) => Err(LabError::Read { path, problem }),
        }
    }

    /// From a TOML file's bytes.
    ///
    /// # Errors
    /// A sentence on what is wrong, and where.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// As a TOML file.
    ///
    /// # Errors
    /// If a number has no place in one.
    pub(super) fn text(&self) -> Result<String, LabError> {
        let text = toml::to_string(self).map_err(|error| LabError::Model(error.to_string()))?;
        Ok(format!(
            "# How the records and networks of this folder are made:\n\
             #   cargo run --release -p trefoil-lab --example membership\n{text}"
        ))
    }

    /// The records, drawn again, with their parts.
    ///
    /// # Errors
    /// If there are too few for the parts.
    pub fn draw(&self) -> Result<Records, LabError> {
        let parts = [self.target, self.shadow];
        if parts.contains(&0) || self.shadow > self.target {
            let problem = format!(
                "{} records for the target and {} for the attacker; take as many for the attacker at most, and one at least",
                self.target, self.shadow
            );
            return Err(LabError::input("the recipe", problem));
        }
        let data = generated::location_like(self.records, self.seed)?;
        let [target, shadow] = parts;
        let split = Split::seeded(&data.name, data.records(), target, shadow, self.seed)?;
        Ok(Records::of(self.seed, data, split))
    }

    /// The rows that each reference model is trained on, sorted.
    pub(super) fn halves(&self, records: &Records) -> Vec<Vec<usize>> {
        let half = |index: usize| {
            let mut rows = records.half(self.seed, index);
            rows.sort_unstable();
            rows
        };
        (0..self.references).map(half).collect()
    }
}
