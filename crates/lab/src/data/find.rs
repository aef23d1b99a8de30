//! Finding a data set's files, and reading them whole.

use crate::LabError;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most bytes that a file may become when it is unpacked: more than any of the data sets.
const MOST_BYTES: u64 = 4 << 30;

/// Looks for the files of a data set.
pub(super) struct Finder<'a> {
    /// The data set's name.
    pub(super) data_set: &'a str,
    /// Folders to look in, in this order.
    pub(super) folders: Vec<PathBuf>,
    /// How to obtain the files.
    pub(super) obtain: &'a str,
}

impl Finder<'_> {
    /// The first of `names` that exists in one of the folders, plain or with `.gz` at the end.
    pub(super) fn look(&self, names: &[&str]) -> Option<PathBuf> {
        let mut places = self.places(names).into_iter();
        places.find(|path| path.exists())
    }

    /// As [`Finder::look`].
    ///
    /// # Errors
    /// If there is none: where it was looked for, and how to obtain it.
    pub(super) fn need(&self, names: &[&str]) -> Result<PathBuf, LabError> {
        self.look(names).ok_or_else(|| LabError::Missing {
            data_set: self.data_set.to_owned(),
            file: names.join(" or "),
            looked: self.folders.clone(),
            obtain: self.obtain.to_owned(),
        })
    }

    fn places(&self, names: &[&str]) -> Vec<PathBuf> {
        let mut places = Vec::new();
        for folder in &self.folders {
            for name in names {
                places.push(folder.join(name));
                places.push(folder.join(format!("{name}.gz")));
            }
        }
        places
    }
}

/// The bytes of a file, unpacked if it is gzipped.
///
/// # Errors
/// If it cannot be read, or is damaged or too large.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, LabError> {
    let packed = std::fs::read(path).map_err(|problem| unreadable(path, problem))?;
    if !packed.starts_with(&[0x1f, 0x8b]) {
        return Ok(packed);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(&packed[..])
        .take(MOST_BYTES + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| damaged(path, error.to_string()))?;
    if unpacked.len() as u64 > MOST_BYTES {
        return Err(damaged(path, "it unpacks to more than 4 GiB"));
    }
    Ok(unpacked)
}

/// The bytes of the first entry of the gzipped tar archive at `path` whose path ends with
/// `ending`.
///
/// # Errors
/// If the archive cannot be read or has no such entry.
pub(super) fn archived(path: &Path, ending: &str) -> Result<Vec<u8>, LabError> {
    let file = File::open(path).map_err(|problem| unreadable(path, problem))?;
    let failed = |error: std::io::Error| damaged(path, error.to_string());
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?;
        if !name.to_string_lossy().ends_with(ending) {
            continue;
        }
        let mut content = Vec::new();
        entry
            .take(MOST_BYTES)
            .read_to_end(&mut content)
            .map_err(failed)?;
        return Ok(content);
    }
    Err(damaged(path, format!("it holds no file `{ending}`")))
}

pub(super) fn unreadable(path: &Path, problem: std::io::Error) -> LabError {
    LabError::Read {
        path: path.to_owned(),
        problem,
    }
}

pub(super) fn damaged(path: &Path, problem: impl Into<String>) -> LabError {
    LabError::Format {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
