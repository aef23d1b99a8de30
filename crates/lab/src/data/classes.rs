//! Labels as people keep them: numbers, one-hot rows, or names.

use super::table::Column;
use super::{arrays, find};
use crate::LabError;
use ndarray::ArrayD;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Labels as a file holds them.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Class numbers from 0.
    Numbers(Vec<usize>),
    /// Names of classes.
    Names(Vec<String>),
}

impl Labels {
    /// From a column of a table.
    ///
    /// # Errors
    /// A sentence on a number that is no class.
    pub fn of_column(column: Column) -> Result<Self, String> {
        match column {
            Column::Texts(names) => Ok(Self::Names(names)),
            Column::Numbers(numbers) => {
                let array = ndarray::Array1::from_vec(numbers).into_dyn();
                Self::of_array(&array)
            }
        }
    }

    /// From an array of class numbers (records), (records, 1) or of one-hot rows (records, classes).
    ///
    /// # Errors
    /// As [`arrays::labels`].
    pub fn of_array(array: &ArrayD<f64>) -> Result<Self, String> {
        arrays::labels(array).map(Self::Numbers)
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class numbers; `order` names the classes from 0 on.
    ///
    /// # Errors
    /// A sentence on the first name that is none of them.
    pub fn numbers(self, order: &[String]) -> Result<Vec<usize>, String> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Names(names) => names
                .iter()
                .enumerate()
                .map(|(record, name)| {
                    order.iter().position(|class| class == name).ok_or_else(|| {
                        format!(
                            "the label `{name}` of record {record} is none of the classes {}",
                            shown(order)
                        )
                    })
                })
                .collect(),
        }
    }
}

/// The order of classes where labels are names: `stated`, or `columns` (the header over the confidences) if it has every
/// name, or the names in their order, if there are as many as classes.
///
/// # Errors
/// A sentence on what does not fit.
pub fn order(
    labels: &[&Labels],
    stated: Option<&[String]>,
    columns: &[String],
    classes: usize,
) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for labels in labels {
        if let Labels::Names(found) = labels {
            names.extend(found.iter().cloned());
        }
    }
    names.sort();
    names.dedup();
    if let Some(stated) = stated {
        return if stated.len() == classes {
            Ok(stated.to_vec())
        } else {
            Err(format!(
                "{} classes are named, the confidences have {classes}",
                stated.len()
            ))
        };
    }
    if columns.len() == classes && names.iter().all(|name| columns.contains(name)) {
        return Ok(columns.to_vec());
    }
    if names.len() == classes {
        return Ok(names);
    }
    Err(format!(
        "the labels have {} names ({}), the confidences {classes} classes: which name is which class cannot be told; \
         give --classes NAME,NAME,… in the model's order",
        names.len(),
        shown(&names)
    ))
}

fn shown(names: &[String]) -> String {
    let mut text = names[..names.len().min(8)].join(", ");
    if names.len() > 8 {
        text.push_str(", …");
    }
    text
}

/// The texts of an .npy file, or of the first of the arrays `names` in an .npz archive that holds texts; `None` where
/// what is there is not text. `key` names one array of the archive.
///
/// # Errors
/// If the file cannot be read, or text in it is damaged.
pub fn texts(
    path: &Path,
    key: Option<&str>,
    names: &[&str],
) -> Result<Option<Vec<String>>, LabError> {
    let wrong = |problem: String| find::damaged(path, problem);
    let mut start = [0; 4];
    let unreadable = |problem| LabError::Read {
        path: path.to_owned(),
        problem,
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let read = file.read(&mut start).map_err(unreadable)?;
    if &start[..read] != b"PK\x03\x04" {
        let bytes = find::bytes(path)?;
        return parse(&bytes).map_err(wrong);
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| wrong(error.to_string()))?;
    let asked: Vec<&str> = key.map_or_else(|| names.to_vec(), |key| vec![key]);
    for name in asked {
        let Ok(mut entry) = archive.by_name(&format!("{name}.npy")) else {
            continue;
        };
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| wrong(error.to_string()))?;
        return parse(&bytes).map_err(wrong);
    }
    Ok(None)
}

