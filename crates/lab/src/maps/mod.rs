//! Maps of answers that keep the order of the classes: what could stand in the place of the table guard.
//!
//! A map gives each answer a row of falling confidences, put in the order of the answer's classes. So labels and order are
//! kept by construction, whatever was learnt. The maps differ in what else of the answer a row may depend on: on the
//! label alone (a table), on a bin of how sure the model is, on a share that a small network chooses ([`Gauge`]), or on the
//! answer's own confidences.
//!
//! They are tried in the clear by [`crate::pipeline::curve()`]; what came of it is decision 36.

mod gauge;
mod rows;

pub use gauge::{Gauge, Lesson};
pub use rows::{Calibrated, Known, calibrated};

use crate::LabError;
use crate::logits::softmax;
use ndarray::{Array2, ArrayView1, ArrayView2};
use rows::{frequencies, guarded, means, rows_of, temperature, tempered};

/// How a map is learnt from a model's answers about records that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Family {
    /// The table guard: for each label the mean sorted confidences.
    Table,
    /// A table of the means behind the temperature that makes the table tell true labels best.
    Calibrated,
    /// A table of how often the true label has each rank.
    Frequencies,
    /// Such a calibrated table for each of so many equal bins of the margin between the two likeliest classes.
    Bins(usize),
    /// The calibrated table, with this share of the answer's own confidences behind the best temperature; 1 hides nothing.
    Blend(f64),
    /// Between a table of unsure answers and one of sure answers, by a [`Gauge`] trained with this weight of the leakage.
    Learnt(f64),
}

/// A map. Secret like the records that it was learnt from: no `Debug`.
pub struct Map {
    /// Rows of falling confidences (label × rank), for each level.
    levels: Vec<Array2<f64>>,
    /// Divides the logits before anything else of them than the order is looked at.
    temperature: f64,
    chooser: Chooser,
}

/// What an answer's row is, by its levels.
enum Chooser {
    /// The only level's.
    Only,
    /// That of the level of as many thresholds as the margin exceeds.
    Bins(Vec<f64>),
    /// The only level's, and this share of the answer's own confidences.
    Blend(f64),
    /// Between the first and the second level's.
    Learnt(Box<Gauge>),
}

impl Family {
    /// What is tried, the table first.
    pub const TRIED: &[Self] = &[
        Self::Table,
        Self::Calibrated,
        Self::Frequencies,
        Self::Bins(2),
        Self::Bins(3),
        Self::Bins(5),
        Self::Blend(0.1),
        Self::Blend(0.25),
        Self::Blend(0.5),
        Self::Blend(1.0),
        Self::Learnt(0.0),
        Self::Learnt(0.3),
        Self::Learnt(1.0),
        Self::Learnt(3.0),
        Self::Learnt(10.0),
    ];

    /// What tables call it.
    pub fn name(self) -> String {
        match self {
            Self::Table => "table".to_owned(),
            Self::Calibrated => "calibrated table".to_owned(),
            Self::Frequencies => "table of frequencies".to_owned(),
            Self::Bins(bins) => format!("{bins} bins of the margin"),
            Self::Blend(share) if share >= 1.0 => "temperature alone".to_owned(),
            Self::Blend(share) => format!("{} % own confidences", 100.0 * share),
            Self::Learnt(weight) => format!("learnt, leakage × {weight}"),
        }
    }

    /// What lines of a picture join.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Calibrated => "calibrated table",
            Self::Frequencies => "table of frequencies",
            Self::Bins(_) => "bins of the margin",
            Self::Blend(_) => "own confidences",
            Self::Learnt(_) => "learnt",
        }
    }

    /// The network that this family needs, trained on `lessons`, answers of several models; nothing for the others.
    ///
    /// # Errors
    /// If the lessons lack members or non-members.
    pub fn gauge(self, lessons: &[Lesson], seed: u64) -> Result<Option<Gauge>, LabError> {
        match self {
            Self::Learnt(weight) => Gauge::train(lessons, weight, seed).map(Some),
            _ => Ok(None),
        }
    }

    /// The map for one model, from what it says of records that it was not trained on.
    ///
    /// # Errors
    /// If there are too few records, or a gauge is missing.
    pub fn learn(self, known: &Known, gauge: Option<&Gauge>) -> Result<Map, LabError> {
        let only = |levels| Map {
            levels: vec![levels],
            temperature: 1.0,
            chooser: Chooser::Only,
        };
        Ok(match self {
            Self::Table => only(guarded(known)?),
            Self::Calibrated => only(calibrated(known)?.table.values().clone()),
            Self::Frequencies => only(rows_of(&frequencies(known))?),
            Self::Bins(bins) => {
                let temperature = temperature(known);
                let margins: Vec<f64> = margins(&known.logits, temperature);
                let thresholds = quantiles(&margins, bins);
                let level = |at: usize| {
                    let inside =
                        |margin: &f64| f64::from(u8::from(bin(&thresholds, *margin) == at));
                    let weights: Vec<f64> = margins.iter().map(inside).collect();
                    rows_of(&means(&tempered(&known.logits, temperature), &weights))
                };
                Map {
                    levels: (0..bins).map(level).collect::<Result<_, _>>()?,
                    temperature,
                    chooser: Chooser::Bins(thresholds),
                }
            }
            Self::Blend(share) => Map {
                levels: vec![calibrated(known)?.table.values().clone()],
                temperature: temperature(known),
                chooser: Chooser::Blend(share),
            },
            Self::Learnt(_) => {
                let gauge = gauge.ok_or_else(|| {
                    LabError::input("the learnt map", "it has no gauge; train one first")
                })?;
                let temperature = temperature(known);
                let [unsure, sure] = gauge::levels(known, temperature)?;
                Map {
                    levels: vec![unsure, sure],
                    temperature,
                    chooser: Chooser::Learnt(Box::new(gauge.clone())),
                }
            }
        })
    }
}

