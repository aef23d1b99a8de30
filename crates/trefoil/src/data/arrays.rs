//! Arrays in files.

use crate::Error;
use half::f16;
use ndarray::{ArrayD, Dimension, IxDyn, ShapeBuilder};
use ndarray_npy::npy::header::Header;
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};

/// The first bytes of an .npy file.
pub(crate) const MAGIC: &[u8] = b"\x93NUMPY";

/// What an array is read for, which decides what else than numbers will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Samples of a model: numbers only.
    Samples,
    /// Class numbers; truth values are the classes 0 and 1.
    Labels,
    /// Numbers or truth values.
    Numbers,
}

/// The array in the bytes of an .npy file, whatever the type of its numbers; integers beyond 2^53 are rounded. `shown` is its
/// name in messages.
///
/// # Errors
/// If it is no .npy file, is damaged, or holds something else than what is wanted.
pub(crate) fn parse(shown: &str, bytes: &[u8], wanted: Wanted) -> Result<ArrayD<f64>, Error> {
    plausible(bytes).map_err(|problem| {
        Error::new(format!(
            "{shown} is not an .npy file, or damaged: {problem}"
        ))
        .with_help("write it with numpy.save(path, array)")
    })?;
    let mut data = bytes;
    let header = Header::from_reader(&mut data).map_err(|error| {
        Error::new(format!("{shown} is not an .npy file, or damaged: {error}"))
            .with_help("write it with numpy.save(path, array)")
    })?;
    // The type as numpy writes it in the header, such as '<f4'.
    let kind = header.type_descriptor.to_string();
    let kind = kind.trim_matches('\'');
    let read = match kind.trim_start_matches(['<', '>', '|', '=']) {
        "f2" => halves(&header, data, kind.starts_with('>')),
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
        "b1" if wanted != Wanted::Samples => truths(&header, data),
        other => {
            let (what, help) = named(other, wanted);
            return Err(
                Error::new(format!("{shown} holds {what} (`{kind}`), not numbers")).with_help(help),
            );
        }
    };
    read.map_err(|problem| {
        Error::new(format!("{shown} is damaged: {problem}"))
            .with_help("write it again with numpy.save(path, array)")
    })
}

/// What elements of another type than numbers are, and what to do about them.
fn named(kind: &str, wanted: Wanted) -> (&'static str, &'static str) {
    let convert = "convert it as in training: numpy.save(path, array.astype(\"float32\"))";
    let encode = match wanted {
        Wanted::Labels => {
            "labels are the classes' numbers, counted from 0 in the order in which the model has its classes: \
             numpy.save(path, numpy.array([CLASSES.index(name) for name in labels])), CLASSES being the list of the classes' \
             names in that order"
        }
        _ => "turn text into numbers as in training",
    };
    match kind.as_bytes() {
        [b'b', ..] => ("truth values (bool)", convert),
        [b'U' | b'S' | b'T', ..] => ("text", encode),
        [b'O', ..] => (
            "Python objects: text, or rows of different lengths",
            match wanted {
                Wanted::Labels => encode,
                _ => {
                    "make it an array of numbers first; array.dtype must be a number's, such as float32"
                }
            },
        ),
        [b'c', ..] => (
            "complex numbers",
            "take the part that the model was trained on, such as numpy.abs(array)",
        ),
        [b'M' | b'm', ..] => (
            "dates or times",
            "turn them into the numbers that the model was trained on",
        ),
        [b'f', ..] => ("floating-point numbers of a size that is not read", convert),
        [b'[' | b'(', ..] => (
            "records of several fields",
            "save one array of numbers: numpy.lib.recfunctions.structured_to_unstructured(array)",
        ),
        _ => ("elements of a type that is not read", convert),
    }
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
        .strip_prefix(MAGIC)
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

/// Check a file's shape against its data before memory is asked for.
fn complete(header: &Header, data: &[u8], size: usize) -> Result<(), String> {
    let elements = header
        .shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size));
    let expected = elements.and_then(|elements| elements.checked_mul(size));
    if expected == Some(data.len()) {
        return Ok(());
    }
    let (shape, actual) = (&header.shape, data.len());
    Err(format!(
        "shape {shape:?} with elements of {size} bytes, but {actual} bytes of data"
    ))
}

/// The whole file as an array of `T`.
fn numbers<T: Number>(file: &[u8], header: &Header, data: &[u8]) -> Result<ArrayD<f64>, String> {
    complete(header, data, size_of::<T>())?;
    let array = ArrayD::<T>::read_npy(file).map_err(|error: ReadNpyError| error.to_string())?;
    let array = array.mapv(Number::to_f64);
    Ok(array.as_standard_layout().into_owned())
}

/// Floating-point numbers of 16 bits.
fn halves(header: &Header, data: &[u8], big_endian: bool) -> Result<ArrayD<f64>, String> {
    complete(header, data, 2)?;
    let number = |word: &[u8; 2]| {
        if big_endian {
            f16::from_be_bytes(*word)
        } else {
            f16::from_le_bytes(*word)
        }
    };
    let (words, _) = data.as_chunks::<2>();
    ordered(
        header,
        words.iter().map(|word| number(word).to_f64()).collect(),
    )
}

/// Truth values, as 0 and 1.
fn truths(header: &Header, data: &[u8]) -> Result<ArrayD<f64>, String> {
    complete(header, data, 1)?;
    if let Some(byte) = data.iter().find(|&&byte| byte > 1) {
        return Err(format!("a truth value of {byte}"));
    }
    ordered(header, data.iter().map(|&byte| f64::from(byte)).collect())
}

