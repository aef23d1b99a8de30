//! How this program ends when it cannot do what was asked.

use std::fmt::{self, Display};
use std::process::ExitCode;
use trefoil_audit::AuditError;
use trefoil_guard::GuardError;
use trefoil_lab::LabError;
use trefoil_serve::ServeError;
use trefoil_verify::VerifyError;

/// The command lines' failure, which errors of this program's own crates become, too.
#[derive(Debug)]
pub(crate) struct Failure(trefoil_term::Failure);

impl Failure {
    /// Something failed: exit code 1.
    pub(crate) fn new(message: impl Display) -> Self {
        Self(trefoil_term::Failure::new(message))
    }

    /// The arguments contradict each other: exit code 2.
    pub(crate) fn misuse(message: impl Display) -> Self {
        Self(trefoil_term::Failure::misuse(message))
    }

    /// A finding, such as a leak: exit code 3.
    pub(crate) fn found(message: impl Display) -> Self {
        Self(trefoil_term::Failure::found(message))
    }

    /// This failure, with what to do.
    pub(crate) fn help(self, help: impl Display) -> Self {
        Self(self.0.help(help))
    }

    /// Tell the user on standard error, and give the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        self.0.report(json)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<trefoil_term::Failure> for Failure {
    fn from(failure: trefoil_term::Failure) -> Self {
        Self(failure)
    }
}

impl From<trefoil::Error> for Failure {
    fn from(error: trefoil::Error) -> Self {
        Self(error.into())
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self(error.into())
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self(error.into())
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::new(error)
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        let help = match &error {
            AuditError::Aborted { .. } => {
                "a protocol of the product does not work here at all; try again on a less busy machine"
            }
            AuditError::File { .. } => {
                "--data wants a folder with mnist/, cifar10/, orl_faces/, onnx_models/ and cifar10_weights/; the \
                 table \"Data\" of docs/audit.md says which files to put there and where they come from. Without \
                 --data, digits that Trefoil draws itself are recovered, and nothing has to be obtained"
            }
            _ => return Self::new(error),
        };
        Self::new(error).help(help)
    }
}

impl From<GuardError> for Failure {
    fn from(error: GuardError) -> Self {
        Self::new(error)
    }
}
