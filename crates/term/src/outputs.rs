//! Where results go: checked before any work, and never in the place of what is read.

use crate::Failure;
use crate::inputs::Inputs;
use crate::tone::tell_aside;
use ndarray::ArrayD;
use ndarray_npy::WriteNpyExt;
use std::error::Error;
use std::fs::{self, Permissions};
use std::io::{BufWriter, Write, stdout};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file that appears whole, or not at all.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    /// The folder in which the file appears; none for standard output.
    folder: Option<PathBuf>,
}

impl Destination {
    /// Check that a file can be written at `path`, which came after `flag`, before anything is computed for it. A link is
    /// followed, as other programs do.
    ///
    /// # Errors
    /// If the folder is missing or not writable, if `path` is no regular file, or one of `inputs`, also by another name.
    pub fn new(flag: &str, path: &Path, inputs: &Inputs<'_>) -> Result<Self, Failure> {
        let shown = path.display();
        if path == Path::new("-") {
            tell_aside();
            return Ok(Self {
                path: path.to_owned(),
                folder: None,
            });
        }
        inputs.spare(flag, path)?;
        // A rename would replace a device such as /dev/null.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(
                Failure::new(format!("cannot write {shown}: it is not a regular file"))
                    .help(format!("name a file after {flag}")),
            );
        }
        // A rename would replace the link, and not what it leads to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.file_name().is_none() {
            return Err(
                Failure::new(format!("cannot write {shown}: it names no file"))
                    .help(format!("name a file after {flag}")),
            );
        }
        let folder = folder_of(&path).to_owned();
        // Without a name in the folder, so that nothing stays of it whatever happens.
        let tried = tempfile::tempfile_in(&folder);
        let destination = Self {
            folder: Some(folder),
            path,
        };
        match tried {
            Ok(_) => Ok(destination),
            Err(error) => Err(destination.refuse(&error)),
        }
    }

    /// Write `array` as 32-bit floats.
    ///
    /// # Errors
    /// If it cannot be written; nothing of it stays then.
    pub fn write(&self, array: &ArrayD<f64>) -> Result<(), Failure> {
        self.save(|file| {
            array.mapv(|value| value as f32).write_npy(file)?;
            Ok(())
        })
    }

    /// Write `bytes`.
    ///
    /// # Errors
    /// If they cannot be written; nothing of them stays then.
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        self.save(|file| Ok(file.write_all(bytes)?))
    }

    fn save(
        &self,
        fill: impl Fn(&mut dyn Write) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Failure> {
        let Some(folder) = &self.folder else {
            let mut out = stdout().lock();
            return fill(&mut out)
                .and_then(|()| Ok(out.flush()?))
                .map_err(|error| {
                    Failure::new(format!("cannot write to standard output: {error}"))
                });
        };
        let save = || -> Result<(), Box<dyn Error>> {
            // As the user's umask says, like any other program's files.
            let mut file = tempfile::Builder::new()
                .prefix(".trefoil-")
                .suffix(".tmp")
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)?;
            let mut buffer = BufWriter::new(file.as_file_mut());
            fill(&mut buffer)?;
            buffer.flush()?;
            drop(buffer);
            file.persist(&self.path)?;
            Ok(())
        };
        save().map_err(|error| self.refuse(error.as_ref()))
    }

    fn refuse(&self, error: &dyn Error) -> Failure {
        let path = self.path.display();
        let folder = self.folder.as_deref().unwrap_or(Path::new("."));
        let folder = folder.display();
        Failure::new(format!("cannot write {path}: {error}")).help(format!(
            "check that the folder {folder} exists, that you may write to it, and the free space"
        ))
    }
}

/// A folder of results, made when the first of them is there; what stays empty is removed.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    made: Vec<PathBuf>,
}

impl OutputFolder {
    /// Check that files can be written into `path`, which came after `flag`, or that it can be made. Nothing is made yet.
    ///
    /// # Errors
    /// If it is no folder, or cannot be written to or made.
    pub fn new(flag: &str, path: &Path) -> Result<Self, Failure> {
        let mut there = path;
        while fs::symlink_metadata(there).is_err() {
            there = folder_of(there);
        }
        let shown = path.display();
        let advice = format!("name a folder that you may write to after {flag}");
        if !there.is_dir() {
            let other = there.display();
            return Err(Failure::new(format!(
                "cannot write into {shown}: {other} is not a folder"
            ))
            .help(advice));
        }
        tempfile::tempfile_in(there).map_err(|error| {
            Failure::new(format!("cannot write into {shown}: {error}")).help(advice)
        })?;
        Ok(Self {
            path: path.to_owned(),
            made: Vec::new(),
        })
    }

    /// The folder, which is there from now on.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make(&mut self) -> Result<&Path, Failure> {
        let mut missing: Vec<&Path> = Vec::new();
        let mut folder = self.path.as_path();
        while !folder.exists() {
            missing.push(folder);
            folder = folder_of(folder);
        }
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(|error| {
                let folder = folder.display();
                Failure::new(format!("cannot make the folder {folder}: {error}"))
            })?;
            self.made.push(folder.to_owned());
        }
        Ok(&self.path)
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // Only a folder with nothing in it can be removed so.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Write a text file that only its owner can read: it appears whole, or not at all.
///
/// # Failures
/// If it cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = folder_of(path);
    let save = || -> Result<(), Box<dyn Error>> {
        let mut file = tempfile::Builder::new()
            .prefix(".trefoil-")
            .suffix(".tmp")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    save().map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", path.display()))
            .help("check that its folder exists and that you may write to it")
    })
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn read(path: &Path) -> Result<ArrayD<f64>, Failure> {
        Ok(trefoil::data::array(path, &[])?)
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.npy");
        let to = |path: &Path| Destination::new("--output", path, &Inputs::default());
        let destination = to(&path).unwrap();
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
        destination.write(&array![1.5, -2.0].into_dyn()).unwrap();
        assert_eq!(read(&path).unwrap(), array![1.5, -2.0].into_dyn());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for wrong in [
            folder.path(),
            &folder.path().join("missing/out.npy"),
            Path::new("/"),
        ] {
            assert!(to(wrong).is_err(), "{}", wrong.display());
        }
        let link = folder.path().join("link.npy");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        to(&link).unwrap().write(&array![7.0].into_dyn()).unwrap();
        assert_eq!(read(&path).unwrap(), array![7.0].into_dyn());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_folder_that_stays_empty_goes_away_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let mut folder = OutputFolder::new("--report", &path).unwrap();
        assert!(!parent.path().join("a").exists());
        folder.make().unwrap();
        assert!(path.is_dir());
        drop(folder);
        assert!(!parent.path().join("a").exists());
        let mut folder = OutputFolder::new("--report", &path).unwrap();
        fs::write(folder.make().unwrap().join("x"), "x").unwrap();
        drop(folder);
        assert!(path.join("x").is_file());
        assert!(OutputFolder::new("--report", &path.join("x/y")).is_err());
    }
}
