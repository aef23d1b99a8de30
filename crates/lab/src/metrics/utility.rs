//! What answers are good for: what a guard takes from their users.

use super::Roc;
use crate::{LabError, Sides};
use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

/// Smallest confidence whose logarithm is taken: about the resolution of single precision.
const RESOLUTION: f64 = 1e-7;

/// Bins of the calibration error.
const BINS: usize = 15;

/// The numbers of classes of [`Utility::top`].
pub const TOP: [usize; 3] = [1, 3, 5];

/// How much answers are worth to someone who asks about records outside of the training data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Utility {
    /// Records that were asked about.
    pub records: usize,
    /// Mean of `-ln p_y`, the negative log likelihood of the true label, in nats; confidences below 1e-7 count as that.
    pub nll: f64,
    /// The expected calibration error (Guo et al. 2017): the mean distance of the largest confidence from the share of right
    /// labels, in 15 bins of equal width.
    pub calibration_error: f64,
    /// The area under the curve of the largest confidence as a sign that the label is right; nothing if all or none are.
    pub right_by_confidence: Option<f64>,
    /// The area under the curve of risk against coverage (Geifman and El-Yaniv 2017): the mean share of wrong labels among
    /// the surest records, over all numbers of them. Equal confidences count in a random order.
    pub risk_by_coverage: f64,
    /// For each of [`TOP`] that is less than the number of classes: the share of records whose label is among so many
    /// classes with the most confidence.
    pub top: Vec<(usize, f64)>,
    /// The share of records whose classes are in the order of the undefended answer; nothing without one.
    pub order_kept: Option<f64>,
    /// The share of wrong labels of each class; nothing for classes without a record.
    pub error_by_class: Vec<Option<f64>>,
}

impl Utility {
    /// Of `confidences` (records × classes) with the true `labels`; `undefended` are the logits or confidences of the same
    /// records that a defence began with.
    ///
    /// # Errors
    /// If there are no records, or shapes do not fit.
    pub fn new(
        confidences: ArrayView2<'_, f64>,
        labels: &[usize],
        undefended: Option<ArrayView2<'_, f64>>,
    ) -> Result<Self, LabError> {
        let (records, classes) = confidences.dim();
        let fits = undefended.is_none_or(|other| other.dim() == (records, classes));
        let labelled = labels.len() == records && labels.iter().all(|&label| label < classes);
        if records == 0 || classes < 2 || !fits || !labelled {
            let problem = format!(
                "{records} answers of {classes} classes with {} labels; undefended {:?}",
                labels.len(),
                undefended.map(|other| other.dim())
            );
            return Err(LabError::input("the answers", problem));
        }
        let answers: Vec<Answer> = confidences
            .rows()
            .into_iter()
            .zip(labels)
            .map(|(row, &label)| Answer::new(row, label))
            .collect();
        let mean = |value: &dyn Fn(&Answer) -> f64| {
            answers.iter().map(value).sum::<f64>() / records as f64
        };
        let share = |k: usize| mean(&|answer| f64::from(u8::from(answer.rank < k)));
        let same = |other: ArrayView2<'_, f64>| {
            let pairs = confidences.rows().into_iter().zip(other.rows());
            pairs.filter(|(a, b)| order(*a) == order(*b)).count() as f64 / records as f64
        };
        Ok(Self {
            records,
            nll: mean(&|answer| -answer.own.max(RESOLUTION).ln()),
            calibration_error: calibration_error(&answers),
            right_by_confidence: right_by_confidence(&answers)?,
            risk_by_coverage: risk_by_coverage(&answers),
            top: TOP
                .into_iter()
                .filter(|&k| k < classes)
                .map(|k| (k, share(k)))
                .collect(),
            order_kept: undefended.map(same),
            error_by_class: error_by_class(&answers, labels, classes),
        })
    }

    /// The share of right labels.
    pub fn accuracy(&self) -> f64 {
        self.top.first().map_or(0.0, |(_, share)| *share)
    }

    /// The class that is wrong most often, and how often; nothing if no class has a record.
    pub fn worst_class(&self) -> Option<(usize, f64)> {
        let errors = self.error_by_class.iter().enumerate();
        let errors = errors.filter_map(|(class, error)| Some((class, (*error)?)));
        errors.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    }
}

/// What counts of an answer.
struct Answer {
    /// Confidence in the true label.
    own: f64,
    /// The largest confidence.
    largest: f64,
    /// How many classes come before the true label; of equal ones the first class comes first.
    rank: usize,
}

impl Answer {
    fn new(row: ArrayView1<'_, f64>, label: usize) -> Self {
        let own = row[label];
        let before = row.indexed_iter();
        let before = before.filter(|&(class, &p)| p > own || (p >= own && class < label));
        Self {
            own,
            largest: row.fold(f64::NEG_INFINITY, |most, &p| most.max(p)),
            rank: before.count(),
        }
    }

