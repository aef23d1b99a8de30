//! Hashes of files, so that a report says what it was made from.

use crate::LabError;
use std::fs::File;
use std::path::Path;

/// The BLAKE3 hash of a file's bytes, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn file_hash(path: &Path) -> Result<String, LabError> {
    let hash = || -> std::io::Result<String> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(hasher.finalize().to_hex().to_string())
    };
    hash().map_err(|problem| LabError::Read {
        path: path.to_owned(),
        problem,
    })
}
