//! Arrays in .npz archives, which are zip files of .npy files.

use super::arrays::{self, Wanted};
use crate::Error;
use ndarray::ArrayD;
use std::io::{Read, Seek};
use zip::ZipArchive;

/// Most bytes that a packed file may become.
pub(crate) const MOST_BYTES: u64 = 4 << 30;

/// One array of the archive `source`, which messages call `shown`: the one called `asked`, or else the first of `names`
/// that is there, or else the only one.
///
/// # Errors
/// If it is no archive or damaged, or holds no such array.
pub(crate) fn array(
    shown: &str,
    source: impl Read + Seek,
    asked: Option<&str>,
    names: &[&str],
    wanted: Wanted,
) -> Result<ArrayD<f64>, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(format!(
            "{shown} is not an .npz archive, or damaged: {error}"
        ))
        .with_help("write it with numpy.savez(path, name=array)")
    };
    let mut archive = ZipArchive::new(source).map_err(|error| failed(&error))?;
    let stored: Vec<String> = archive
        .file_names()
        .filter_map(|name| name.strip_suffix(".npy").map(str::to_owned))
        .collect();
    let name = choose(shown, &archive, &stored, asked, names)?;
    let entry = archive
        .by_name(&format!("{name}.npy"))
        .map_err(|error| failed(&error))?;
    let bytes = limited(shown, entry)?;
    arrays::parse(&format!("{name} of {shown}"), &bytes, wanted)
}

/// Which of the arrays `stored` is meant.
fn choose<R: Read + Seek>(
    shown: &str,
    archive: &ZipArchive<R>,
    stored: &[String],
    asked: Option<&str>,
    names: &[&str],
) -> Result<String, Error> {
    if stored.is_empty() {
        let is_torch = archive.file_names().any(|name| name.ends_with("data.pkl"));
        return Err(if is_torch {
            Error::new(format!(
                "{shown} is a file of torch.save, not an .npz archive"
            ))
            .with_help("load it with torch.load, and save the tensor with numpy.save(path, tensor.numpy())")
        } else {
            Error::new(format!(
                "{shown} is a zip archive without an array in it"
            ))
            .with_help("unpack it, and name the file in it; arrays are packed with numpy.savez(path, name=array)")
        });
    }
    let there = stored.join("`, `");
    if let Some(asked) = asked {
        return if stored.iter().any(|name| name == asked) {
            Ok(asked.to_owned())
        } else {
            Err(Error::new(format!(
                "{shown} holds no array `{asked}`, but `{there}`"
            )))
        };
    }
    let usual = names
        .iter()
        .find(|name| stored.iter().any(|stored| stored == *name));
    match (usual, stored) {
        (Some(name), _) => Ok((*name).to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, [first, ..]) => {
            let wanted = names.join("`, `");
            Err(Error::new(format!(
                "{shown} holds several arrays, `{there}`, and none of them is called `{wanted}`"
            ))
            .with_help(format!(
                "say which one behind a colon, such as {shown}:{first}"
            )))
        }
        (None, []) => Err(Error::new(format!("{shown} holds no array"))),
    }
}

/// All of `source`, unless that is absurdly much.
///
/// # Errors
/// If it cannot be read, or is.
pub(crate) fn limited(shown: &str, source: impl Read) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    source
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(format!("{shown} is damaged: {error}")))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            Error::new(format!("{shown} unpacks to more than {MOST_BYTES} bytes"))
                .with_help("split it into several files"),
        );
    }
    Ok(bytes)
}