    fn wrong(&self) -> f64 {
        f64::from(u8::from(self.rank > 0))
    }
}

/// The classes, largest confidence first, the first of equal ones first.
fn order(row: ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
    order
}

fn calibration_error(answers: &[Answer]) -> f64 {
    // Sums of largest confidences and of right labels.
    let mut bins = [(0.0, 0.0); BINS];
    for answer in answers {
        let bin = (answer.largest * BINS as f64).floor().max(0.0) as usize;
        let (confidence, right) = &mut bins[bin.min(BINS - 1)];
        *confidence += answer.largest;
        *right += 1.0 - answer.wrong();
    }
    let distances = bins
        .iter()
        .map(|(confidence, right)| (confidence - right).abs());
    distances.sum::<f64>() / answers.len() as f64
}

fn right_by_confidence(answers: &[Answer]) -> Result<Option<f64>, LabError> {
    let side = |wrong: bool| {
        let chosen = answers.iter().filter(|answer| (answer.rank > 0) == wrong);
        chosen.map(|answer| answer.largest).collect::<Vec<f64>>()
    };
    let sides = Sides::new(side(false), side(true));
    if sides.members.is_empty() || sides.nonmembers.is_empty() {
        return Ok(None);
    }
    Ok(Some(Roc::new(&sides)?.auc()))
}

fn risk_by_coverage(answers: &[Answer]) -> f64 {
    let mut surest: Vec<(f64, f64)> = answers.iter().map(|a| (a.largest, a.wrong())).collect();
    surest.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut covered, mut wrong, mut sum) = (0.0, 0.0, 0.0);
    for tied in surest.chunk_by(|a, b| a.0 <= b.0) {
        // In a random order each of them is wrong with their mean.
        let mean = tied.iter().map(|(_, wrong)| wrong).sum::<f64>() / tied.len() as f64;
        for _ in tied {
            covered += 1.0;
            wrong += mean;
            sum += wrong / covered;
        }
    }
    sum / answers.len() as f64
}

fn error_by_class(answers: &[Answer], labels: &[usize], classes: usize) -> Vec<Option<f64>> {
    let mut counts = vec![(0.0, 0.0); classes];
    for (answer, &label) in answers.iter().zip(labels) {
        counts[label].0 += answer.wrong();
        counts[label].1 += 1.0;
    }
    let shares = counts.into_iter();
    shares
        .map(|(wrong, all)| (all > 0.0).then(|| wrong / all))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn numbers_by_hand() {
        let answers = array![
            [0.7, 0.2, 0.1],
            [0.7, 0.2, 0.1],
            [0.4, 0.35, 0.25],
            [0.1, 0.1, 0.8]
        ];
        let labels = [0, 1, 2, 2];
        let logits = array![
            [3.0, 2.0, 1.0],
            [3.0, 1.0, 2.0],
            [3.0, 2.0, 1.0],
            [0.0, 0.0, 5.0]
        ];
        let found = Utility::new(answers.view(), &labels, Some(logits.view())).unwrap();
        let near = |actual: f64, expected: f64| {
            assert!((actual - expected).abs() < 1e-12, "{actual} {expected}");
        };
        near(
            found.nll,
            -(0.7_f64.ln() + 0.2_f64.ln() + 0.25_f64.ln() + 0.8_f64.ln()) / 4.0,
        );
        // Bins at .7 (1.4 against 1 right), .4 (.4 against 0), .8 (.8 against 1).
        near(found.calibration_error, (0.4 + 0.4 + 0.2) / 4.0);
        // Right at .7 and .8, wrong at .7 and .4: of four pairs three and a half are won.
        near(found.right_by_confidence.unwrap(), 3.5 / 4.0);
        // Surest first: .8 right, then two at .7 that are wrong half the time, then .4 wrong.
        near(found.risk_by_coverage, (0.0 + 0.25 + 1.0 / 3.0 + 0.5) / 4.0);
        assert_eq!(found.top, [(1, 0.5)]);
        near(found.order_kept.unwrap(), 0.75);
        assert_eq!(found.error_by_class, [Some(0.0), Some(1.0), Some(0.5)]);
        assert_eq!(
            (found.accuracy(), found.worst_class()),
            (0.5, Some((1, 1.0)))
        );
    }

    #[test]
    fn what_cannot_be_said_is_not_said_and_misfits_are_refused() {
        let sure = array![[0.9, 0.1], [0.8, 0.2]];
        let found = Utility::new(sure.view(), &[0, 0], None).unwrap();
        assert_eq!((found.right_by_confidence, found.order_kept), (None, None));
        assert_eq!(found.error_by_class, [Some(0.0), None]);
        assert!(Utility::new(sure.view(), &[0], None).is_err());
        assert!(Utility::new(sure.view(), &[0, 2], None).is_err());
        assert!(Utility::new(sure.view(), &[0, 1], Some(array![[1.0, 0.0]].view())).is_err());
    }
}
