//! A report: sections of text, tables and figures, with what made them.

use super::{Figure, Results, Table, html};
use crate::LabError;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A piece of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A figure.
    Figure(Figure),
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its content, in order.
    pub blocks: Vec<Block>,
}

impl Section {
    /// Add a paragraph.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// Add a table.
    pub fn table(&mut self, table: Table) -> &mut Self {
        self.blocks.push(Block::Table(table));
        self
    }

    /// Add a figure.
    pub fn figure(&mut self, figure: Figure) -> &mut Self {
        self.blocks.push(Block::Figure(figure));
        self
    }

    /// Add the table, sentences and curves of the attacks on a model.
    pub fn results(&mut self, results: &Results) -> &mut Self {
        self.table(results.table());
        for sentence in results.sentences() {
            self.text(sentence);
        }
        for group in results.not_run() {
            self.text(format!("Not run: {group}"));
        }
        self.figure(Figure::Roc(results.roc()))
    }
}

/// A report. As JSON it holds every number of the tables and figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The title.
    pub title: String,
    /// The version of this program.
    pub version: &'static str,
    /// What made the numbers: seeds, splits, hashes of files, versions, the command.
    pub facts: Vec<(String, String)>,
    /// The content.
    pub sections: Vec<Section>,
    /// More data for programs, by name.
    pub data: Map<String, Value>,
}

impl Report {
    /// An empty report.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            version: env!("CARGO_PKG_VERSION"),
            facts: Vec::new(),
            sections: Vec::new(),
            data: Map::new(),
        }
    }

    /// Note something that made the numbers.
    pub fn fact(&mut self, name: impl Into<String>, value: impl ToString) -> &mut Self {
        self.facts.push((name.into(), value.to_string()));
        self
    }

    /// Begin a section.
    pub fn section(&mut self, heading: impl Into<String>) -> &mut Section {
        let index = self.sections.len();
        self.sections.push(Section {
            heading: heading.into(),
            blocks: Vec::new(),
        });
        &mut self.sections[index]
    }

    /// The report as one HTML file that refers to nothing outside itself.
    ///
    /// # Errors
    /// If a figure cannot be drawn.
    pub fn html(&self) -> Result<String, LabError> {
        html::page(self)
    }

    /// The report's tables and sentences for a terminal.
    pub fn terminal(&self) -> String {
        let mut parts = vec![self.title.clone()];
        for section in &self.sections {
            parts.push(section.heading.clone());
            for block in &section.blocks {
                match block {
                    Block::Text(text) => parts.push(text.clone()),
                    Block::Table(table) => parts.push(table.terminal()),
                    Block::Figure(_) => {}
                }
            }
        }
        parts.join("\n\n")
    }

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
