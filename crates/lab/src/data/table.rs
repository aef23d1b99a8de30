//! Tables with a header: records' confidences, labels and membership in one CSV file.

use super::find::{bytes, damaged};
use crate::LabError;
use ndarray::Array2;
use std::path::Path;

/// Names of the column that holds the true classes.
const LABELS: [&str; 8] = [
    "label",
    "labels",
    "y",
    "y_true",
    "true_label",
    "target",
    "class",
    "truth",
];
/// Names of the column that says which records were trained on.
const MEMBERS: [&str; 7] = [
    "member",
    "members",
    "is_member",
    "membership",
    "in_training",
    "trained",
    "in",
];
/// Names of columns that number the records, or follow from the confidences. pandas leaves its index without a name.
const PASSED: [&str; 10] = [
    "",
    "unnamed: 0",
    "record",
    "id",
    "index",
    "row",
    "predicted",
    "prediction",
    "y_pred",
    "pred",
];

/// What stands in one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Numbers in every line.
    Numbers(Vec<f64>),
    /// Other text in at least one line.
    Texts(Vec<String>),
}

/// A table of records, one a line, with named columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns that are no labels, no membership and no numbering: numbers (records, columns).
    pub values: Array2<f64>,
    /// The names of those columns.
    pub names: Vec<String>,
    /// The true classes, if the table has them.
    pub labels: Option<Column>,
    /// Which records were trained on, if the table says so.
    pub members: Option<Vec<bool>>,
}

impl Table {
    /// Read a table with a header line, separated by commas, semicolons or tabs. A byte order mark is skipped; a
    /// column called `label`, `y`, … holds the labels, one called `member`, … which records were trained on.
    ///
    /// # Errors
    /// If the file cannot be read, has no header, is not rectangular, or has text where numbers are due.
    pub fn read(path: &Path) -> Result<Self, LabError> {
        Self::parse(&bytes(path)?).map_err(|problem| damaged(path, problem))
    }

    /// As [`Table::read`], of the file's bytes.
    ///
    /// # Errors
    /// A sentence on what is wrong, with its line.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator(text))
            .trim(csv::Trim::All)
            .from_reader(text);
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| sentence(&error))?
            .iter()
            .map(str::to_owned)
            .collect();
        check_header(&header)?;
        let mut cells: Vec<Vec<String>> = vec![Vec::new(); header.len()];
        for line in reader.records() {
            let line = line.map_err(|error| sentence(&error))?;
            for (column, cell) in cells.iter_mut().zip(line.iter()) {
                column.push(cell.to_owned());
            }
        }
        let records = cells.first().map_or(0, Vec::len);
        if records == 0 {
            return Err("there is no record behind the header".to_owned());
        }
        let mut table = Self {
            values: Array2::zeros((records, 0)),
            names: Vec::new(),
            labels: None,
            members: None,
        };
        let mut values = Vec::new();
        for (name, cells) in header.iter().zip(cells) {
            let lower = name.to_lowercase();
            let is = |names: &[&str]| names.contains(&lower.as_str());
            if is(&MEMBERS) {
                if table.members.replace(flags(name, &cells)?).is_some() {
                    return Err(twice("membership", name));
                }
            } else if is(&LABELS) {
                if table.labels.replace(column(cells)).is_some() {
                    return Err(twice("labels", name));
                }
            } else if !is(&PASSED) {
                values.extend(numbers(name, &cells)?);
                table.names.push(name.clone());
            }
        }
        // Column by column so far.
        table.values = Array2::from_shape_vec((table.names.len(), records), values)
            .map_err(|error| error.to_string())?
            .reversed_axes();
        Ok(table)
    }

    /// How many records.
    pub fn records(&self) -> usize {
        self.values.nrows()
    }

    /// The labels: the column called so, or the only column that there is.
    ///
    /// # Errors
    /// A sentence that names the columns.
    pub fn only_labels(self) -> Result<Column, String> {
        if let Some(labels) = self.labels {
            return Ok(labels);
        }
        if self.names.len() == 1 {
            return Ok(Column::Numbers(self.values.iter().copied().collect()));
        }
        Err(format!(
            "none of its columns is called `label` or `y`; they are {}",
            self.names.join(", ")
        ))
    }
}

/// The first of semicolon, tab and comma that stands in the header; a comma if none does.
fn separator(text: &[u8]) -> u8 {
    let header = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let found = |separator: &&u8| header.contains(separator);
    *b",;\t".iter().find(found).unwrap_or(&b',')
}