/// The texts of an .npy file of numpy's kinds U (four bytes a letter) and S (one).
fn parse(bytes: &[u8]) -> Result<Option<Vec<String>>, String> {
    let Some(rest) = bytes.strip_prefix(b"\x93NUMPY") else {
        return Ok(None);
    };
    let (length, at) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 4),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 6),
        _ => return Ok(None),
    };
    let Some(header) = rest.get(at..at + length) else {
        return Err("its header is cut short".to_owned());
    };
    let header = String::from_utf8_lossy(header);
    let Some(kind) = after(&header, "'descr':").and_then(quoted) else {
        return Ok(None);
    };
    let order = kind.chars().next().unwrap_or(' ');
    let kind = kind.trim_start_matches(['<', '>', '|', '=']);
    let (letter, width) = kind.split_at(kind.len().min(1));
    let (Ok(letters), "U" | "S") = (width.parse::<usize>(), letter) else {
        return Ok(None);
    };
    let width = letters * if letter == "U" { 4 } else { 1 };
    let data = &rest[at + length..];
    let count = records(&header)?;
    if count.checked_mul(width) != Some(data.len()) || width == 0 {
        return Err(format!(
            "it holds {} bytes of text where {count} entries of {width} bytes are announced",
            data.len()
        ));
    }
    let text = |entry: &[u8]| -> Result<String, String> {
        let text = if letter == "U" {
            let letters = entry.as_chunks::<4>().0.iter().map(|&bytes| {
                let code = if order == '>' {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                };
                char::from_u32(code).ok_or_else(|| format!("{code:#x} is no letter"))
            });
            letters.collect::<Result<String, String>>()?
        } else {
            String::from_utf8_lossy(entry).into_owned()
        };
        Ok(text.trim_end_matches('\0').to_owned())
    };
    data.chunks_exact(width)
        .map(text)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The number of entries: the first axis, any others of length 1.
fn records(header: &str) -> Result<usize, String> {
    let unclear = || "its header does not tell the shape".to_owned();
    let shape = after(header, "'shape':").ok_or_else(unclear)?;
    let inside = shape.trim_start().strip_prefix('(').ok_or_else(unclear)?;
    let inside = inside.split(')').next().unwrap_or_default();
    let mut count = 1_usize;
    for (axis, length) in inside.split(',').map(str::trim).enumerate() {
        if length.is_empty() {
            continue;
        }
        let length: usize = length.parse().map_err(|_| unclear())?;
        if axis > 0 && length != 1 {
            return Err(format!(
                "labels of shape ({inside}); one text for each record is needed"
            ));
        }
        count = count.saturating_mul(length);
    }
    Ok(count)
}

fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.find(key).map(|place| &text[place + key.len()..])
}

fn quoted(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix('\'')?.split('\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numpy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn texts_of_numpy_are_read() {
        let letters: Vec<u8> = ['c', 'a', 't', 'ö', '\0', '\0']
            .iter()
            .flat_map(|&letter| (letter as u32).to_le_bytes())
            .collect();
        let wide = numpy("<U3", "(2,)", &letters);
        let expected = Some(vec!["cat".to_owned(), "ö".to_owned()]);
        assert_eq!(parse(&wide).unwrap(), expected);
        let narrow = numpy("|S3", "(2, 1)", b"dogox\0");
        let expected = Some(vec!["dog".to_owned(), "ox".to_owned()]);
        assert_eq!(parse(&narrow).unwrap(), expected);
        assert_eq!(parse(&numpy("<f4", "(1,)", &[0; 4])).unwrap(), None);
        assert!(parse(&numpy("|S3", "(3,)", b"dogox\0")).is_err());
        assert!(parse(&numpy("|S3", "(1, 2)", b"dogox\0")).is_err());
    }

    #[test]
    fn names_become_classes_in_a_stated_order_or_are_refused() {
        let names = |list: &[&str]| Labels::Names(list.iter().map(|&n| n.to_owned()).collect());
        let labels = names(&["dog", "cat", "dog"]);
        let sorted = order(&[&labels], None, &[], 2).unwrap();
        assert_eq!(labels.clone().numbers(&sorted), Ok(vec![1, 0, 1]));
        let header = ["dog".to_owned(), "cat".to_owned()];
        let columns = order(&[&labels], None, &header, 2).unwrap();
        assert_eq!(labels.clone().numbers(&columns), Ok(vec![0, 1, 0]));
        let unclear = order(&[&labels], None, &[], 3).unwrap_err();
        assert!(unclear.contains("--classes"), "{unclear}");
        let stated = ["cat".to_owned(), "cow".to_owned()];
        let refused = labels.numbers(&stated).unwrap_err();
        assert!(refused.contains("`dog` of record 0"), "{refused}");
    }
}
