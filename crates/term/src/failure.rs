//! How a program ends when it cannot do what was asked: in words, as JSON, and as an exit code.

use clap::error::ErrorKind;
use serde_json::json;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use trefoil::Kind;
use trefoil_party::Refusal;
use trefoil_serve::ServeError;
use trefoil_verify::VerifyError;

/// What went wrong and where, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    help: Option<String>,
    code: u8,
}

impl Failure {
    /// Something failed: exit code 1.
    pub fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            code: 1,
        }
    }

    /// The arguments contradict each other: exit code 2.
    pub fn misuse(message: impl Display) -> Self {
        Self {
            code: 2,
            ..Self::new(message)
        }
    }

    /// A finding: a verification rejected the servers' answers, something leaks. Exit code 3.
    pub fn found(message: impl Display) -> Self {
        Self {
            code: 3,
            ..Self::new(message)
        }
    }

    /// This failure, with what to do.
    #[must_use]
    pub fn help(self, help: impl Display) -> Self {
        Self {
            help: Some(help.to_string()),
            ..self
        }
    }

    /// Tell the user on standard error, and give the exit code.
    pub fn report(self, json: bool) -> ExitCode {
        let code = ExitCode::from(self.code);
        let text = if json {
            json!({ "error": self.message, "help": self.help }).to_string()
        } else {
            self.words()
        };
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(stderr(), "{}", text.trim_end());
        code
    }

    /// In words: with colours on a terminal that has them.
    fn words(&self) -> String {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = |code: &str, text: &str| {
            if stderr().is_terminal() && !plain {
                format!("\x1b[{code}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let mut words = format!("{} {}", paint("1;31", "error:"), self.message);
        if let Some(help) = &self.help {
            words = format!("{words}\n{} {help}", paint("1;36", "help:"));
        }
        words
    }
}

impl From<trefoil::Error> for Failure {
    fn from(error: trefoil::Error) -> Self {
        let code = match error.kind() {
            Kind::Misused => 2,
            _ => 1,
        };
        Self {
            message: error.to_string(),
            help: error.help().map(ToOwned::to_owned),
            code,
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
        trefoil::Error::from(error).into()
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        trefoil::Error::from(error).into()
    }
}

/// Print what `clap` has to say, and give the exit code.
pub fn refuse(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    // The arguments could not be read, so neither could the flag.
    if !asked && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.trim_start_matches("error: ");
        return Failure::misuse(message).help(help.trim()).report(true);
    }
    // Nobody is left to tell if the standard streams are closed.
    let _ = error.print();
    ExitCode::from(if asked { 0 } else { 2 })
}
