//! Rows of falling confidences, learnt from what a model says of records that it was not trained on.

use super::order;
use crate::LabError;
use crate::logits::softmax;
use ndarray::{Array1, Array2, Axis};
use trefoil_guard::{FEWEST_RECORDS, Table, TableSettings};

/// So many records of the mean over all labels are in each label's row: most labels have few records of their own.
const SHRUNK: f64 = 10.0;
/// Each rank's part of a record in frequencies, as if it had been seen.
const UNSEEN: f64 = 0.5;
/// Bits after the binary point, as the table guard has, and the most that it takes for many classes.
const FRACTION_BITS: u32 = 20;
const MOST_BITS: u32 = 24;
/// Smallest confidence whose logarithm is taken.
const LEAST: f64 = 1e-7;

/// What a model says of some records.
#[derive(Clone)]
pub struct Known {
    /// Its logits (records × classes).
    pub logits: Array2<f64>,
    /// The records' true labels.
    pub labels: Vec<usize>,
}

impl Known {
    /// For each record the predicted label and the rank of the true one.
    fn ranks(&self) -> Vec<(usize, usize)> {
        let pair = |(z, label): (ndarray::ArrayView1<'_, f64>, &usize)| {
            let order = order(z);
            let rank = order.iter().position(|class| class == label);
            (order[0], rank.unwrap_or(0))
        };
        let rows = self.logits.rows().into_iter();
        rows.zip(&self.labels).map(pair).collect()
    }
}

/// The temperatures that are tried: from a fifth to ten times, in steps of five percent.
fn temperatures() -> impl Iterator<Item = f64> {
    (0..=80).map(|step| 0.2 * 1.05_f64.powi(step))
}

/// The one of [`temperatures`] with the least of `cost`.
fn best_temperature(mut cost: impl FnMut(f64) -> f64) -> f64 {
    let tried = temperatures().map(|t| (cost(t), t));
    let best = tried.min_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(1.0, |(_, t)| t)
}

/// Confidences behind a temperature.
pub(super) fn tempered(logits: &Array2<f64>, temperature: f64) -> Array2<f64> {
    softmax(logits.mapv(|z| z / temperature).view())
}

/// The temperature behind which the confidences tell the true labels best (Guo et al. 2017).
pub(super) fn temperature(known: &Known) -> f64 {
    best_temperature(|t| {
        let confidences = tempered(&known.logits, t);
        let own = known.labels.iter().enumerate();
        own.map(|(row, &label)| -confidences[[row, label]].max(LEAST).ln())
            .sum()
    })
}

/// The weighted mean sorted confidences of each label (label × rank).
pub(super) fn means(confidences: &Array2<f64>, weights: &[f64]) -> Array2<f64> {
    let classes = confidences.ncols();
    let mut sums = Array2::<f64>::zeros((classes, classes));
    let mut counts = vec![0.0; classes];
    for (row, weight) in confidences.rows().into_iter().zip(weights) {
        let order = order(row);
        counts[order[0]] += weight;
        for (rank, &class) in order.iter().enumerate() {
            sums[[order[0], rank]] += weight * row[class];
        }
    }
    shrunk(sums, &counts)
}

/// Sums of each label over its count, with a part of the mean over all labels.
fn shrunk(sums: Array2<f64>, counts: &[f64]) -> Array2<f64> {
    let all = sums.sum_axis(Axis(0));
    let total = all.sum();
    let mean = if total > 0.0 {
        all / total
    } else {
        all.mapv(|_| 1.0 / counts.len() as f64)
    };
    let mut rows = sums;
    for (mut row, count) in rows.rows_mut().into_iter().zip(counts) {
        row.scaled_add(SHRUNK, &mean);
        row /= count + SHRUNK;
    }
    rows
}

/// How often the true label has each rank, for each predicted label (label × rank), falling.
pub(super) fn frequencies(known: &Known) -> Array2<f64> {
    let classes = known.logits.ncols();
    let part = UNSEEN / classes as f64;
    let mut sums = Array2::from_elem((classes, classes), part);
    let mut counts = vec![UNSEEN; classes];
    for (label, rank) in known.ranks() {
        sums[[label, rank]] += 1.0;
        counts[label] += 1.0;
    }
    let mut rows = shrunk(sums, &counts);
    for mut row in rows.rows_mut() {
        let mut values = row.to_vec();
        values.sort_by(|a, b| b.total_cmp(a));
        row.iter_mut()
            .zip(values)
            .for_each(|(to, value)| *to = value);
    }
    rows
}

/// A table guard that was calibrated on true labels.
pub struct Calibrated {
    /// The table.
    pub table: Table,
    /// What divides the logits before they become confidences.
    pub temperature: f64,
    /// Labels with fewer than [`FEWEST_RECORDS`] records: their rows are the mean over all labels.
    pub scarce: Vec<usize>,
}

