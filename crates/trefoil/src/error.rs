//! What went wrong and where, and what to do about it.

use std::fmt::Display;
use trefoil_nn::InputError;
use trefoil_serve::ServeError;
use trefoil_verify::VerifyError;

/// What went wrong and where; [`Error::help`] says what to do about it.
///
/// Helps name options as the command line does (`--ring 64`, `--unit`): those of this library have the same names.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    help: Option<String>,
    kind: Kind,
}

/// What kind of failure an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A file, the network or a party failed, or a model or its inputs cannot be answered.
    Failed,
    /// Options contradict each other, or name what is not there.
    Misused,
}

impl Error {
    /// Something failed.
    pub fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            kind: Kind::Failed,
        }
    }

    /// Options contradict each other.
    pub fn misuse(message: impl Display) -> Self {
        Self {
            kind: Kind::Misused,
            ..Self::new(message)
        }
    }

    /// This error, with what to do about it.
    #[must_use]
    pub fn with_help(self, help: impl Display) -> Self {
        Self {
            help: Some(help.to_string()),
            ..self
        }
    }

    /// This error, with something more to do.
    #[must_use]
    pub fn and_help(self, more: &str) -> Self {
        let help = match &self.help {
            Some(help) => format!("{help}; {more}"),
            None => more.to_owned(),
        };
        self.with_help(help)
    }

    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<ServeError> for Error {
    fn from(error: ServeError) -> Self {
        let help = match &error {
            ServeError::Parties { .. } => {
                "nothing was answered; see that all three parties run and reach each other, then ask \
                 again, with a longer --timeout if they are only slow"
            }
            ServeError::Connection(_) => {
                "see that all three parties run, and that addresses and pins in the files of \
                 `trefoil keys` are theirs"
            }
            ServeError::Spawn { .. } => "--link memory runs the parties inside this process",
            ServeError::Input(InputError::OutOfRange { ring_bits: 32, .. }) => {
                "scale the values, or use fewer --fraction-bits or --ring 64"
            }
            ServeError::Input(InputError::OutOfRange { .. }) => {
                "scale the values, or use fewer --fraction-bits"
            }
            _ => return Self::new(error),
        };
        Self::new(error).with_help(help)
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        let help = match &error {
            VerifyError::Servers(_) => {
                "nothing is accepted, and public samples that were sent are spent; see that the servers run, \
                 then ask again"
            }
            VerifyError::TooFewPublic { .. } | VerifyError::TooWeak { .. } => {
                "make another plan with `trefoil verify plan`, or bring more public samples"
            }
            VerifyError::NoGradient { .. } => {
                "fingerprints need a model of those layers. For `infer --verify`, write `tolerance = …` into the plan of the mix, \
                 measured from repeated answers to one query"
            }
            _ => return Self::new(error),
        };
        Self::new(error).with_help(help)
    }
}
