//! How the program ends when it cannot do what was asked: in words, as JSON, and as an exit code.

use miette::{Diagnostic, GraphicalReportHandler};
use serde_json::json;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use trefoil_nn::InputError;
use trefoil_party::Refusal;
use trefoil_serve::ServeError;

/// What went wrong and where, and what to do about it.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    #[help]
    help: Option<String>,
    code: u8,
}

impl Failure {
    /// Something failed: exit code 1.
    pub(crate) fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            code: 1,
        }
    }

    /// The arguments contradict each other: exit code 2.
    pub(crate) fn misuse(message: impl Display) -> Self {
        Self {
            code: 2,
            ..Self::new(message)
        }
    }

    /// A verification rejected the servers' answers: exit code 3.
    pub(crate) fn rejected(message: impl Display) -> Self {
        Self {
            code: 3,
            ..Self::new(message)
        }
    }

    /// This failure, with what to do.
    pub(crate) fn help(self, help: impl Display) -> Self {
        Self {
            help: Some(help.to_string()),
            ..self
        }
    }

    /// This failure, with something more to do.
    pub(crate) fn and_help(self, more: &str) -> Self {
        let help = match &self.help {
            Some(help) => format!("{help}; {more}"),
            None => more.to_owned(),
        };
        self.help(help)
    }

    /// Tell the user on standard error, and give the exit code.
    pub(crate) fn report(self, json: bool) -> ExitCode {
        let code = ExitCode::from(self.code);
        let text = if json {
            json!({ "error": self.message, "help": self.help }).to_string()
        } else {
            self.picture()
        };
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(stderr(), "{}", text.trim_end());
        code
    }

    /// As `miette` draws it: with colours and line breaks on a terminal, whole lines elsewhere.
    fn picture(self) -> String {
        if stderr().is_terminal() {
            return format!("{:?}", miette::Report::new(self));
        }
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
        match handler
            .with_wrap_lines(false)
            .render_report(&mut text, &self)
        {
            Ok(()) => text,
            Err(_) => self.message,
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            message,
            help,
            misuse,
        } = refusal;
        let code = if misuse { 2 } else { 1 };
        Self {
            message,
            help,
            code,
        }
    }
}

impl From<ServeError> for Failure {
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
        Self::new(error).help(help)
    }
}
