//! What the attacks of a showcase reached, side by side.

use super::{GUARDED, UNGUARDED};
use crate::LabError;
use crate::attacks::{ATTACKS, Attacker};
use crate::pipeline::{Evaluation, Outcome};
use crate::report::write_whole;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What an attack reaches: balanced accuracy in %, either way.
#[derive(Clone, Debug, Serialize)]
pub struct Reached {
    /// The attack's name.
    pub attack: &'static str,
    /// Without the guard.
    pub without: Option<f64>,
    /// With it.
    pub with: Option<f64>,
    /// With it, by an attacker who knows it.
    pub adaptive: Option<f64>,
    /// What it decides by.
    #[serde(skip)]
    pub decides_by: &'static str,
}

impl Outcome {
    /// The evaluations without and with the guard, of a showcase.
    pub fn sides(&self) -> Option<(&Evaluation, &Evaluation)> {
        let named = |name: &str| self.evaluations.iter().find(|b| b.name == name);
        Some((named(UNGUARDED)?, named(GUARDED)?))
    }

    /// What each attack reaches for which a showcase has evidence.
    pub fn reached(&self) -> Vec<Reached> {
        let Some((plain, guarded)) = self.sides() else {
            return Vec::new();
        };
        let all = ATTACKS.iter().map(|attack| Reached {
            attack: attack.name(),
            without: reached(plain, attack.name(), Attacker::Standard),
            with: reached(guarded, attack.name(), Attacker::Standard),
            adaptive: reached(guarded, attack.name(), Attacker::Adaptive),
            decides_by: attack.decides_by(),
        });
        all.filter(|row| row.without.or(row.with).or(row.adaptive).is_some())
            .collect()
    }

    /// What labels alone tell, in %.
    pub fn label_floor(&self) -> Option<f64> {
        let (plain, _) = self.sides()?;
        let (most, _) = plain.results.floor.balanced_accuracy.as_ref()?;
        Some(100.0 * most)
    }

    /// Write the report, the model and its guard to `folder`; the report's page.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, LabError> {
        let page = self.report.write(folder)?;
        write_whole(&folder.join("target.onnx"), &self.target)?;
        let path = folder.join("guard.safetensors");
        let saved = self.guard.save(&path);
        saved.map_err(|error| LabError::Write {
            path,
            problem: std::io::Error::other(error.to_string()),
        })?;
        Ok(page)
    }
}

/// Balanced accuracy of an attack, either way, in %.
fn reached(evaluation: &Evaluation, attack: &str, attacker: Attacker) -> Option<f64> {
    let all = &evaluation.results.attacks;
    let result = all
        .iter()
        .find(|result| result.attack == attack && result.attacker == attacker)?;
    let accuracy = result.evaluation.balanced_accuracy.as_ref()?.value;
    Some(100.0 * accuracy.max(1.0 - accuracy))
}
