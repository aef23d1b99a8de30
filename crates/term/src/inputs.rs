//! The files that a command reads: what they may be, and that no result takes their place.

use crate::Failure;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use trefoil::data::{file_of, regular};

/// Files and folders that a command reads, with the flags that named them.
#[derive(Debug, Default)]
pub struct Inputs<'a>(Vec<(&'static str, &'a Path)>);

impl<'a> Inputs<'a> {
    /// These, and the ones that came after `flag`.
    #[must_use]
    pub fn with(
        mut self,
        flag: &'static str,
        paths: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Self {
        let named = paths.into_iter().map(|path| (flag, file_of(path)));
        self.0.extend(named);
        self
    }

    /// Check that none is a pipe or a device, which could be waited for without end.
    ///
    /// # Errors
    /// The first that is.
    pub fn check(&self) -> Result<(), Failure> {
        Ok(self.0.iter().try_for_each(|(_, path)| regular(path))?)
    }

    /// Check that a result at `path`, which came after `flag`, takes the place of none of them: not by its name, and not
    /// by a link.
    ///
    /// # Errors
    /// The first whose place it would take.
    pub fn spare(&self, flag: &str, path: &Path) -> Result<(), Failure> {
        let Ok(found) = fs::metadata(path) else {
            return Ok(());
        };
        let (shown, place) = (path.display(), (found.dev(), found.ino()));
        for (input, read) in &self.0 {
            let Ok(other) = fs::metadata(read) else {
                continue;
            };
            let whose = if (other.dev(), other.ino()) == place {
                format!("is the file after {input}")
            } else if other.is_dir() && found.is_file() && lies_in(path, read) {
                format!("is a file of the folder after {input}")
            } else {
                continue;
            };
            return Err(Failure::misuse(format!(
                "{shown} after {flag} {whose}: it would be overwritten"
            ))
            .help(format!("name another file after {flag}")));
        }
        Ok(())
    }
}

/// Whether a file lies in a folder, or in one below it.
fn lies_in(file: &Path, folder: &Path) -> bool {
    match (fs::canonicalize(file), fs::canonicalize(folder)) {
        (Ok(file), Ok(folder)) => file.starts_with(folder),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_takes_the_place_of_no_input_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["x.npy", "other.npy", "pictures/1.png"] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("x.npy"), at("soft.npy")).unwrap();
        fs::hard_link(at("x.npy"), at("hard.npy")).unwrap();
        let (file, pictures) = (at("x.npy"), at("pictures"));
        let inputs = Inputs::default()
            .with("--input", [&file])
            .with("--natural", [&pictures]);
        for taken in [
            "x.npy",
            "soft.npy",
            "hard.npy",
            "pictures/../x.npy",
            "pictures/1.png",
        ] {
            let error = inputs.spare("--output", &at(taken)).unwrap_err();
            assert!(error.to_string().contains("overwritten"), "{taken}");
        }
        for free in ["other.npy", "new.npy", "pictures/new.npy"] {
            inputs.spare("--output", &at(free)).unwrap();
        }
    }
}
