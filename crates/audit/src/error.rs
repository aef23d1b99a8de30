//! What can go wrong in an audit.

use std::path::PathBuf;
use trefoil_mpc::Abort;
use trefoil_net::Role;

/// Why an audit could not be carried out. A leak is not an error but a [`crate::Verdict`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A party of a run aborted: the protocol is wrong, or the machine far too slow.
    #[error("{protocol}: {role} aborted: {source}")]
    Aborted {
        /// The protocol's name.
        protocol: String,
        /// Who aborted.
        role: Role,
        /// Why.
        source: Abort,
    },
    /// A frame that does not parse, seen by the recorder.
    #[error("{protocol}: {role} received a malformed frame of {bytes} bytes")]
    Malformed {
        /// The protocol's name.
        protocol: String,
        /// Who received it.
        role: Role,
        /// Size of the frame.
        bytes: usize,
    },
    /// No protocol has the name that was asked for.
    #[error("no protocol is named `{name}`; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The registered names.
        known: String,
    },
    /// A file of pictures or of a model cannot be read.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A model whose first layer the attack does not apply to.
    #[error("{model}: {problem}")]
    Model {
        /// Which.
        model: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture could not be written as PNG.
    #[error("a picture cannot be encoded: {0}")]
    Png(#[from] png::EncodingError),
}
