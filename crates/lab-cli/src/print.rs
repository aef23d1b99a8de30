//! Standard output.

use crate::Failure;
use serde::Serialize;

pub(crate) use trefoil_term::print::{aside, bytes, count, time};

/// Print `text` and end the line.
///
/// # Errors
/// As [`trefoil_term::print::line`].
pub(crate) fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    Ok(trefoil_term::print::line(text)?)
}

/// Print `value` as one line of JSON.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    Ok(trefoil_term::print::json(value)?)
}
