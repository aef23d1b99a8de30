//! The report as files.

use super::{Block, Report};
use crate::LabError;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

impl Report {
    /// Write `report.html`, `report.json`, and each figure as SVG and PNG and each table as CSV
    /// under `figures` and `tables`, into `folder`, which is made if need be. Gives the path of
    /// the HTML file.
    ///
    /// # Errors
    /// If a figure cannot be drawn or a file not written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, LabError> {
        let page = self.html()?;
        let json = serde_json::to_vec_pretty(self).map_err(|error| LabError::Write {
            path: folder.join("report.json"),
            problem: error.into(),
        })?;
        let (figures, tables) = (folder.join("figures"), folder.join("tables"));
        for folder in [&figures, &tables] {
            std::fs::create_dir_all(folder).map_err(|problem| LabError::Write {
                path: folder.clone(),
                problem,
            })?;
        }
        let blocks = || self.sections.iter().flat_map(|section| &section.blocks);
        let drawn = blocks().filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        });
        for (index, figure) in drawn.enumerate() {
            let name = file_name(index, figure.title());
            write_whole(
                &figures.join(format!("{name}.svg")),
                figure.svg()?.as_bytes(),
            )?;
            write_whole(&figures.join(format!("{name}.png")), &figure.png()?)?;
        }
        let listed = blocks().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        });
        for (index, table) in listed.enumerate() {
            let name = file_name(index, &table.title);
            write_whole(&tables.join(format!("{name}.csv")), table.csv().as_bytes())?;
        }
        write_whole(&folder.join("report.json"), &json)?;
        let path = folder.join("report.html");
        write_whole(&path, page.as_bytes())?;
        Ok(path)
    }
}

/// `01-roc-location30-no-defence` for the first figure with this title.
fn file_name(index: usize, title: &str) -> String {
    let plain = title.to_lowercase();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).take(8).collect();
    format!("{:02}-{}", index + 1, words.join("-"))
}

/// Write a file that appears whole or not at all.
///
/// # Errors
/// If it cannot be written, or `path` is there and no regular file, such as a device, which this
/// would replace.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let save = || -> std::io::Result<()> {
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        // As the user's umask says, like any other program's files.
        let mut file = tempfile::Builder::new()
            .prefix(".trefoil-")
            .suffix(".tmp")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    save().map_err(|problem| LabError::Write {
        path: path.to_owned(),
        problem,
    })
}
