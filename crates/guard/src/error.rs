//! What can be wrong with a guard and its inputs.

use std::path::PathBuf;

/// A mistake in a guard, its file or what it is applied to.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// A setting that cannot work.
    #[error("the guard's {name} is {value}: {problem}")]
    Setting {
        /// Which.
        name: &'static str,
        /// Its value.
        value: String,
        /// Why not, and what would do.
        problem: String,
    },
    /// Layers that do not follow each other.
    #[error(
        "layer {layer} of the membership classifier takes {actual} values where {expected} arrive"
    )]
    Layers {
        /// Which, from 0.
        layer: usize,
        /// What the layer before gives.
        expected: usize,
        /// What this one takes.
        actual: usize,
    },
    /// A classifier without one real output, or without layers.
    #[error(
        "the membership classifier gives {actual} values; it must give one score (> 0: member)"
    )]
    Output {
        /// What it gives.
        actual: usize,
    },
    /// A weight that is not a number.
    #[error("weight {index} of layer {layer} of the membership classifier is {value}")]
    Weight {
        /// Which layer, from 0.
        layer: usize,
        /// Which weight, row by row; biases after them.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// A value that can leave its range.
    #[error("{what} can reach {value:.3e}, but the guard is laid out for {limit:.3e}: {advice}")]
    Range {
        /// Which value.
        what: &'static str,
        /// What it can reach.
        value: f64,
        /// What fits.
        limit: f64,
        /// What to change.
        advice: &'static str,
    },
    /// A guard for another number of classes.
    #[error(
        "the guard is for {expected} classes, but the model gives {actual}: train the guard on confidence vectors of this model"
    )]
    Width {
        /// Classes of the guard.
        expected: usize,
        /// Classes of the model.
        actual: usize,
    },
    /// Logits that the guard does not take.
    #[error(
        "logit {column} of row {row} is {value}; the guard takes finite logits from -{limit} to {limit}"
    )]
    Logit {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
        /// The largest magnitude.
        limit: f64,
    },
    /// A row of a table that is no sorted confidence vector.
    #[error("row {label} of the guard's table {problem}; rows are falling confidences of sum 1")]
    Table {
        /// The label.
        label: usize,
        /// What is wrong.
        problem: String,
    },
    /// A record that is no confidence vector.
    #[error("row {record} is no confidence vector: its sum is {sum}")]
    Confidences {
        /// Row, from 0.
        record: usize,
        /// Its sum.
        sum: f64,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no guard.
    #[error("{path} is no guard file: {problem}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}
