//! Arrays as numpy writes them.

use crate::LabError;
use ndarray::{ArrayD, Axis};
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpzError, ReadableElement};
use std::fs::File;
use std::path::Path;

/// Read the first of the arrays `names` that the .npz archive at `path` holds, whatever type its
/// numbers have; 64-bit integers beyond 2^53 are rounded.
///
/// # Errors
/// If the file cannot be read, is no archive, or has none of the arrays or not as numbers.
pub fn from_npz(path: &Path, names: &[&str]) -> Result<ArrayD<f64>, LabError> {
    let format = |problem: String| LabError::Format {
        path: path.to_owned(),
        problem,
    };
    let file = File::open(path).map_err(|problem| LabError::Read {
        path: path.to_owned(),
        problem,
    })?;
    let mut archive = NpzReader::new(file).map_err(|error| format(error.to_string()))?;
    let stored = archive.names().map_err(|error| format(error.to_string()))?;
    // numpy stores the array `x` as the file `x.npy`.
    let found = names.iter().find_map(|name| {
        let file = format!("{name}.npy");
        let matches = |stored: &&String| **stored == *name || **stored == file;
        stored.iter().find(matches)
    });
    let Some(name) = found else {
        return Err(format(format!(
            "none of the arrays {names:?} is in it, only {stored:?}"
        )));
    };
    macro_rules! first_that_fits {
        ($($number:ty),*) => {$(
            match numbers::<$number>(&mut archive, name) {
                Ok(array) => return Ok(array.mapv(|v| v as f64)),
                Err(ReadNpzError::Npy(ReadNpyError::WrongDescriptor(_))) => {}
                Err(error) => return Err(format(format!("array {name}: {error}"))),
            }
        )*};
    }
    first_that_fits!(f32, f64, u8, i8, i64, i32, u32, i16, u16, u64);
    match numbers::<bool>(&mut archive, name) {
        Ok(array) => Ok(array.mapv(|v| f64::from(u8::from(v)))),
        Err(error) => Err(format(format!("array {name}: {error}; write numbers"))),
    }
}

/// Read an .npy file, whatever type its numbers have; truth values are 0 and 1.
///
/// # Errors
/// If the file cannot be read, or holds no numbers.
pub fn from_npy(path: &Path) -> Result<ArrayD<f64>, LabError> {
    macro_rules! first_that_fits {
        ($($number:ty),*) => {$(
            match ndarray_npy::read_npy::<_, ArrayD<$number>>(path) {
                Ok(array) => return Ok(array.mapv(|v| v as f64)),
                Err(ReadNpyError::WrongDescriptor(_)) => {}
                Err(error) => return Err(unusable(path, error)),
            }
        )*};
    }
    first_that_fits!(f32, f64, u8, i8, i64, i32, u32, i16, u16, u64);
    ndarray_npy::read_npy::<_, ArrayD<bool>>(path)
        .map(|array| array.mapv(|v| f64::from(u8::from(v))))
        .map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, error: ReadNpyError) -> LabError {
    match error {
        ReadNpyError::Io(problem) => LabError::Read {
            path: path.to_owned(),
            problem,
        },
        error => LabError::Format {
            path: path.to_owned(),
            problem: format!("{error}; write numbers"),
        },
    }
}

fn numbers<T: ReadableElement>(
    archive: &mut NpzReader<File>,
    name: &str,
) -> Result<ArrayD<T>, ReadNpzError> {
    archive.by_name(name)
}

/// Class numbers from an array of integers (records) or of one-hot rows (records, classes).
///
/// # Errors
/// A sentence on what is wrong: a shape, or a number that is no class.
pub fn labels(array: &ArrayD<f64>) -> Result<Vec<usize>, String> {
    match array.ndim() {
        1 => array
            .iter()
            .enumerate()
            .map(|(record, &value)| {
                let whole = value >= 0.0 && value.fract() == 0.0 && value < 1e9;
                whole
                    .then_some(value as usize)
                    .ok_or_else(|| format!("label {value} of record {record} is no class number"))
            })
            .collect(),
        2 if array.shape()[1] == 1 => labels(&array.index_axis(Axis(1), 0).to_owned().into_dyn()),
        2 => array
            .outer_iter()
            .enumerate()
            .map(|(record, row)| {
                // Numbers that are exact in every format.
                let is = |number: f64, v: &f64| (v - number).abs() < f64::EPSILON;
                let ones = row.iter().filter(|v| is(1.0, v)).count();
                let zeros = row.iter().filter(|v| is(0.0, v)).count();
                if ones != 1 || zeros != row.len() - 1 {
                    return Err(format!("the label of record {record} is not one-hot"));
                }
                Ok(row.iter().position(|v| is(1.0, v)).unwrap_or_default())
            })
            .collect(),
        _ => Err(format!(
            "labels of shape {:?}; one number for each record is needed",
            array.shape()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use ndarray_npy::NpzWriter;

    #[test]
    fn arrays_of_every_type_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let mut archive = NpzWriter::new_compressed(File::create(&path).unwrap());
        archive.add_array("x", &array![[0_u8, 1]]).unwrap();
        archive.add_array("y", &array![5_i64]).unwrap();
        archive.add_array("flags", &array![true, false]).unwrap();
        archive.add_array("p", &array![0.5_f32]).unwrap();
        archive.finish().unwrap();
        let read = |names: &[&str]| from_npz(&path, names);
        assert_eq!(
            read(&["features", "x"]).unwrap(),
            array![[0.0, 1.0]].into_dyn()
        );
        assert_eq!(read(&["y"]).unwrap(), array![5.0].into_dyn());
        assert_eq!(read(&["flags"]).unwrap(), array![1.0, 0.0].into_dyn());
        assert_eq!(read(&["p"]).unwrap(), array![0.5].into_dyn());
        let error = read(&["z"]).unwrap_err().to_string();
        assert!(
            error.contains("none of the arrays") && error.contains("flags"),
            "{error}"
        );
        std::fs::write(&path, "no archive").unwrap();
        assert!(matches!(read(&["x"]), Err(LabError::Format { .. })));
    }

    #[test]
    fn labels_are_numbers_or_one_hot_rows() {
        assert_eq!(labels(&array![3.0, 0.0].into_dyn()), Ok(vec![3, 0]));
        let one_hot = array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
        assert_eq!(labels(&one_hot.into_dyn()), Ok(vec![2, 0]));
        assert_eq!(labels(&array![[3.0], [1.0]].into_dyn()), Ok(vec![3, 1]));
        for bad in [array![0.5], array![-1.0], array![f64::NAN]] {
            assert!(labels(&bad.into_dyn()).is_err());
        }
        assert!(labels(&array![[1.0, 1.0]].into_dyn()).is_err());
    }
}
