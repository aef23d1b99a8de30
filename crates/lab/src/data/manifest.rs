//! What a report says about a data set and its split.

use super::{DataSet, Split};
use serde::Serialize;

/// A data set and its split, with hashes that tell whether two runs used the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// The data set.
    pub data_set: String,
    /// How many records it has.
    pub records: usize,
    /// The shape of a record.
    pub shape: Vec<usize>,
    /// How many classes it has.
    pub classes: usize,
    /// Each file with its BLAKE3 hash.
    pub files: Vec<(String, String)>,
    /// Each part of the split with its size and the BLAKE3 hash of its rows, as 64-bit
    /// little-endian integers.
    pub parts: Vec<(String, usize, String)>,
}

impl Manifest {
    /// Of a data set and its split.
    pub fn new(data: &DataSet, split: &Split) -> Self {
        let files = data.files.iter();
        let part = |(name, rows): &(&str, &[usize])| {
            let mut hasher = blake3::Hasher::new();
            for &row in *rows {
                hasher.update(&(row as u64).to_le_bytes());
            }
            let hash = hasher.finalize().to_hex().to_string();
            ((*name).to_owned(), rows.len(), hash)
        };
        Self {
            data_set: data.name.clone(),
            records: data.records(),
            shape: data.shape().to_vec(),
            classes: data.classes(),
            files: files
                .map(|(path, hash)| (path.display().to_string(), hash.clone()))
                .collect(),
            parts: split.parts().iter().map(part).collect(),
        }
    }

    /// The manifest as pairs of name and value, for a report.
    pub fn facts(&self) -> Vec<(String, String)> {
        let Self {
            data_set,
            records,
            shape,
            classes,
            ..
        } = self;
        let mut facts = vec![(
            "data set".to_owned(),
            format!("{data_set}: {records} records of shape {shape:?}, {classes} classes"),
        )];
        for (file, hash) in &self.files {
            facts.push((file.clone(), format!("BLAKE3 {hash}")));
        }
        for (part, size, hash) in &self.parts {
            facts.push((part.clone(), format!("{size} records, BLAKE3 {hash}")));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Encoding;
    use ndarray::Array2;

    #[test]
    fn other_splits_have_other_hashes() {
        let values = Array2::<u8>::zeros((50, 3)).into_dyn();
        let data = DataSet::new("d", Encoding::Bits, values, vec![0; 50], 1).unwrap();
        let manifest = |seed| {
            let split = Split::seeded("d", 50, 10, 10, seed).unwrap();
            Manifest::new(&data, &split)
        };
        assert_eq!(manifest(1), manifest(1));
        assert_ne!(manifest(1).parts[0].2, manifest(2).parts[0].2);
        let facts = manifest(1).facts();
        assert!(facts[0].1.contains("50 records of shape [3], 1 classes"));
        assert_eq!(facts.len(), 6);
    }
}
