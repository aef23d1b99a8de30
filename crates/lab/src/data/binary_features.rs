//! Location30, Texas100 and Purchase100 (Shokri et al. 2017): rows of features that are 0 or 1.

use super::find::{self, Finder, damaged};
use super::{DataSet, Encoding, arrays};
use crate::LabError;
use ndarray::{ArrayD, IxDyn};
use std::path::Path;

/// Location30: the publishers' archive with the file `bangkok`, that file, or an .npz archive.
pub(super) fn load_location(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let path = finder.need(&["dataset_location.tgz", "bangkok", "location30.npz"])?;
    one_file(name, &path, "bangkok", 30)
}

/// Purchase100: the publishers' archive with the file `dataset_purchase`, that file, or an .npz
/// archive.
pub(super) fn load_purchase(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let path = finder.need(&[
        "dataset_purchase.tgz",
        "dataset_purchase",
        "purchase100.npz",
    ])?;
    one_file(name, &path, "dataset_purchase", 100)
}

/// Texas100: the publishers' archive with `texas/100/feats` and `texas/100/labels`, these two
/// files, or an .npz archive.
pub(super) fn load_texas(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let path = finder.need(&["dataset_texas.tgz", "texas/100/feats", "texas100.npz"])?;
    if has_ending(&path, "npz") {
        return archive(name, &path, 100);
    }
    let (features, numbers, files) = if has_ending(&path, "tgz") {
        let features = find::archived(&path, "texas/100/feats")?;
        let labels = find::archived(&path, "texas/100/labels")?;
        (features, labels, vec![path.clone()])
    } else {
        let labels = finder.need(&["texas/100/labels"])?;
        let files = vec![path.clone(), labels.clone()];
        (find::bytes(&path)?, find::bytes(&labels)?, files)
    };
    let mut rows = Rows::default();
    for (number, line) in lines(&features) {
        rows.bits(line.split(|&byte| byte == b','))
            .map_err(|problem| damaged(&path, format!("line {number} of feats: {problem}")))?;
    }
    let mut labels = Vec::new();
    for (number, line) in lines(&numbers) {
        let label = class(line)
            .map_err(|problem| damaged(&path, format!("line {number} of labels: {problem}")))?;
        labels.push(label);
    }
    rows.finish(name, labels, 100)
        .map_err(|problem| damaged(&path, problem))?
        .read_from(&files)
}

/// Lines of a label from 1 and features.
fn one_file(name: &str, path: &Path, entry: &str, classes: usize) -> Result<DataSet, LabError> {
    if has_ending(path, "npz") {
        return archive(name, path, classes);
    }
    let text = if has_ending(path, "tgz") {
        find::archived(path, entry)?
    } else {
        find::bytes(path)?
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let (mut rows, mut labels) = (Rows::default(), Vec::new());
    for (number, line) in lines(text) {
        let mut row = || -> Result<(), String> {
            let mut cells = line.split(|&byte| byte == b',');
            labels.push(class(cells.next().unwrap_or_default())?);
            rows.bits(cells)
        };
        row().map_err(|problem| damaged(path, format!("line {number}: {problem}")))?;
    }
    rows.finish(name, labels, classes)
        .map_err(|problem| damaged(path, problem))?
        .read_from(&[path.to_owned()])
}

/// The arrays `features`, `x` or `X`, and `labels`, `y` or `Y` from 0 or as one-hot rows.
fn archive(name: &str, path: &Path, classes: usize) -> Result<DataSet, LabError> {
    let features = arrays::from_npz(path, &["features", "x", "X"])?;
    let labels = arrays::from_npz(path, &["labels", "y", "Y"])?;
    let labels = arrays::labels(&labels).map_err(|problem| damaged(path, problem))?;
    // Casts of other numbers than 0 and 1 would hide them; 2 is refused below.
    let values = features.mapv(|v| match v {
        0.0 => 0,
        1.0 => 1,
        _ => 2_u8,
    });
    DataSet::new(name, Encoding::Bits, values, labels, classes)
        .map_err(|problem| damaged(path, problem))?
        .read_from(&[path.to_owned()])
}

/// Features, row by row.
#[derive(Default)]
struct Rows {
    values: Vec<u8>,
    width: Option<usize>,
    count: usize,
}

impl Rows {
    fn bits<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) -> Result<(), String> {
        let before = self.values.len();
        for cell in cells {
            match unquoted(cell) {
                b"0" => self.values.push(0),
                b"1" => self.values.push(1),
                other => {
                    let (column, cell) = (self.values.len() - before + 1, shown(other));
                    return Err(format!("feature {column} is `{cell}`, not 0 or 1"));
                }
            }
        }
        let width = self.values.len() - before;
        let expected = *self.width.get_or_insert(width);
        if width != expected {
            return Err(format!(
                "{width} features, but {expected} in the first line"
            ));
        }
        self.count += 1;
        Ok(())
    }

    fn finish(self, name: &str, labels: Vec<usize>, classes: usize) -> Result<DataSet, String> {
        let shape = IxDyn(&[self.count, self.width.unwrap_or(0)]);
        let values = ArrayD::from_shape_vec(shape, self.values).map_err(|e| e.to_string())?;
        DataSet::new(name, Encoding::Bits, values, labels, classes)
    }
}

/// Lines that are not empty, with their numbers from 1.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    let lines = lines.map(|(index, line)| (index + 1, line.trim_ascii()));
    lines.filter(|(_, line)| !line.is_empty())
}

/// A class from 0 of a number from 1, possibly quoted.
fn class(cell: &[u8]) -> Result<usize, String> {
    let text = shown(unquoted(cell));
    match text.parse::<usize>() {
        Ok(number) if number > 0 => Ok(number - 1),
        _ => Err(format!("the label is `{text}`, not a number from 1")),
    }
}

fn unquoted(cell: &[u8]) -> &[u8] {
    let cell = cell.trim_ascii();
    cell.strip_prefix(b"\"")
        .and_then(|cell| cell.strip_suffix(b"\""))
        .unwrap_or(cell)
}

/// The start of a cell, for messages.
fn shown(cell: &[u8]) -> String {
    String::from_utf8_lossy(&cell[..cell.len().min(40)]).into_owned()
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}
