//! The table guard: confidences that depend on the order of the classes alone.
//!
//! The order is the model's; the values are those of an average non-member with the same label. So an answer tells what the
//! order of its classes tells, and nothing of how sure the model was.

// A view is a handle: it is passed as ndarray passes it.
#![allow(clippy::needless_pass_by_value)]

use crate::GuardError;
use ndarray::{Array1, Array2, ArrayD, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use trefoil_mpc::Cost;
use trefoil_nn::{Clear, Priced, RangedBackend, ready};
use trefoil_ring::{FixedPoint, Ring, power_of_two};

/// A label with fewer non-members than this has the mean over all labels in the table: a mean of a few vectors would show them.
pub const FEWEST_RECORDS: usize = 10;
/// What the steps that keep values apart may add up to, of confidences of sum 1.
const LARGEST_LIFT: f64 = 1.0 / 16.0;
/// Classes, at most: as for the other guard.
const MOST_CLASSES: usize = 1000;
/// Fraction bits, at most: answers are written as 32-bit floats, which hold so many.
const MOST_BITS: u32 = 24;
/// Fraction bits of a new table, if its classes do not need more.
const USUAL_BITS: u32 = 20;

/// What everyone may know of a table guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSettings {
    /// Classes.
    pub classes: usize,
    /// Bits after the binary point.
    pub fraction_bits: u32,
}

/// A table guard: for each label (rows) the confidences by rank, the largest first. A secret of the model's owner: no `Debug`.
#[derive(Clone, PartialEq)]
pub struct Table {
    settings: TableSettings,
    means: Array2<f64>,
    values: Array2<f64>,
}

/// A table, and what it was made of.
pub struct Learned {
    /// The table.
    pub table: Table,
    /// Non-members.
    pub records: usize,
    /// Labels with fewer than [`FEWEST_RECORDS`] non-members: their rows are the mean over all labels.
    pub scarce: Vec<usize>,
}

impl TableSettings {
    /// The number format.
    pub fn format(&self) -> FixedPoint {
        FixedPoint::new(self.fraction_bits)
    }

    /// Check that the values of every row stay apart in the format, and that keeping them apart moves them little.
    ///
    /// # Errors
    /// Too many or too few classes or fraction bits.
    pub fn check(&self) -> Result<(), GuardError> {
        let wrong = |name, value: String, problem: String| {
            Err(GuardError::Setting {
                name,
                value,
                problem,
            })
        };
        if !(2..=MOST_CLASSES).contains(&self.classes) {
            let problem = format!("take 2 to {MOST_CLASSES} classes");
            return wrong("number of classes", self.classes.to_string(), problem);
        }
        let least = least_bits(self.classes);
        if !(least..=MOST_BITS).contains(&self.fraction_bits) {
            let problem = format!(
                "take {least} to {MOST_BITS} fraction bits: fewer do not keep {} values apart, more are lost in answers of \
                 32-bit floats",
                self.classes
            );
            return wrong("fraction_bits", self.fraction_bits.to_string(), problem);
        }
        Ok(())
    }

    /// What the guard costs for `rows` queries in the ring `R`.
    pub fn cost<R: Ring>(&self, rows: usize) -> Cost {
        let backend = Priced::<R>::new(self.format());
        let (n, table) = (self.classes, vec![self.classes; 2]);
        let Ok(_) = ready(backend.by_rank(&vec![rows, n], &table));
        backend.cost()
    }
}

/// Logits stay within ± this in a ring of so many bits with so many of them fraction: farther ones would be compared wrongly.
pub(crate) fn logit_limit(ring_bits: u32, fraction_bits: u32) -> f64 {
    // Two of them differ by less than what is compared.
    power_of_two(ring_bits as i32 + 1 - 2 * fraction_bits as i32)
}

/// The sum of the smallest falling whole numbers, `0 + 1 + … + n - 1`.
fn staircase(classes: usize) -> f64 {
    (classes * (classes - 1) / 2) as f64
}

/// The fewest fraction bits for so many classes.
fn least_bits(classes: usize) -> u32 {
    (staircase(classes) / LARGEST_LIFT).log2().ceil().max(1.0) as u32
}

impl Table {
    /// The table of the mean sorted confidence vectors (label × rank) `means`.
    ///
    /// # Errors
    /// Settings that cannot work, another size, and rows that are no falling confidences of sum 1.
    pub fn new(settings: TableSettings, means: Array2<f64>) -> Result<Self, GuardError> {
        settings.check()?;
        if means.dim() != (settings.classes, settings.classes) {
            return Err(GuardError::Width {
                expected: settings.classes,
                actual: means.ncols(),
            });
        }
        for (label, row) in means.rows().into_iter().enumerate() {
            let wrong = |problem: String| Err(GuardError::Table { label, problem });
            if let Some(value) = row.iter().find(|v| !(0.0..=1.0).contains(*v)) {
                return wrong(format!("has the confidence {value}"));
            }
            if (row.sum() - 1.0).abs() > 1e-6 {
                return wrong(format!("has the sum {}, not 1", row.sum()));
            }
            if row.iter().zip(row.iter().skip(1)).any(|(a, b)| a < b) {
                return wrong("rises with the rank".to_owned());
            }
        }
        let values = in_format(&settings, &means);
        Ok(Self {
            settings,
            means,
            values,
        })
    }

