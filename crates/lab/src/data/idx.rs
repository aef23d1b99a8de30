//! MNIST's idx format (`LeCun`, Cortes and Burges): two zero bytes, the type, the number of axes,
//! each axis' length in 4 bytes, big-endian, then the data.

use super::find::{self, Finder, damaged};
use super::{DataSet, Encoding};
use crate::LabError;
use ndarray::{ArrayD, Axis, IxDyn, concatenate};
use std::path::{Path, PathBuf};

/// Read the training and the test pictures, in this order, whichever of them are there.
pub(super) fn load(name: &str, finder: &Finder<'_>) -> Result<DataSet, LabError> {
    let mut parts = Vec::new();
    let mut labels = Vec::new();
    let mut files: Vec<PathBuf> = Vec::new();
    for part in ["train", "t10k"] {
        // Both spellings are in use.
        let names = |what: &str| {
            [
                format!("{part}-{what}-ubyte"),
                format!("{part}-{}-ubyte", what.replace("-idx", ".idx")),
            ]
        };
        let (pictures, numbers) = (names("images-idx3"), names("labels-idx1"));
        let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let last_hope = part == "t10k" && parts.is_empty();
        let Some(path) = finder.look(&pictures) else {
            if last_hope {
                finder.need(&pictures)?;
            }
            continue;
        };
        let array = array(&path, 3)?;
        let shape = array.shape().to_vec();
        let shape = IxDyn(&[shape[0], 1, shape[1], shape[2]]);
        let pictures = array.into_shape_with_order(shape);
        parts.push(pictures.map_err(|error| damaged(&path, error.to_string()))?);
        files.push(path);
        let path = finder.need(&numbers)?;
        labels.extend(self::array(&path, 1)?.iter().map(|&v| usize::from(v)));
        files.push(path);
    }
    let first = files.first().cloned().unwrap_or_default();
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let values = concatenate(Axis(0), &views).map_err(|e| damaged(&first, e.to_string()))?;
    DataSet::new(name, Encoding::Pixels, values, labels, 10)
        .map_err(|problem| damaged(&first, problem))?
        .read_from(&files)
}

/// The array of bytes in an idx file with `axes` axes.
fn array(path: &Path, axes: usize) -> Result<ArrayD<u8>, LabError> {
    let bytes = find::bytes(path)?;
    let header = 4 + 4 * axes;
    if bytes.len() < header || bytes[..3] != [0, 0, 8] || usize::from(bytes[3]) != axes {
        return Err(damaged(
            path,
            format!("no idx file of bytes with {axes} axes"),
        ));
    }
    let sizes = bytes[4..header].chunks_exact(4);
    let shape: Vec<usize> = sizes
        .map(|size| {
            size.iter()
                .fold(0, |sum, &byte| sum * 256 + usize::from(byte))
        })
        .collect();
    let data = bytes[header..].to_vec();
    let length = data.len();
    ArrayD::from_shape_vec(IxDyn(&shape), data)
        .map_err(|_| damaged(path, format!("shape {shape:?}, but {length} bytes of data")))
}
