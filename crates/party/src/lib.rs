//! What an operator runs: one of the three parties, for owners and users ([`serve_station`]) or for clients who bring model and
//! queries ([`serve`]), and the keys of all of them ([`keys`]).
//!
//! The program `trefoil-party` has nothing else; `trefoil` has the same two as commands beside those of owners and users.

mod keys;
mod refusal;
mod service;
mod station;

pub use keys::{Keys, make as keys};
pub use refusal::Refusal;
pub use service::{PartyArguments, run as serve};
pub use station::{
    AccessArguments, ServeArguments, SetupArguments, access, serve as serve_station, setup,
};

use serde::Serialize;
use std::io::{ErrorKind, Write, stdout};

/// Print `text` and end the line. Whoever reads it may stop, as `head` does: the rest is dropped, and the exit code still says how
/// the run ended.
///
/// # Errors
/// If standard output cannot be written to for another reason, such as a full disk.
pub fn line(text: &str) -> Result<(), Refusal> {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Refusal::new(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Print `value` as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> Result<(), Refusal> {
    let text = serde_json::to_string(value)
        .map_err(|error| Refusal::new(format!("the result cannot be written as JSON: {error}")))?;
    line(&text)
}
