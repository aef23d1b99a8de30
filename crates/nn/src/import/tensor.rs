//! Stored tensors: ONNX's `TensorProto`, with its data inside or in a file beside the model.

use super::proto::{DataLocation, DataType, TensorProto};
use super::read_limited;
use crate::Problem;
use crate::defaults::{MAX_ELEMENTS, MAX_FILE_BYTES, MAX_RANK};
use crate::graph::Constant;
use ndarray::{ArrayD, IxDyn};
use std::collections::HashMap;
use std::path::{Component, Path};

/// The files of external data that were read so far.
pub(super) struct External<'a> {
    folder: Option<&'a Path>,
    files: HashMap<String, Vec<u8>>,
    bytes: u64,
}

impl<'a> External<'a> {
    /// Data files are looked for in `folder`; without one they are refused.
    pub(super) fn new(folder: Option<&'a Path>) -> Self {
        Self {
            folder,
            files: HashMap::new(),
            bytes: 0,
        }
    }

    /// The tensor of `proto`; `name` is used in messages.
    pub(super) fn constant(
        &mut self,
        proto: &TensorProto,
        name: &str,
    ) -> Result<Constant, Problem> {
        let refuse = |problem: String| Problem::Tensor {
            name: name.to_owned(),
            problem,
        };
        let shape = shape(&proto.dims).map_err(refuse)?;
        let kind = DataType::try_from(proto.data_type)
            .map_err(|_| refuse(format!("unknown element type {}", proto.data_type)))?;
        if proto.segment.is_some() {
            return Err(refuse("tensors in segments are not read".into()));
        }
        let external = proto.data_location == Some(DataLocation::External as i32);
        let raw = if external {
            Some(self.data(proto).map_err(refuse)?)
        } else {
            (!proto.raw_data.is_empty()).then_some(proto.raw_data.as_ref())
        };
        let constant = decode(proto, kind, &shape, raw).map_err(refuse)?;
        numbers(&constant).map_err(refuse)?;
        Ok(constant)
    }

    /// The bytes of external data.
    fn data(&mut self, proto: &TensorProto) -> Result<&[u8], String> {
        let entry = |key: &str| {
            proto
                .external_data
                .iter()
                .find(|e| e.key == key)
                .map(|e| e.value.as_str())
        };
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text
                .parse::<usize>()
                .map(Some)
                .map_err(|_| format!("its external data has the {key} `{text}`")),
        };
        let location = entry("location").ok_or("its external data names no file")?;
        let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
        let Some(folder) = self.folder else {
            return Err(format!(
                "its data is in the file {location}; load the model from its folder"
            ));
        };
        // A model must not make the program read files elsewhere.
        let inside = Path::new(location)
            .components()
            .all(|c| matches!(c, Component::Normal(_)));
        if !inside {
            return Err(format!(
                "its data is in {location}, outside the model's folder"
            ));
        }
        if !self.files.contains_key(location) {
            let path = folder.join(location);
            inside_folder(folder, &path)?;
            let left = MAX_FILE_BYTES.saturating_sub(self.bytes);
            let bytes = read_limited(&path, left)
                .map_err(|problem| format!("its data is in {}: {problem}", path.display()))?;
            self.bytes += bytes.len() as u64;
            self.files.insert(location.to_owned(), bytes);
        }
        let bytes = self.files.get(location).map_or(&[][..], Vec::as_slice);
        let end = match length {
            Some(length) => offset.checked_add(length),
            None => Some(bytes.len()),
        };
        end.and_then(|end| bytes.get(offset..end)).ok_or_else(|| {
            let (size, length) = (bytes.len(), length.unwrap_or(0));
            format!("the file {location} has {size} bytes, the tensor is at {offset}, {length} bytes long")
        })
    }
}

/// Check that `path` is in `folder` after its links are followed; one that is not there is reported when it is read.
fn inside_folder(folder: &Path, path: &Path) -> Result<(), String> {
    // A model in the current folder has the empty path for its folder.
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let (Ok(folder), Ok(target)) = (folder.canonicalize(), path.canonicalize()) else {
        return Ok(());
    };
    if target.starts_with(&folder) {
        return Ok(());
    }
    Err(format!(
        "its data is in {}, a link to {} outside the model's folder; copy the file there",
        path.display(),
        target.display()
    ))
}

/// The shape, if its product is not absurd.
fn shape(dims: &[i64]) -> Result<Vec<usize>, String> {
    if dims.len() > MAX_RANK {
        return Err(format!("it has {} axes, more than {MAX_RANK}", dims.len()));
    }
    let mut elements = 1_usize;
    let mut shape = Vec::with_capacity(dims.len());
    for &dim in dims {
        let size = usize::try_from(dim).map_err(|_| format!("its shape is {dims:?}"))?;
        elements = elements
            .checked_mul(size)
            .filter(|&elements| elements <= MAX_ELEMENTS)
            .ok_or_else(|| format!("its shape {dims:?} has more than {MAX_ELEMENTS} elements"))?;
        shape.push(size);
    }
    Ok(shape)
}