/// Refuse a first line of numbers, which is a record: it would be lost as a header. Class numbers 0, 1, 2, … are a header.
fn check_header(header: &[String]) -> Result<(), String> {
    let numbers: Vec<f64> = header.iter().filter_map(|name| name.parse().ok()).collect();
    let counted = numbers
        .iter()
        .enumerate()
        .all(|(i, v)| v.total_cmp(&(i as f64)).is_eq());
    if numbers.len() == header.len() && !(counted && header.len() > 1) {
        return Err(
            "its first line holds numbers; begin with a line that names the columns, such as \
             p0,p1,p2,label,member"
                .to_owned(),
        );
    }
    Ok(())
}

fn column(cells: Vec<String>) -> Column {
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| cell.parse().ok()).collect();
    numbers.map_or(Column::Texts(cells), Column::Numbers)
}

fn numbers(name: &str, cells: &[String]) -> Result<Vec<f64>, String> {
    let number = |(index, cell): (usize, &String)| {
        let value: Option<f64> = cell.parse().ok().filter(|v: &f64| v.is_finite());
        value.ok_or_else(|| {
            format!(
                "column `{name}` of record {index} is `{cell}`, not a number; name the column `label`, `member` or \
                 `id` if it is no confidence"
            )
        })
    };
    cells.iter().enumerate().map(number).collect()
}

fn flags(name: &str, cells: &[String]) -> Result<Vec<bool>, String> {
    let flag = |(index, cell): (usize, &String)| match cell.to_lowercase().as_str() {
        "1" | "1.0" | "true" | "yes" | "member" | "in" => Ok(true),
        "0" | "0.0" | "false" | "no" | "nonmember" | "non-member" | "out" => Ok(false),
        _ => Err(format!(
            "column `{name}` of record {index} is `{cell}`; write 1 for a member and 0 for a non-member"
        )),
    };
    cells.iter().enumerate().map(flag).collect()
}

fn twice(what: &str, name: &str) -> String {
    format!("column `{name}` is a second column of {what}; keep one")
}

/// What the reader of lines says, with the line first.
fn sentence(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("line {line} has {len} cells, the header {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8 text"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_table_with_a_header_has_confidences_labels_and_membership() {
        let text = "\u{feff}id,p0,p1,label,member\r\n7,0.25,0.75,1,1\r\n8,0.5,0.5,0,0\r\n";
        let table = Table::parse(text.as_bytes()).unwrap();
        assert_eq!(table.values, array![[0.25, 0.75], [0.5, 0.5]]);
        assert_eq!(table.names, ["p0", "p1"]);
        assert_eq!(table.labels, Some(Column::Numbers(vec![1.0, 0.0])));
        assert_eq!(table.members, Some(vec![true, false]));
        let semicolons = Table::parse(b"cat;dog;Y\n.5;.5;dog\n").unwrap();
        let dog = Column::Texts(vec!["dog".to_owned()]);
        assert_eq!(semicolons.labels, Some(dog));
        // pandas names the columns of an array by numbers, and its index not at all.
        let pandas = Table::parse(b",0,1\n0,0.1,0.9\n").unwrap();
        assert_eq!(pandas.values, array![[0.1, 0.9]]);
        let numbered = Table::parse(b"0,1\n0.1,0.9\n").unwrap();
        assert_eq!(numbered.records(), 1);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_its_line_or_record() {
        let refused = |text: &str| Table::parse(text.as_bytes()).unwrap_err();
        assert!(refused("0.1,0.9\n0.2,0.8\n").contains("names the columns"));
        assert!(refused("a,b\n1\n").contains("line 2 has 1 cells"));
        assert!(refused("a,b\n1,x\n").contains("column `b` of record 0 is `x`"));
        assert!(refused("a,member\n1,maybe\n").contains("record 0 is `maybe`"));
        assert!(refused("a,y,label\n1,2,3\n").contains("second column of labels"));
        assert!(refused("a,b\n").contains("no record"));
        assert!(refused("a\nNaN\n").contains("not a number"));
    }

    #[test]
    fn labels_alone_need_no_name() {
        let only = |text: &str| Table::parse(text.as_bytes()).unwrap().only_labels();
        assert_eq!(only("truth_of_it\n3\n"), Ok(Column::Numbers(vec![3.0])));
        assert!(only("a,b\n3,4\n").unwrap_err().contains("they are a, b"));
    }
}
