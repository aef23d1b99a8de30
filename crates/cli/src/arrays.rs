//! Arrays in files: pictures and labels in, answers out.

use crate::Failure;
use ndarray::{ArrayD, Dimension, IxDyn};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement, WriteNpyExt};
use std::fs::{self, Permissions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Read an .npy file of numbers, whatever their type; integers beyond 2^53 are rounded.
///
/// # Errors
/// If the file is missing, is no .npy file, is damaged, or holds something else than numbers.
pub(crate) fn read(path: &Path) -> Result<ArrayD<f64>, Failure> {
    let shown = path.display();
    let bytes = fs::read(path).map_err(|error| {
        let failure = Failure::new(format!("cannot read {shown}: {error}"));
        match error.kind() {
            ErrorKind::NotFound => failure.help("check the path; it is relative to this folder"),
            ErrorKind::IsADirectory => failure.help("name an .npy file, not a folder"),
            _ => failure,
        }
    })?;
    parse(&shown.to_string(), &bytes)
}

/// The array in the bytes of an .npy file; `shown` is its name in messages.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse(shown: &str, bytes: &[u8]) -> Result<ArrayD<f64>, Failure> {
    plausible(bytes).map_err(|problem| {
        Failure::new(format!(
            "{shown} is not an .npy file, or damaged: {problem}"
        ))
        .help("write it with numpy.save(path, array)")
    })?;
    let mut data = bytes;
    let header = Header::from_reader(&mut data).map_err(|error| {
        Failure::new(format!("{shown} is not an .npy file, or damaged: {error}"))
            .help("write it with numpy.save(path, array)")
    })?;
    // The type as numpy writes it in the header, such as '<f4'.
    let kind = header.type_descriptor.to_string();
    let kind = kind.trim_matches('\'');
    let read = match kind.trim_start_matches(['<', '>', '|', '=']) {
        "f4" => numbers::<f32>(bytes, &header, data),
        "f8" => numbers::<f64>(bytes, &header, data),
        "i1" => numbers::<i8>(bytes, &header, data),
        "u1" => numbers::<u8>(bytes, &header, data),
        "i2" => numbers::<i16>(bytes, &header, data),
        "u2" => numbers::<u16>(bytes, &header, data),
        "i4" => numbers::<i32>(bytes, &header, data),
        "u4" => numbers::<u32>(bytes, &header, data),
        "i8" => numbers::<i64>(bytes, &header, data),
        "u8" => numbers::<u64>(bytes, &header, data),
        _ => {
            return Err(Failure::new(format!(
                "{shown} holds elements of type `{kind}`, not numbers"
            ))
            .help("convert it: numpy.save(path, array.astype(\"float32\"))"));
        }
    };
    read.map_err(|problem| {
        Failure::new(format!("{shown} is damaged: {problem}"))
            .help("write it again with numpy.save(path, array)")
    })
}

/// Most bytes of a header; numpy writes 128.
const HEADER_BYTES: usize = 10_000;
/// Most brackets open at once in a header: a list of fields of shapes needs four.
const HEADER_DEPTH: i32 = 8;

/// Check what the header's parser takes on trust: that the header is there as a whole, short, and not nested
/// so deeply that reading it takes more than the stack.
fn plausible(bytes: &[u8]) -> Result<(), String> {
    let cut = || "its header is cut short".to_owned();
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or("it does not begin as one")?;
    let (&[major, _], rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (len, rest) = if major == 1 {
        let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        (usize::from(u16::from_le_bytes(*len)), rest)
    } else {
        let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        (u32::from_le_bytes(*len) as usize, rest)
    };
    if len > HEADER_BYTES {
        return Err(format!(
            "a header of {len} bytes; up to {HEADER_BYTES} are read"
        ));
    }
    let header = rest.get(..len).ok_or_else(cut)?;
    let mut depth = 0;
    for byte in header {
        depth += match byte {
            b'(' | b'[' | b'{' => 1,
            b')' | b']' | b'}' => -1,
            _ => 0,
        };
        if depth > HEADER_DEPTH {
            return Err("its header is nested too deeply".to_owned());
        }
    }
    Ok(())
}

/// An element that is a number.
trait Number: ReadableElement + Copy {
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}
numbers!(f32, f64, i8, u8, i16, u16, i32, u32, i64, u64);

/// The whole file as an array of `T`, checked for its length before memory is asked for.
fn numbers<T: Number>(file: &[u8], header: &Header, data: &[u8]) -> Result<ArrayD<f64>, String> {
    let elements = header
        .shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size));
    let expected = elements.and_then(|elements| elements.checked_mul(size_of::<T>()));
    if expected != Some(data.len()) {
        let (shape, actual) = (&header.shape, data.len());
        let size = size_of::<T>();
        return Err(format!(
            "shape {shape:?} with elements of {size} bytes, but {actual} bytes of data"
        ));
    }
    let array = ArrayD::<T>::read_npy(file).map_err(|error: ReadNpyError| error.to_string())?;
    let array = array.mapv(Number::to_f64);
    Ok(array.as_standard_layout().into_owned())
}

/// Where the answers go: a file that appears whole, or not at all.
pub(crate) struct Destination {
    path: PathBuf,
    folder: PathBuf,
}