/// Values in the file's order as an array.
fn ordered(header: &Header, values: Vec<f64>) -> Result<ArrayD<f64>, String> {
    let shape = IxDyn(&header.shape);
    let array = if header.layout.is_fortran() {
        ArrayD::from_shape_vec(shape.f(), values)
    } else {
        ArrayD::from_shape_vec(shape, values)
    };
    let array = array.map_err(|_| format!("shape {:?} does not fit its data", header.shape))?;
    Ok(array.as_standard_layout().into_owned())
}

/// The first element that is not a finite number, as a complaint with its place in the file.
///
/// # Errors
/// If there is one.
pub fn all_finite(origin: &str, array: &ArrayD<f64>) -> Result<(), Error> {
    first(array, |value| !value.is_finite()).map_or(Ok(()), |(index, value)| {
        Err(Error::new(format!(
            "{origin} at {index:?} is {value}, not a finite number"
        ))
        .with_help("put what the model was trained with in the place of such values, or leave those samples out"))
    })
}

/// Where the first element that `wanted` holds for is, and what.
pub fn first(array: &ArrayD<f64>, wanted: impl Fn(f64) -> bool) -> Option<(Vec<usize>, f64)> {
    let mut found = array.indexed_iter().filter(|(_, value)| wanted(**value));
    found
        .next()
        .map(|(index, &value): (IxDyn, &f64)| (index.slice().to_vec(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};
    use ndarray_npy::WriteNpyExt;

    fn file(array: &impl WriteNpyExt) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    /// A file of elements that the library does not write.
    fn raw(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read(bytes: &[u8]) -> ArrayD<f64> {
        parse("x.npy", bytes, Wanted::Samples).unwrap()
    }

    fn refused(bytes: &[u8], wanted: Wanted) -> String {
        let failure = parse("x.npy", bytes, wanted).unwrap_err();
        format!("{failure:?}")
    }

    #[test]
    fn numbers_of_every_type_and_order_are_read() {
        let expected = array![[1.0, 2.0], [255.0, 0.0]].into_dyn();
        assert_eq!(read(&file(&array![[1_u8, 2], [255, 0]])), expected);
        assert_eq!(
            read(&file(&array![-5_i64, 7])),
            array![-5.0, 7.0].into_dyn()
        );
        assert_eq!(read(&file(&array![0.25_f64])), array![0.25].into_dyn());
        let mut turned = Array3::<f32>::zeros((2, 3, 4).f());
        turned[[1, 2, 3]] = 5.0;
        let array = read(&file(&turned));
        assert!(array.is_standard_layout());
        assert_eq!(first(&array, |v| v > 0.0), Some((vec![1, 2, 3], 5.0)));
    }

    #[test]
    fn halves_are_read_in_both_byte_orders() {
        let numbers = [1.5_f32, -2.0, 65504.0, 0.0];
        let halves = numbers.map(f16::from_f32);
        let little: Vec<u8> = halves.iter().flat_map(|v| v.to_le_bytes()).collect();
        let big: Vec<u8> = halves.iter().flat_map(|v| v.to_be_bytes()).collect();
        let expected = array![[1.5, -2.0], [65504.0, 0.0]].into_dyn();
        assert_eq!(read(&raw("'<f2'", "(2, 2)", &little)), expected);
        assert_eq!(read(&raw("'>f2'", "(2, 2)", &big)), expected);
        assert!(
            refused(&raw("'<f2'", "(2, 2)", &little[1..]), Wanted::Samples)
                .contains("7 bytes of data")
        );
    }

    #[test]
    fn a_header_cannot_ask_for_more_memory_than_the_file_has_data() {
        for shape in ["(4000000000, 1000)", "(18446744073709551615, 8)"] {
            for kind in ["'<f4'", "'<f2'"] {
                let error = refused(&raw(kind, shape, &[0; 16]), Wanted::Samples);
                assert!(error.contains("16 bytes of data"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_array_of_numbers_is_named() {
        let error = refused(b"label,picture\n", Wanted::Samples);
        assert!(error.contains("is not an .npy file"), "{error}");
        let truths = file(&array![true, false]);
        let error = refused(&truths, Wanted::Samples);
        assert!(error.contains("truth values (bool)"), "{error}");
        let labels = parse("y.npy", &truths, Wanted::Labels).unwrap();
        assert_eq!(labels, array![1.0, 0.0].into_dyn());
        for (kind, data, word) in [
            ("'<U1'", &[0_u8; 8][..], "text"),
            ("'|S4'", &[0; 8], "text"),
            ("'|O'", b"\x80\x04\x95", "Python objects"),
            ("'<c8'", &[0; 16], "complex"),
            ("'<M8[ns]'", &[0; 16], "dates"),
            ("[('a', '<f4')]", &[0; 8], "records"),
        ] {
            for wanted in [Wanted::Samples, Wanted::Labels] {
                let error = refused(&raw(kind, "(2,)", data), wanted);
                assert!(error.contains(word), "{kind}: {error}");
            }
        }
        let text = refused(&raw("'<U1'", "(2,)", &[0; 8]), Wanted::Labels);
        assert!(
            text.contains("CLASSES.index") && !text.contains("astype"),
            "{text}"
        );
        let whole = file(&array![1.0_f32, 2.0]);
        let error = refused(&whole[..whole.len() - 3], Wanted::Samples);
        assert!(error.contains("5 bytes of data"), "{error}");
    }
}
