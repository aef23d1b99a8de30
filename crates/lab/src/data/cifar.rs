//! CIFAR's binary format (Krizhevsky 2009): records of labels, one byte each, and 3 planes of
//! 32 × 32 pixels.

use super::find::{self, Finder, damaged};
use super::{DataSet, Encoding};
use crate::LabError;
use ndarray::{ArrayD, IxDyn};
use std::path::{Path, PathBuf};

/// Bytes of a picture.
const PICTURE: usize = 3 * 32 * 32;

/// CIFAR-10: the training batches in order and the test batch, whichever of them are there.
pub(super) fn load_10(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let mut files: Vec<PathBuf> = (1..=5)
        .filter_map(|batch| finder.look(&[&format!("data_batch_{batch}.bin")]))
        .collect();
    // A part of the test batch will do.
    files.extend(finder.look(&["test_batch.bin", "test_batch_first1000.bin"]));
    if files.is_empty() {
        files.push(finder.need(&["data_batch_1.bin"])?);
    }
    records(name, &files, 1, 10)
}

/// CIFAR-100 with its fine labels: the training file and the test file, if that is there.
pub(super) fn load_100(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let mut files = vec![finder.need(&["train.bin"])?];
    files.extend(finder.look(&["test.bin"]));
    records(name, &files, 2, 100)
}

/// Records whose picture follows `labels` bytes, the last of which is the label.
fn records(
    name: &str,
    files: &[PathBuf],
    labels: usize,
    classes: usize,
) -> Result<DataSet, LabError> {
    let (mut values, mut found) = (Vec::new(), Vec::new());
    for path in files {
        let bytes = find::bytes(path)?;
        let records = bytes.chunks_exact(labels + PICTURE);
        if !records.remainder().is_empty() || bytes.is_empty() {
            let (length, record) = (bytes.len(), labels + PICTURE);
            let problem = format!("{length} bytes are not whole records of {record}");
            return Err(damaged(path, problem));
        }
        for (index, record) in records.enumerate() {
            let label = usize::from(record[labels - 1]);
            if label >= classes {
                let problem = format!("record {index} has the label {label} of {classes} classes");
                return Err(damaged(path, problem));
            }
            found.push(label);
            values.extend_from_slice(&record[labels..]);
        }
    }
    let path = files.first().map_or(Path::new(""), PathBuf::as_path);
    let values = ArrayD::from_shape_vec(IxDyn(&[found.len(), 3, 32, 32]), values)
        .map_err(|error| damaged(path, error.to_string()))?;
    DataSet::new(name, Encoding::Pixels, values, found, classes)
        .map_err(|problem| damaged(path, problem))?
        .read_from(files)
}