impl Map {
    /// The answers (records × classes) for logits (records × classes).
    ///
    /// # Panics
    /// If they are of another number of classes than what the map was learnt from.
    pub fn apply(&self, logits: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut answers = Array2::zeros(logits.dim());
        for (z, mut answer) in logits.rows().into_iter().zip(answers.rows_mut()) {
            let order = order(z);
            let label = order[0];
            let row = |level: usize, rank: usize| self.levels[level][[label, rank]];
            let scaled = z.mapv(|v| v / self.temperature);
            match &self.chooser {
                Chooser::Only => place(&order, |rank| row(0, rank), &mut answer),
                Chooser::Bins(thresholds) => {
                    let level = bin(thresholds, scaled[order[0]] - scaled[order[1]]);
                    place(&order, |rank| row(level, rank), &mut answer);
                }
                Chooser::Blend(share) => {
                    let own = softmax(scaled.view().insert_axis(ndarray::Axis(0)));
                    let mixed = |rank| share * own[[0, order[rank]]] + (1.0 - share) * row(0, rank);
                    place(&order, mixed, &mut answer);
                }
                Chooser::Learnt(gauge) => {
                    let sure = gauge.sureness(scaled.view());
                    let mixed = |rank| sure * row(1, rank) + (1.0 - sure) * row(0, rank);
                    place(&order, mixed, &mut answer);
                }
            }
        }
        answers
    }
}

/// Put the value of each rank at the class of that rank.
fn place(
    order: &[usize],
    value: impl Fn(usize) -> f64,
    answer: &mut ndarray::ArrayViewMut1<'_, f64>,
) {
    for (rank, &class) in order.iter().enumerate() {
        answer[class] = value(rank);
    }
}

/// The classes, largest logit first, the first of equal ones first.
fn order(z: ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..z.len()).collect();
    order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
    order
}

/// How far the likeliest class leads, of each row of logits behind a temperature.
fn margins(logits: &Array2<f64>, temperature: f64) -> Vec<f64> {
    let margin = |z: ArrayView1<'_, f64>| {
        let order = order(z);
        (z[order[0]] - z[order[1]]) / temperature
    };
    logits.rows().into_iter().map(margin).collect()
}

/// In which bin between rising thresholds a value lies.
fn bin(thresholds: &[f64], value: f64) -> usize {
    thresholds.iter().filter(|&&t| value > t).count()
}

/// The thresholds between bins of equally many values.
fn quantiles(values: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |bin: usize| sorted[(bin * sorted.len() / bins).min(sorted.len() - 1)];
    (1..bins).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    /// Logits of five classes whose true label leads by a random margin, or another does.
    fn known(records: usize, seed: u64) -> Known {
        let mut stream = Stream::new(seed, "answers");
        let labels: Vec<usize> = (0..records).map(|_| stream.below(5)).collect();
        let mut logits = Array2::from_shape_simple_fn((records, 5), || stream.normal());
        for (row, &label) in labels.iter().enumerate() {
            logits[[row, label]] += 2.0 * stream.unit();
        }
        Known { logits, labels }
    }

    #[test]
    fn every_map_keeps_order_and_sum() {
        let (own, asked) = (known(200, 1), known(50, 2));
        let lesson = Lesson {
            known: known(200, 3),
            member: (0..200).map(|at| at % 2 == 0).collect(),
        };
        for family in [
            Family::Table,
            Family::Calibrated,
            Family::Frequencies,
            Family::Bins(3),
            Family::Blend(0.5),
            Family::Blend(1.0),
            Family::Learnt(1.0),
        ] {
            let gauge = family.gauge(std::slice::from_ref(&lesson), 1).unwrap();
            let map = family.learn(&own, gauge.as_ref()).unwrap();
            let answers = map.apply(asked.logits.view());
            for (z, s) in asked.logits.rows().into_iter().zip(answers.rows()) {
                assert_eq!(order(z), order(s), "{}", family.name());
                assert!((s.sum() - 1.0).abs() < 1e-9 && s.iter().all(|&v| v > 0.0));
            }
        }
        assert!(Family::Learnt(1.0).learn(&own, None).is_err());
    }

    #[test]
    fn bins_hold_equally_many() {
        let thresholds = quantiles(&[5.0, 1.0, 4.0, 2.0, 3.0, 0.0], 3);
        let bins: Vec<usize> = (0..6)
            .map(|v| bin(&thresholds, f64::from(v) - 0.5))
            .collect();
        assert_eq!(bins, [0, 0, 0, 1, 1, 2]);
    }
}