/// The table guard whose rows are the mean sorted confidences behind one temperature: the one with which the rows themselves tell the
/// true labels best. So answers say how often the model is right, where a model is surer of itself than that; they depend
/// on label and order as every table's do. Each row has a part of the mean over all labels, of as much weight as ten records.
///
/// # Errors
/// If there are fewer than [`FEWEST_RECORDS`] records, or too many classes.
pub fn calibrated(known: &Known) -> Result<Calibrated, LabError> {
    let records = known.labels.len();
    if records < FEWEST_RECORDS {
        let problem = format!("{records} of them; a table is made of {FEWEST_RECORDS} or more");
        return Err(LabError::input("the non-members", problem));
    }
    let ranks = known.ranks();
    let mut counts = vec![0_usize; known.logits.ncols()];
    for (label, _) in &ranks {
        counts[*label] += 1;
    }
    let scarce: Vec<usize> = (0..counts.len())
        .filter(|&label| counts[label] < FEWEST_RECORDS)
        .collect();
    let rows = |t: f64| {
        let confidences = tempered(&known.logits, t);
        let mut rows = means(&confidences, &vec![1.0; records]);
        let all = mean_over_all(&confidences);
        for &label in &scarce {
            rows.row_mut(label).assign(&all);
        }
        rows
    };
    let temperature = best_temperature(|t| {
        let rows = rows(t);
        let own = ranks.iter().map(|&at| -rows[at].max(LEAST).ln());
        own.sum()
    });
    Ok(Calibrated {
        table: table_of(&rows(temperature))?,
        temperature,
        scarce,
    })
}

/// The mean sorted confidences of all records.
fn mean_over_all(confidences: &Array2<f64>) -> Array1<f64> {
    let mut sum = Array1::zeros(confidences.ncols());
    for row in confidences.rows() {
        for (rank, class) in order(row).into_iter().enumerate() {
            sum[rank] += row[class];
        }
    }
    let total: f64 = sum.sum();
    sum / total
}

/// The rows of the table guard itself.
pub(super) fn guarded(known: &Known) -> Result<Array2<f64>, LabError> {
    let learned = Table::learn_from_logits(known.logits.view());
    let learned = learned.map_err(|error| LabError::Model(error.to_string()))?;
    Ok(learned.table.values().clone())
}

/// Falling means as the table guard would hold them: whole units of the format, no two of a row equal.
pub(super) fn rows_of(means: &Array2<f64>) -> Result<Array2<f64>, LabError> {
    Ok(table_of(means)?.values().clone())
}

/// The table guard of these means, in the first format that holds so many classes.
fn table_of(means: &Array2<f64>) -> Result<Table, LabError> {
    let of = |fraction_bits| {
        let classes = means.ncols();
        let settings = TableSettings {
            classes,
            fraction_bits,
        };
        Table::new(settings, means.clone())
    };
    let table = of(FRACTION_BITS).or_else(|_| of(MOST_BITS));
    table.map_err(|error| LabError::Model(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn an_overconfident_model_gets_a_temperature_above_one() {
        // Sure by 4 logits of class 0, and right in three of four: softmax says .98.
        let logits = Array2::from_shape_fn((400, 2), |(_, class)| [4.0, 0.0][class]);
        let labels = (0..400).map(|row| usize::from(row % 4 == 0)).collect();
        let known = Known { logits, labels };
        // 4 / T = ln 3.
        assert!((temperature(&known) - 4.0 / 3.0_f64.ln()).abs() < 0.2);
        let made = calibrated(&known).unwrap();
        assert!((made.table.values()[[0, 0]] - 0.75).abs() < 0.02);
        // Nobody has label 1.
        assert_eq!(made.scarce, [1]);
        let few = Known {
            logits: known.logits.slice(ndarray::s![..9, ..]).to_owned(),
            labels: known.labels[..9].to_vec(),
        };
        let error = calibrated(&few).err().unwrap().to_string();
        assert!(error.contains("9 of them"), "{error}");
        assert!((frequencies(&known)[[0, 0]] - 0.75).abs() < 0.01);
    }

    #[test]
    fn labels_without_records_have_the_mean_over_all() {
        let confidences = array![[0.8, 0.1, 0.1], [0.1, 0.6, 0.3]];
        let rows = means(&confidences, &[1.0, 1.0]);
        let all = array![0.7, 0.2, 0.1];
        for (mean, expected) in rows.row(2).iter().zip(&all) {
            assert!((mean - expected).abs() < 1e-12);
        }
        assert!(rows[[0, 0]] > 0.7 && rows[[1, 0]] < 0.7);
    }
}
