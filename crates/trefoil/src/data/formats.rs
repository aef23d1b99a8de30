//! Binary formats of pictures and labels: MNIST idx and CIFAR-10. Sizes are checked before memory is asked for.

use ndarray::{ArrayD, IxDyn};

/// What a file holds.
pub(crate) enum Content {
    /// An array as it is.
    Array(ArrayD<f64>),
    /// Pictures (N, C, H, W), and their labels if the format has them.
    Pictures(ArrayD<f64>, Option<ArrayD<f64>>),
}

/// Bytes of a CIFAR-10 record: a label, then three planes of 32 × 32.
const CIFAR_RECORD: usize = 1 + PLANES;
const PLANES: usize = 3 * 32 * 32;

/// CIFAR-10's binary format (Krizhevsky 2009).
///
/// # Errors
/// A sentence on why it is not.
pub(crate) fn cifar(bytes: &[u8]) -> Result<Content, String> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(CIFAR_RECORD) {
        let mut problem = format!(
            "{} bytes are no whole number of records of {CIFAR_RECORD}",
            bytes.len()
        );
        if bytes.len().is_multiple_of(CIFAR_RECORD + 1) && !bytes.is_empty() {
            problem.push_str("; they could be CIFAR-100, whose records have two labels");
        }
        return Err(problem);
    }
    let records = || bytes.chunks_exact(CIFAR_RECORD);
    let labels = records().map(|record| f64::from(record[0])).collect();
    let pixels = records()
        .flat_map(|record| &record[1..])
        .map(|&byte| f64::from(byte))
        .collect();
    let count = bytes.len() / CIFAR_RECORD;
    Ok(Content::Pictures(
        array(&[count, 3, 32, 32], pixels),
        Some(array(&[count], labels)),
    ))
}

/// An idx file (`LeCun`) of bytes or larger numbers: pictures (three axes) get a channel axis; nothing for other bytes.
pub(crate) fn idx(bytes: &[u8]) -> Option<Content> {
    let (magic, mut rest) = bytes.split_first_chunk::<4>()?;
    let [0, 0, kind, axes] = *magic else {
        return None;
    };
    let mut shape = Vec::new();
    for _ in 0..axes {
        let (size, after) = rest.split_first_chunk::<4>()?;
        shape.push(u32::from_be_bytes(*size) as usize);
        rest = after;
    }
    let elements = shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))?;
    let values = numbers(kind, rest)?;
    if elements != values.len() {
        return None;
    }
    match shape[..] {
        [count, height, width] => Some(Content::Pictures(
            array(&[count, 1, height, width], values),
            None,
        )),
        // Labels, features, or pictures with channels: as they are.
        [_] | [_, _] | [_, _, _, _] => Some(Content::Array(array(&shape, values))),
        _ => None,
    }
}

/// The numbers of an idx file, big-endian, by the byte that names their type.
fn numbers(kind: u8, bytes: &[u8]) -> Option<Vec<f64>> {
    macro_rules! big_endian {
        ($number:ty) => {{
            let (words, rest) = bytes.as_chunks::<{ size_of::<$number>() }>();
            let numbers = words
                .iter()
                .map(|&word| <$number>::from_be_bytes(word) as f64);
            rest.is_empty().then(|| numbers.collect())
        }};
    }
    match kind {
        0x08 => Some(bytes.iter().map(|&byte| f64::from(byte)).collect()),
        0x09 => big_endian!(i8),
        0x0b => big_endian!(i16),
        0x0c => big_endian!(i32),
        0x0d => big_endian!(f32),
        0x0e => big_endian!(f64),
        _ => None,
    }
}

pub(crate) fn array(shape: &[usize], values: Vec<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_default()
}
