//! A report: sections of text, tables and figures, with what made them.

use super::{Figure, Results, Table};
use serde::Serialize;
use serde_json::{Map, Value};

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
        if let Some(table) = results.canaries_table() {
            self.table(table);
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
}
