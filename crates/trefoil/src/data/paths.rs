//! Paths as users write them.

use crate::Error;
use std::path::Path;
use trefoil_serve::irregular;

/// Check that `path` is a file or a folder if it is there: opening a named pipe waits until somebody writes to it, and a
/// device may never end.
///
/// # Errors
/// If it is something else.
pub fn regular(path: &Path) -> Result<(), Error> {
    let path = file_of(path);
    let Some(what) = irregular(path) else {
        return Ok(());
    };
    let shown = path.display();
    Err(
        Error::new(format!("cannot read {shown}: it is {what}, not a file"))
            .with_help("save what comes out of it to a file first, and name that"),
    )
}

/// The file of `path`: that itself, or the archive of `FILE.npz:NAME`.
pub fn file_of(path: &Path) -> &Path {
    split_name(path).map_or(path, |(file, _)| file)
}

/// `FILE.npz:NAME` in its two parts; nothing for any other path, and nothing if there is a file of that very name.
pub fn split_name(path: &Path) -> Option<(&Path, &str)> {
    let (file, name) = path.to_str()?.rsplit_once(':')?;
    let file = Path::new(file);
    let is_archive = file
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("npz"));
    (is_archive && !name.is_empty() && !path.exists()).then_some((file, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn archives_are_split_from_the_name_of_an_array() {
        let split = |path| split_name(Path::new(path));
        assert_eq!(split("a/b.npz:x"), Some((Path::new("a/b.npz"), "x")));
        assert_eq!(split("a.npz:x/y"), Some((Path::new("a.npz"), "x/y")));
        for other in ["a.npz", "a.npz:", "a.npy:x", "a:b"] {
            assert_eq!(split(other), None, "{other}");
        }
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a.npz:x");
        fs::write(&odd, "").unwrap();
        assert_eq!(split_name(&odd), None);
    }
}