impl Destination {
    /// Check that a file can be written at `path` before anything is computed for it.
    ///
    /// # Errors
    /// If the folder is missing or not writable, or `path` is no regular file.
    pub(crate) fn new(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        // A rename would replace a device such as /dev/null.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(
                Failure::new(format!("cannot write {shown}: it is not a regular file"))
                    .help("name a file after --output, such as answers.npy"),
            );
        }
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => {
                return Err(Failure::new(format!(
                    "cannot write {shown}: it names no file"
                )));
            }
        };
        let destination = Self {
            path: path.to_owned(),
            folder: folder.to_owned(),
        };
        // Without a name in the folder, so that nothing stays of it whatever happens.
        match tempfile::tempfile_in(folder) {
            Ok(_) => Ok(destination),
            Err(error) => Err(destination.refuse(&error)),
        }
    }

    /// Write `array` as 32-bit floats.
    ///
    /// # Errors
    /// If it cannot be written; nothing of it stays then.
    pub(crate) fn write(&self, array: &ArrayD<f64>) -> Result<(), Failure> {
        let save = || -> Result<(), Box<dyn std::error::Error>> {
            // As the user's umask says, like any other program's files.
            let mut file = tempfile::Builder::new()
                .prefix(".trefoil-")
                .suffix(".tmp")
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(&self.folder)?;
            let mut buffer = BufWriter::new(file.as_file_mut());
            array.mapv(|value| value as f32).write_npy(&mut buffer)?;
            buffer.flush()?;
            drop(buffer);
            file.persist(&self.path)?;
            Ok(())
        };
        save().map_err(|error| self.refuse(error.as_ref()))
    }

    fn refuse(&self, error: &dyn std::error::Error) -> Failure {
        let (path, folder) = (self.path.display(), self.folder.display());
        Failure::new(format!("cannot write {path}: {error}")).help(format!(
            "check that the folder {folder} exists, that you may write to it, and the free space"
        ))
    }
}

/// The first element that is not a finite number, as a complaint with its place in the file.
///
/// # Errors
/// If there is one.
pub(crate) fn all_finite(path: &Path, array: &ArrayD<f64>) -> Result<(), Failure> {
    first(array, |value| !value.is_finite()).map_or(Ok(()), |(index, value)| {
        let path = path.display();
        Err(Failure::new(format!(
            "{path} at {index:?} is {value}, not a finite number"
        ))
        .help("remove or replace such values before asking; numpy.nan_to_num does"))
    })
}

/// Where the first element that `wanted` holds for is, and what.
pub(crate) fn first(
    array: &ArrayD<f64>,
    wanted: impl Fn(f64) -> bool,
) -> Option<(Vec<usize>, f64)> {
    let mut found = array.indexed_iter().filter(|(_, value)| wanted(**value));
    found
        .next()
        .map(|(index, &value): (IxDyn, &f64)| (index.slice().to_vec(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, ShapeBuilder, array};
    use ndarray_npy::write_npy;

    #[test]
    fn numbers_of_every_type_and_order_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, &array![[1_u8, 2], [255, 0]]).unwrap();
        let expected = array![[1.0, 2.0], [255.0, 0.0]].into_dyn();
        assert_eq!(read(&path).unwrap(), expected);
        write_npy(&path, &array![-5_i64, 7]).unwrap();
        assert_eq!(read(&path).unwrap(), array![-5.0, 7.0].into_dyn());
        write_npy(&path, &array![0.25_f64]).unwrap();
        assert_eq!(read(&path).unwrap(), array![0.25].into_dyn());
        let mut turned = Array3::<f32>::zeros((2, 3, 4).f());
        turned[[1, 2, 3]] = 5.0;
        write_npy(&path, &turned).unwrap();
        let array = read(&path).unwrap();
        assert!(array.is_standard_layout());
        assert_eq!(first(&array, |v| v > 0.0), Some((vec![1, 2, 3], 5.0)));
    }

    #[test]
    fn a_header_cannot_ask_for_more_memory_than_the_file_has_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        for shape in ["(4000000000, 1000)", "(18446744073709551615, 8)"] {
            let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
            let mut file = b"\x93NUMPY\x01\x00".to_vec();
            file.extend((text.len() as u16).to_le_bytes());
            file.extend(text.as_bytes());
            file.extend([0; 16]);
            fs::write(&path, file).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("16 bytes of data"), "{error}");
        }
    }

    #[test]
    fn what_is_no_array_of_numbers_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("cannot read") && error.contains("x.npy"),
            "{error}"
        );
        fs::write(&path, "label,picture\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("is not an .npy file"), "{error}");
        write_npy(&path, &array![true, false]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("`|b1`"), "{error}");
        write_npy(&path, &array![1.0_f32, 2.0]).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("5 bytes of data"), "{error}");
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.npy");
        let destination = Destination::new(&path).unwrap();
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
        destination.write(&array![1.5, -2.0].into_dyn()).unwrap();
        assert_eq!(read(&path).unwrap(), array![1.5, -2.0].into_dyn());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        for wrong in [
            folder.path(),
            &folder.path().join("missing/out.npy"),
            Path::new("/"),
        ] {
            assert!(Destination::new(wrong).is_err(), "{}", wrong.display());
        }
    }
}