fn decode(
    proto: &TensorProto,
    kind: DataType,
    shape: &[usize],
    raw: Option<&[u8]>,
) -> Result<Constant, String> {
    Ok(match kind {
        DataType::Float => Constant::Float(array(
            shape,
            match raw {
                Some(raw) => words(raw, f32::from_le_bytes)?,
                None => proto.float_data.clone(),
            },
        )?),
        DataType::Double => Constant::Double(array(
            shape,
            match raw {
                Some(raw) => words(raw, f64::from_le_bytes)?,
                None => proto.double_data.clone(),
            },
        )?),
        DataType::Float16 | DataType::Bfloat16 => {
            let value = if kind == DataType::Float16 {
                half
            } else {
                brain
            };
            Constant::Float(array(
                shape,
                match raw {
                    Some(raw) => words(raw, |b| value(u16::from_le_bytes(b)))?,
                    None => proto.int32_data.iter().map(|&v| value(v as u16)).collect(),
                },
            )?)
        }
        DataType::Bool => Constant::Bool(array(
            shape,
            match raw {
                Some(raw) => words(raw, |b: [u8; 1]| b[0] != 0)?,
                None => proto.int32_data.iter().map(|&v| v != 0).collect(),
            },
        )?),
        _ => match raw {
            Some(raw) => Constant::Int(array(shape, raw_integers(raw, kind, shape)?)?),
            None => Constant::Int(array(shape, integers(proto, kind, shape)?)?),
        },
    })
}

/// Integers as little-endian bytes.
fn raw_integers(raw: &[u8], kind: DataType, shape: &[usize]) -> Result<Vec<i64>, String> {
    match kind {
        DataType::Int64 => words(raw, i64::from_le_bytes),
        DataType::Int32 => words(raw, |b| i64::from(i32::from_le_bytes(b))),
        DataType::Int16 => words(raw, |b| i64::from(i16::from_le_bytes(b))),
        DataType::Int8 => words(raw, |b| i64::from(i8::from_le_bytes(b))),
        DataType::Uint64 => whole(&words(raw, u64::from_le_bytes)?),
        DataType::Uint32 => words(raw, |b| i64::from(u32::from_le_bytes(b))),
        DataType::Uint16 => words(raw, |b| i64::from(u16::from_le_bytes(b))),
        DataType::Uint8 => words(raw, |b: [u8; 1]| i64::from(b[0])),
        DataType::Uint4 | DataType::Int4 => Ok(halves(raw, kind, shape)),
        other => Err(unsupported(other)),
    }
}

/// Integers in a field of their own.
fn integers(proto: &TensorProto, kind: DataType, shape: &[usize]) -> Result<Vec<i64>, String> {
    match kind {
        DataType::Int64 => Ok(proto.int64_data.clone()),
        DataType::Uint64 | DataType::Uint32 => whole(&proto.uint64_data),
        DataType::Int32 | DataType::Int16 | DataType::Int8 | DataType::Uint16 | DataType::Uint8 => {
            Ok(proto.int32_data.iter().map(|&v| i64::from(v)).collect())
        }
        DataType::Uint4 | DataType::Int4 => {
            let bytes: Vec<u8> = proto.int32_data.iter().map(|&v| v as u8).collect();
            Ok(halves(&bytes, kind, shape))
        }
        other => Err(unsupported(other)),
    }
}

fn unsupported(kind: DataType) -> String {
    format!("element type {} is not supported", kind.as_str_name())
}

/// Unsigned integers that fit signed ones.
fn whole(values: &[u64]) -> Result<Vec<i64>, String> {
    let fitting = values.iter().map(|&value| {
        i64::try_from(value).map_err(|_| format!("it holds {value}, more than 2^63"))
    });
    fitting.collect()
}

/// Integers of 4 bits, two in a byte, the lower half first.
fn halves(bytes: &[u8], kind: DataType, shape: &[usize]) -> Vec<i64> {
    let signed = |half: u8| match kind {
        DataType::Int4 if half > 7 => i64::from(half) - 16,
        _ => i64::from(half),
    };
    let count = shape.iter().product();
    let halves = bytes.iter().flat_map(|&byte| [byte & 15, byte >> 4]);
    halves.map(signed).take(count).collect()
}

/// Check that no element is "not a number": whatever is computed with it is none either.
fn numbers(constant: &Constant) -> Result<(), String> {
    fn first<T>(array: &ArrayD<T>, is_nan: impl Fn(&T) -> bool) -> Result<(), String> {
        // Counting indices along takes longer than looking at the elements.
        if !array.iter().any(&is_nan) {
            return Ok(());
        }
        match array.indexed_iter().find(|(_, value)| is_nan(value)) {
            None => Ok(()),
            Some((at, _)) => {
                let at = ndarray::Dimension::slice(&at).to_vec();
                Err(format!(
                    "at {at:?} it holds NaN, which is no number; see where training or the export went wrong"
                ))
            }
        }
    }
    match constant {
        Constant::Float(array) => first(array, |v| v.is_nan()),
        Constant::Double(array) => first(array, |v| v.is_nan()),
        Constant::Int(_) | Constant::Bool(_) => Ok(()),
    }
}

/// Little-endian words of `N` bytes.
fn words<T, const N: usize>(raw: &[u8], word: impl Fn([u8; N]) -> T) -> Result<Vec<T>, String> {
    let (chunks, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(format!("its {} bytes are no multiple of {N}", raw.len()));
    }
    Ok(chunks.iter().map(|&chunk| word(chunk)).collect())
}

fn array<T>(shape: &[usize], data: Vec<T>) -> Result<ArrayD<T>, String> {
    let length = data.len();
    ArrayD::from_shape_vec(IxDyn(shape), data)
        .map_err(|_| format!("its shape is {shape:?}, but it holds {length} elements"))
}

/// The value of a number in bfloat16: the upper half of a single-precision one.
fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The value of an IEEE 754 half-precision number.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * (-24_f32).exp2(),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * ((exponent - 25) as f32).exp2(),
    }
}
