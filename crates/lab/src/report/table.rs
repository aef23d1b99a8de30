//! Tables of text, for terminals, HTML and spreadsheets.

use crate::metrics::Estimate;
use comfy_table::{CellAlignment, presets};
use serde::Serialize;

/// A table whose first column is text and whose others are numbers or short texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// Names of the columns, with units.
    pub header: Vec<String>,
    /// Cells, as many in each row as columns.
    pub rows: Vec<Vec<String>>,
    /// What has to be known to read it, below the table.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, header: &[&str]) -> Self {
        Self {
            title: title.into(),
            header: header.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Add a row.
    ///
    /// # Panics
    /// If it has not as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.header.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Add a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// For a terminal: title, columns and notes, without a line break at the end.
    pub fn terminal(&self) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(self.header.clone());
        for column in table.column_iter_mut() {
            let alignment = if column.index == 0 {
                CellAlignment::Left
            } else {
                CellAlignment::Right
            };
            column.set_cell_alignment(alignment);
        }
        for row in &self.rows {
            table.add_row(row.clone());
        }
        let mut text = String::new();
        if !self.title.is_empty() {
            text = format!("{}\n", self.title);
        }
        text += &table.trim_fmt();
        for note in &self.notes {
            text.push('\n');
            text += note;
        }
        text
    }

    /// Comma-separated values with a header line; titles and notes are left out.
    pub fn csv(&self) -> String {
        let quoted = |cell: &String| {
            if cell.contains([',', '"', '\n']) {
                format!("\"{}\"", cell.replace('"', "\"\""))
            } else {
                cell.clone()
            }
        };
        let line = |cells: &Vec<String>| cells.iter().map(quoted).collect::<Vec<_>>().join(",");
        let lines = std::iter::once(&self.header).chain(&self.rows);
        lines.map(|cells| line(cells) + "\n").collect()
    }
}

/// A share in percent: `76.3`; with more digits where it is small.
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.009_95 {
        format!("{:.2}", 100.0 * share)
    } else {
        format!("{:.1}", 100.0 * share)
    }
}

/// A share in percent with its interval: `76.3 (74.4-78.1)`.
pub fn percent_interval(estimate: Estimate) -> String {
    format!(
        "{} ({}-{})",
        percent(estimate.value),
        percent(estimate.low),
        percent(estimate.high)
    )
}

/// An estimate in its own unit, with its interval: `1.234 (1.201 to 1.267)`.
pub fn interval(estimate: Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    format!("{value:.3} ({low:.3} to {high:.3})")
}

/// A difference of shares in points of a percent, with its interval: `+1.2 (-0.3 to 2.7)`.
pub fn points_interval(difference: Estimate) -> String {
    let Estimate { value, low, high } = difference;
    format!(
        "{:+.1} ({:.1} to {:.1})",
        100.0 * value,
        100.0 * low,
        100.0 * high
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_text_and_values() {
        let mut table = Table::new("Attacks", &["attack", "AUC %"]);
        table.row(vec!["conf, by class".into(), percent(0.5)]);
        table.row(vec!["say \"x\"".into(), percent(0.001_23)]);
        table.note("two rows");
        let text = table.terminal();
        assert!(
            text.starts_with("Attacks\n") && text.ends_with("\ntwo rows"),
            "{text}"
        );
        assert!(text.contains("50.0") && text.contains("0.12"));
        assert_eq!(
            table.csv(),
            "attack,AUC %\n\"conf, by class\",50.0\n\"say \"\"x\"\"\",0.12\n"
        );
        assert_eq!(
            percent_interval(Estimate::new(0.763, 0.744, 0.781)),
            "76.3 (74.4-78.1)"
        );
        let difference = Estimate::new(-0.012, -0.031, 0.007);
        assert_eq!(points_interval(difference), "-1.2 (-3.1 to 0.7)");
        assert_eq!(interval(difference), "-0.012 (-0.031 to 0.007)");
    }
}
