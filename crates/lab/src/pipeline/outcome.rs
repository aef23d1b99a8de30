//! What a run tells while it goes on, and what it gives in the end.

use crate::attacks::Outputs;
use crate::report::{Report, Results};
#[cfg(feature = "train")]
use crate::train::Epoch;
use crate::{LabError, Sides};
use ndarray::Array1;
use ndarray_npy::write_npy;
use std::path::Path;
use trefoil_guard::Guard;

/// What a run is doing.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A stage begins.
    Stage(&'a str),
    /// A network was trained for one more epoch.
    #[cfg(feature = "train")]
    Epoch(&'a str, &'a Epoch),
}

/// What a run found.
pub struct Outcome {
    /// All of it.
    pub report: Report,
    /// The target network as an ONNX file, for other programs.
    pub target: Vec<u8>,
    /// The guard that was chosen.
    pub guard: Guard,
    /// The attacks on each way of answering.
    pub evaluations: Vec<Evaluation>,
    /// The largest difference between three parties and fixed point, if that was checked.
    pub difference: Option<f64>,
}

/// One way of answering, and the attacks on it.
pub struct Evaluation {
    /// The way of answering: `plaintext`, a softmax's name, that and `guarded`, or a defence.
    pub name: String,
    /// What the attacks reached.
    pub results: Results,
    /// What the target answered, and what the strongest attacker's models did.
    pub answers: Answers,
}

/// Answers with labels, as `trefoil attack` reads them.
pub struct Answers {
    /// The target's, about members and others.
    pub target: Sides<Outputs>,
    /// The shadow model's, about its members and others, as the attacker who knows most makes them.
    pub shadow: Sides<Outputs>,
}

impl Answers {
    /// Write `members.npy` (records × classes) and `member_labels.npy`, and the same of `nonmember`, `shadow_member` and
    /// `shadow_nonmember`, into `folder`, which is made if need be.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        let failed = |path: &Path, problem: String| LabError::Write {
            path: path.to_owned(),
            problem: std::io::Error::other(problem),
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error.to_string()))?;
        for (name, outputs) in [
            ("member", &self.target.members),
            ("nonmember", &self.target.nonmembers),
            ("shadow_member", &self.shadow.members),
            ("shadow_nonmember", &self.shadow.nonmembers),
        ] {
            let path = folder.join(format!("{name}s.npy"));
            write_npy(&path, outputs.confidences()).map_err(|e| failed(&path, e.to_string()))?;
            let path = folder.join(format!("{name}_labels.npy"));
            let labels: Array1<i64> = outputs.labels().iter().map(|&l| l as i64).collect();
            write_npy(&path, &labels).map_err(|e| failed(&path, e.to_string()))?;
        }
        Ok(())
    }
}

impl Outcome {
    /// Write the answers of each evaluation to a folder of its name in `folder`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_answers(&self, folder: &Path) -> Result<(), LabError> {
        for evaluation in &self.evaluations {
            evaluation.answers.write(&folder.join(&evaluation.name))?;
        }
        Ok(())
    }
}
