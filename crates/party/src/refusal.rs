//! How a command ends that cannot do what was asked.

use std::fmt::Display;
use trefoil_net::{Role, SessionError};
use trefoil_serve::ServeError;

/// What went wrong and where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What went wrong, and where.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Whether the arguments are at fault (exit code 2), or what they name (1).
    pub misuse: bool,
}

impl Refusal {
    pub(crate) fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            misuse: false,
        }
    }

    pub(crate) fn misuse(message: impl Display) -> Self {
        Self {
            misuse: true,
            ..Self::new(message)
        }
    }

    pub(crate) fn help(self, help: impl Display) -> Self {
        Self {
            help: Some(help.to_string()),
            ..self
        }
    }

    /// Why a party does not start.
    pub(crate) fn of_start(error: ServeError, role: Role) -> Self {
        let index = role.index();
        let help = match &error {
            ServeError::Connection(SessionError::Bind { .. }) => {
                "stop the program that holds the address, or choose another `listen` address"
                    .to_owned()
            }
            ServeError::Connection(
                SessionError::Identity { .. } | SessionError::Certificate { .. },
            ) => format!(
                "this party needs party{index}.crt and party{index}.key beside its file, as `trefoil keys` made them"
            ),
            _ => return Self::new(error),
        };
        Self::new(error).help(help)
    }
}
