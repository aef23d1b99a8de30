//! What can go wrong in the lab.

use std::path::PathBuf;
use thiserror::Error;

/// Why the lab could not do what was asked.
#[derive(Debug, Error)]
pub enum LabError {
    /// A data set's files are not where they were looked for.
    #[error(
        "{data_set}: cannot find {file}, packed or not; looked in{}\n{obtain}",
        lines(looked)
    )]
    Missing {
        /// The data set.
        data_set: String,
        /// The file, as its publishers call it.
        file: String,
        /// Every folder where it was looked for.
        looked: Vec<PathBuf>,
        /// How to obtain it.
        obtain: String,
    },
    /// A file is there but cannot be read.
    #[error("cannot read {}: {problem}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: std::io::Error,
    },
    /// A file does not have the format that it should have.
    #[error("{} is damaged or of another format: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in the file.
        problem: String,
    },
    /// A split asks for more examples than there are.
    #[error(
        "the split needs {needed} examples, but {data_set} has {available}; choose smaller parts"
    )]
    TooFew {
        /// The data set.
        data_set: String,
        /// Examples that the split uses up.
        needed: usize,
        /// Examples that there are.
        available: usize,
    },
    /// Confidence vectors, labels or scores that no attack can work with.
    #[error("{what}: {problem}")]
    Input {
        /// Which of the inputs, such as "the members' confidences".
        what: String,
        /// What is wrong with it, where, and what to do.
        problem: String,
    },
    /// The model that an attack needs could not be trained or asked.
    #[error("the attack's model: {0}")]
    Model(String),
    /// A picture could not be drawn.
    #[error("cannot draw {figure}: {problem}")]
    Draw {
        /// The figure's title.
        figure: String,
        /// What the drawing library says.
        problem: String,
    },
    /// A report could not be written.
    #[error("cannot write {}: {problem}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: std::io::Error,
    },
}

/// Each path in a line of its own.
fn lines(paths: &[PathBuf]) -> String {
    let lines = paths.iter().map(|path| format!("\n  {}", path.display()));
    lines.collect()
}

impl LabError {
    /// An input that cannot be used.
    pub(crate) fn input(what: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Input {
            what: what.into(),
            problem: problem.into(),
        }
    }
}
