//! Records with labels, held as the bytes that all these data sets consist of.

use crate::LabError;
use ndarray::{ArrayD, ArrayViewD, Axis};
use std::path::PathBuf;

/// What a byte means to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A pixel: the model gets a 255th of it, in [0, 1].
    Pixels,
    /// A feature that is 0 or 1: the model gets it as it is.
    Bits,
}

/// Labelled records.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    /// The name, as tables print it.
    pub name: String,
    /// What the values mean.
    pub encoding: Encoding,
    /// Records (N, features) or pictures (N, channels, height, width).
    values: ArrayD<u8>,
    labels: Vec<usize>,
    classes: usize,
    /// The files that it was read from, with their BLAKE3 hashes.
    pub files: Vec<(PathBuf, String)>,
}

impl DataSet {
    /// Records, checked: `values` (N, …), a label below `classes` for each.
    ///
    /// # Errors
    /// A sentence on what does not fit.
    pub fn new(
        name: impl Into<String>,
        encoding: Encoding,
        values: ArrayD<u8>,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self, String> {
        let records = values.shape().first().copied().unwrap_or(0);
        if records == 0 {
            return Err("no records".to_owned());
        }
        if labels.len() != records {
            return Err(format!("{} labels for {records} records", labels.len()));
        }
        if let Some(record) = labels.iter().position(|&label| label >= classes) {
            let label = labels[record];
            return Err(format!(
                "record {record} has the label {label}; there are {classes} classes, from 0"
            ));
        }
        if encoding == Encoding::Bits
            && let Some((index, value)) = values.indexed_iter().find(|(_, v)| **v > 1)
        {
            let record = index[0];
            return Err(format!("record {record} has a feature {value}, not 0 or 1"));
        }
        Ok(Self {
            name: name.into(),
            encoding,
            values,
            labels,
            classes,
            files: Vec::new(),
        })
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.labels.len()
    }

    /// How many classes there are; labels are below.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of each record.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// All records (N, …), as bytes.
    pub fn values(&self) -> ArrayViewD<'_, u8> {
        self.values.view()
    }

    /// The shape of one record.
    pub fn shape(&self) -> &[usize] {
        &self.values.shape()[1..]
    }

    /// The records at `rows` (rows, …) as a model gets them.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn inputs(&self, rows: &[usize]) -> ArrayD<f32> {
        let scale = match self.encoding {
            Encoding::Pixels => 255.0,
            Encoding::Bits => 1.0,
        };
        let chosen = self.values.select(Axis(0), rows);
        chosen.mapv(|value| f32::from(value) / scale)
    }

    /// The labels of the records at `rows`.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn labels_of(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().map(|&row| self.labels[row]).collect()
    }

    /// The byte at a place of a record, counted over all its dimensions.
    #[cfg(feature = "train")]
    pub(crate) fn value(&self, row: usize, at: usize) -> u8 {
        let record = self.values.index_axis(Axis(0), row);
        record.iter().nth(at).copied().unwrap_or(0)
    }

    /// Give a record another label.
    #[cfg(feature = "train")]
    pub(crate) fn relabel(&mut self, row: usize, label: usize) {
        self.labels[row] = label;
    }

    /// Give a record other bytes, by their places.
    #[cfg(feature = "train")]
    pub(crate) fn refill(&mut self, row: usize, mut value: impl FnMut(usize) -> u8) {
        let mut record = self.values.index_axis_mut(Axis(0), row);
        for (at, byte) in record.iter_mut().enumerate() {
            *byte = value(at);
        }
    }

    /// The same records, read from these files.
    pub(super) fn read_from(mut self, paths: &[PathBuf]) -> Result<Self, LabError> {
        for path in paths {
            self.files.push((path.clone(), super::file_hash(path)?));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn models_get_pixels_in_the_unit_interval_and_bits_as_they_are() {
        let values = array![[0_u8, 255], [51, 0]].into_dyn();
        let pictures = DataSet::new("p", Encoding::Pixels, values, vec![0, 1], 2).unwrap();
        assert_eq!(
            pictures.inputs(&[1, 0]),
            array![[0.2, 0.0], [0.0, 1.0]].into_dyn()
        );
        assert_eq!(pictures.labels_of(&[1, 0]), [1, 0]);
        let values = array![[0_u8, 1]].into_dyn();
        let bits = DataSet::new("b", Encoding::Bits, values, vec![0], 1).unwrap();
        assert_eq!(bits.inputs(&[0]), array![[0.0, 1.0]].into_dyn());
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let values = array![[0_u8, 2]].into_dyn();
        let new = |encoding, labels| DataSet::new("d", encoding, values.clone(), labels, 2);
        assert!(
            new(Encoding::Bits, vec![0])
                .unwrap_err()
                .contains("feature 2")
        );
        assert!(
            new(Encoding::Pixels, vec![2])
                .unwrap_err()
                .contains("label 2")
        );
        assert!(
            new(Encoding::Pixels, vec![])
                .unwrap_err()
                .contains("0 labels")
        );
    }
}
