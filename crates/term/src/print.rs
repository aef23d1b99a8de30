//! Standard output, and numbers as people read them.

use crate::Failure;
use crate::tone::{is_aside, is_quiet};
use serde::Serialize;
use std::io::{Write, stderr};

pub use trefoil::text::{bytes, count, number, time};

/// Print `text` and end the line. Whoever reads it may stop, as `head` does: the rest is dropped, and the exit code still
/// says how the run ended.
///
/// # Errors
/// If standard output cannot be written to for another reason, such as a full disk.
pub fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    if is_quiet() {
        return Ok(());
    }
    if is_aside() {
        aside(text.as_ref());
        return Ok(());
    }
    Ok(trefoil_party::line(text.as_ref())?)
}

/// Print `value` as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    if is_aside() {
        aside(&serde_json::to_string(value).map_err(Failure::new)?);
        return Ok(());
    }
    Ok(trefoil_party::json(value)?)
}

/// Print `text` on standard error, beside the results. Nobody is left to tell if that is closed.
pub fn aside(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

/// Print a warning beside the results, if there is one.
pub fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        aside(&format!("warning: {warning}"));
    }
}
