//! What an item gives: rows of the paper's and our numbers, tables, pictures, sentences.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use trefoil_lab::report::{Figure, Table};

/// What the paper says, what we measured, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) unit: String,
    pub(super) paper: Option<f64>,
    pub(super) ours: Option<f64>,
    /// How ours came about, or why there is none.
    pub(super) place: String,
}

impl Row {
    pub(super) fn new(
        what: impl Into<String>,
        unit: &str,
        paper: Option<f64>,
        ours: Option<f64>,
        place: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            unit: unit.to_owned(),
            paper,
            ours,
            place: place.into(),
        }
    }
}

/// An item, made.
#[derive(Default)]
pub(super) struct Page {
    pub(super) rows: Vec<Row>,
    pub(super) tables: Vec<Table>,
    pub(super) figures: Vec<Figure>,
    /// What is to be said where the two differ.
    pub(super) sentences: Vec<String>,
    /// What could not be made, and why.
    pub(super) lacks: Vec<String>,
}

impl Page {
    /// As Markdown, with the files of its pictures.
    pub(super) fn markdown(&self, pictures: &[String]) -> String {
        let mut text = String::new();
        for sentence in &self.sentences {
            let _ = writeln!(text, "{sentence}\n");
        }
        if !self.rows.is_empty() {
            text += "| | unit | paper | ours | how |\n|---|---|---|---|---|\n";
            for row in &self.rows {
                let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), short);
                let (paper, ours) = (number(row.paper), number(row.ours));
                let Row {
                    what, unit, place, ..
                } = row;
                let _ = writeln!(text, "| {what} | {unit} | {paper} | {ours} | {place} |");
            }
            text.push('\n');
        }
        for table in &self.tables {
            text += &markdown(table);
        }
        for (figure, file) in self.figures.iter().zip(pictures) {
            let _ = writeln!(text, "![{}]({file})\n", figure.title());
        }
        for lack in &self.lacks {
            let _ = writeln!(text, "Not made: {lack}\n");
        }
        text
    }
}

/// A table as Markdown.
fn markdown(table: &Table) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ").replace('\n', " "));
    let rule = vec!["---".to_owned(); table.header.len()];
    let mut text = format!("{}\n\n", table.title);
    text += &line(&table.header);
    text += &line(&rule).replace(' ', "");
    for row in &table.rows {
        text += &line(row);
    }
    text.push('\n');
    for note in &table.notes {
        let _ = writeln!(text, "{note}\n");
    }
    text
}

/// Three or four digits.
fn short(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_tables_are_markdown() {
        let mut table = Table::new("Parts", &["part", "rounds"]);
        table.row(vec!["norm".into(), "11".into()]);
        let page = Page {
            rows: vec![Row::new("n = 8", "s", Some(0.99), None, "not run")],
            tables: vec![table],
            lacks: vec!["Texas100: no file".into()],
            ..Page::default()
        };
        let text = page.markdown(&[]);
        for line in [
            "| n = 8 | s | 0.99 | - | not run |",
            "| part | rounds |\n|---|---|\n| norm | 11 |",
            "Not made: Texas100: no file",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert_eq!(
            (short(1234.5), short(0.004), short(57.6)),
            ("1234".into(), "4.000e-3".into(), "57.60".into())
        );
    }
}