    /// The table of non-members' confidence vectors (records × classes), each of sum 1; a record's label is its first maximum.
    ///
    /// # Errors
    /// Rows that are no confidences, fewer than [`FEWEST_RECORDS`] of them, or too many classes.
    pub fn learn(confidences: ArrayView2<'_, f64>) -> Result<Learned, GuardError> {
        let (records, classes) = confidences.dim();
        if records < FEWEST_RECORDS {
            return Err(GuardError::Setting {
                name: "number of non-members",
                value: records.to_string(),
                problem: format!(
                    "take {FEWEST_RECORDS} or more: a mean of fewer vectors would show them"
                ),
            });
        }
        let fraction_bits = USUAL_BITS.max(least_bits(classes.max(2)));
        let settings = TableSettings {
            classes,
            fraction_bits,
        };
        settings.check()?;
        let mut sums = Array2::<f64>::zeros((classes, classes));
        let mut counts = vec![0_usize; classes];
        for (record, row) in confidences.rows().into_iter().enumerate() {
            let total = row.sum();
            let proper = row
                .iter()
                .all(|v| v.is_finite() && (-1e-3..=1.001).contains(v));
            if !proper || (total - 1.0).abs() > 0.01 {
                return Err(GuardError::Confidences { record, sum: total });
            }
            let sorted = sorted(row);
            let label = first_maximum(row);
            counts[label] += 1;
            let mut sum = sums.row_mut(label);
            sum += &sorted;
        }
        let all = sums.sum_axis(Axis(0));
        let all = &all / all.sum();
        let mut scarce = Vec::new();
        let mut means = sums;
        for (label, mut row) in means.rows_mut().into_iter().enumerate() {
            if counts[label] < FEWEST_RECORDS {
                scarce.push(label);
                row.assign(&all);
            } else {
                let total = row.sum();
                row /= total;
            }
        }
        let table = Self::new(settings, means)?;
        Ok(Learned {
            table,
            records,
            scarce,
        })
    }

    /// [`Table::learn`] from non-members' logits (records × classes).
    ///
    /// # Errors
    /// As [`Table::learn`].
    pub fn learn_from_logits(logits: ArrayView2<'_, f64>) -> Result<Learned, GuardError> {
        let mut rows = logits.to_owned();
        for mut row in rows.rows_mut() {
            let top = row.fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|v| (v - top).exp());
            let sum = row.sum();
            row /= sum;
        }
        Self::learn(rows.view())
    }

    /// The guarded confidences of `scores` (records × classes), logits or confidences, in the clear: what all back ends
    /// compute of them.
    ///
    /// # Panics
    /// If they are of another number of classes.
    pub fn apply(&self, scores: ArrayView2<'_, f64>) -> Array2<f64> {
        let (scores, values) = (scores.to_owned().into_dyn(), self.tensor());
        let Ok(answers) = ready(Clear.by_rank(&scores, &values));
        let dim = (scores.shape()[0], self.settings.classes);
        Array2::from_shape_fn(dim, |(row, class)| answers[[row, class]])
    }

    /// The same table for numbers of another format.
    ///
    /// # Errors
    /// If its values cannot be kept apart in it.
    pub fn with_fraction_bits(&self, fraction_bits: u32) -> Result<Self, GuardError> {
        let settings = TableSettings {
            fraction_bits,
            ..self.settings
        };
        Self::new(settings, self.means.clone())
    }

    /// Its public half.
    pub fn settings(&self) -> &TableSettings {
        &self.settings
    }

    /// The means it was made of (label × rank).
    pub fn means(&self) -> &Array2<f64> {
        &self.means
    }

    /// The confidences that answers are made of (label × rank): multiples of the format's unit, strictly falling in
    /// each row, of sum 1.
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// The tensor that the owner shares: [`Table::values`].
    pub fn tensor(&self) -> ArrayD<f64> {
        self.values.clone().into_dyn()
    }
}

impl Table {
    /// The digest of settings and means.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil guard table");
        hasher.update(&postcard::to_stdvec(self.settings()).unwrap_or_default());
        for value in self.means() {
            hasher.update(&value.to_le_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// The means as whole units of the format. The value at rank r gets `n - 1 - r` units, and of the others its mean's share,
/// rounded down; the first value gets what is left. So neighbours differ by a unit at least, the sum is 1, and no value moves by
/// more than the staircase's part of 1.
fn in_format(settings: &TableSettings, means: &Array2<f64>) -> Array2<f64> {
    let n = settings.classes;
    let all = power_of_two(settings.fraction_bits as i32);
    let shared = all - staircase(n);
    let mut units = Array2::from_shape_fn((n, n), |(label, rank)| {
        (means[[label, rank]] * shared).floor() + (n - 1 - rank) as f64
    });
    for mut row in units.rows_mut() {
        let rest = all - row.sum();
        row[0] += rest;
    }
    units / all
}

/// The position of the largest value, the first of equal ones.
fn first_maximum(row: ArrayView1<'_, f64>) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// The values as falling confidences, none below 0, of sum 1.
fn sorted(row: ArrayView1<'_, f64>) -> Array1<f64> {
    let mut values: Vec<f64> = row.iter().map(|v| v.max(0.0)).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    let values = Array1::from(values);
    let total = values.sum();
    values / total
}
