//! What an attack achieved, in the numbers that the literature prints.

use super::{Estimate, Roc, clopper_pearson};
use crate::random::Stream;
use crate::{LabError, Sides};
use serde::Serialize;

/// The false-positive rates at which the true-positive rate is reported.
pub const FPRS: [f64; 3] = [0.01, 0.001, 0.0001];

/// Non-members that are needed for each of [`FPRS`]: below 1 % a rate counts for something once ten false alarms are allowed.
pub const FEWEST: [usize; 3] = [100, 10_000, 100_000];

/// Shares of members among the records asked about at which [`Evaluation::precision`] is reported.
pub const PRIORS: [f64; 2] = [0.01, 0.1];

/// Shares of all records, those with the highest scores, of which [`Evaluation::exposed`] speaks.
pub const MOST_EXPOSED: [f64; 2] = [0.01, 0.05];

/// Bootstrap samples behind an interval.
pub const REPLICATES: usize = 1000;

/// The share of members found at a false-positive rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// The false-positive rate that is allowed.
    pub fpr: f64,
    /// The share of members found. Its interval spans that of Clopper and Pearson, which takes
    /// the threshold as given, and the bootstrap, which draws the threshold anew.
    pub tpr: Estimate,
    /// Whether there are enough non-members for this rate: [`FEWEST`]. If not, tables do not show it.
    pub resolved: bool,
}

/// What an attack achieved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// How many records were attacked.
    pub records: Sides<usize>,
    /// The mean of the true-positive and the true-negative rate of the attack's decisions;
    /// absent if the attack decides nothing, for want of data to choose thresholds on.
    pub balanced_accuracy: Option<Estimate>,
    /// `max(a, 1 - a)` of the balanced accuracy `a`.
    pub either_way: Option<Estimate>,
    /// The share of members among the records that the attack's decisions call members, for each of [`PRIORS`], as
    /// positive predictive value; absent without decisions, or if nothing is called a member.
    pub precision: Vec<(f64, Option<f64>)>,
    /// The most exposed records: for each of [`MOST_EXPOSED`] the share of members among so many of the records, members
    /// and not, that the attack is surest of.
    pub exposed: Vec<(f64, f64)>,
    /// The area under the curve of the scores.
    pub auc: Estimate,
    /// The true-positive rate at each of [`FPRS`].
    pub rates: Vec<Rate>,
}

impl Evaluation {
    /// Sum up scores and decisions (`true`: called a member); `seed` draws the bootstrap samples.
    ///
    /// # Errors
    /// If a side is empty, a score is not a number, or there are not as many decisions as scores.
    pub fn new(
        scores: &Sides<Vec<f64>>,
        decisions: Option<&Sides<Vec<bool>>>,
        seed: u64,
    ) -> Result<Self, LabError> {
        let curve = Roc::new(scores)?;
        let records = curve.totals();
        let mut stream = Stream::new(seed, "bootstrap of an evaluation");
        let balanced_accuracy = match decisions {
            None => None,
            Some(decisions) if decisions.as_ref().map(Vec::len) == records => {
                Some(balanced_accuracy(decisions, &mut stream))
            }
            Some(decisions) => {
                let actual = decisions.as_ref().map(Vec::len);
                let problem = format!(
                    "{} for members and {} for non-members, but {} and {} scores",
                    actual.members, actual.nonmembers, records.members, records.nonmembers
                );
                return Err(LabError::input("the number of decisions", problem));
            }
        };
        let samples: Vec<Roc> = (0..REPLICATES)
            .map(|_| curve.resampled(&mut stream))
            .collect();
        let auc = between_quantiles(curve.auc(), samples.iter().map(Roc::auc).collect());
        let rates = FPRS.into_iter().zip(FEWEST).map(|(fpr, fewest)| {
            let found = curve.found_at(fpr);
            let value = found / records.members as f64;
            // A mean over the orders of tied records lies between two counts.
            let given = |count: f64| clopper_pearson(count as usize, records.members);
            let (low, high) = (given(found.floor()).low, given(found.ceil()).high);
            let drawn = samples.iter().map(|sample| sample.tpr_at(fpr)).collect();
            let drawn = between_quantiles(value, drawn);
            Rate {
                fpr,
                tpr: Estimate::new(value, low.min(drawn.low), high.max(drawn.high)),
                resolved: records.nonmembers >= fewest,
            }
        });
        Ok(Self {
            records,
            balanced_accuracy,
            either_way: balanced_accuracy.map(Estimate::either_way),
            precision: precision(decisions),
            exposed: exposed(&curve),
            auc,
            rates: rates.collect(),
        })
    }
}

/// The balanced accuracy that every defence which keeps the labels leaves to an attacker, who
/// calls a record a member if its label is right: ½ + |a - b| / 2, from the accuracies `a` on
/// members and `b` on non-members (Yeom et al. 2018, the gap attack). Where non-members are right more often,
/// the attacker turns the rule round.
pub fn label_only_floor(accuracy: Sides<f64>) -> f64 {
    0.5 + (accuracy.members - accuracy.nonmembers).abs() / 2.0
}

/// The share of members among the records that the attack is surest of, for each of [`MOST_EXPOSED`].
fn exposed(curve: &Roc) -> Vec<(f64, f64)> {
    let records = curve.totals().members + curve.totals().nonmembers;
    let at = |share: f64| {
        let count = (share * records as f64).ceil() as usize;
        (share, curve.members_among(count))
    };
    MOST_EXPOSED.into_iter().map(at).collect()
}

/// The positive predictive value at each of [`PRIORS`].
fn precision(decisions: Option<&Sides<Vec<bool>>>) -> Vec<(f64, Option<f64>)> {
    let share = |called: &Vec<bool>| {
        called.iter().filter(|&&called| called).count() as f64 / called.len() as f64
    };
    let called = decisions.map(|decisions| decisions.as_ref().map(share));
    let at = |prior: f64| {
        let Sides {
            members,
            nonmembers,
        } = called?;
        let (right, all) = (
            prior * members,
            prior * members + (1.0 - prior) * nonmembers,
        );
        (all > 0.0).then(|| right / all)
    };
    PRIORS.into_iter().map(|prior| (prior, at(prior))).collect()
}

/// With the bootstrap's interval; each side is drawn on its own.
fn balanced_accuracy(decisions: &Sides<Vec<bool>>, stream: &mut Stream) -> Estimate {
    let share = |decisions: &[bool], wanted: bool| {
        let right = decisions.iter().filter(|&&decision| decision == wanted);
        right.count() as f64 / decisions.len() as f64
    };
    let rates = Sides::new(
        share(&decisions.members, true),
        share(&decisions.nonmembers, false),
    );
    let mut drawn = |rate: f64, count: usize| {
        (0..count).filter(|_| stream.unit() < rate).count() as f64 / count as f64
    };
    let samples = (0..REPLICATES).map(|_| {
        0.5 * (drawn(rates.members, decisions.members.len())
            + drawn(rates.nonmembers, decisions.nonmembers.len()))
    });
    let samples = samples.collect();
    between_quantiles(0.5 * (rates.members + rates.nonmembers), samples)
}

/// `value` with the percentile interval of `samples`.
fn between_quantiles(value: f64, mut samples: Vec<f64>) -> Estimate {
    samples.sort_by(f64::total_cmp);
    let quantile = |share: f64| samples[(share * (samples.len() - 1) as f64).round() as usize];
    let tail = (1.0 - super::CONFIDENCE) / 2.0;
    Estimate::new(value, quantile(tail), quantile(1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 members, 700 of them above all non-members, 300 among the 1000 non-members.
    fn constructed() -> Sides<Vec<f64>> {
        let members = (0..1000).map(|i| {
            if i < 700 {
                2.0 + f64::from(i)
            } else {
                f64::from(i - 700) / 300.0
            }
        });
        let nonmembers = (0..1000).map(|i| (f64::from(i) + 0.5) / 1000.0);
        Sides::new(members.collect(), nonmembers.collect())
    }

    #[test]
    fn a_constructed_distribution_has_its_numbers_and_intervals() {
        let scores = constructed();
        let decisions = scores.as_ref().map(|side| {
            let above = side.iter().map(|&score| score >= 0.5);
            above.collect::<Vec<bool>>()
        });
        let evaluation = Evaluation::new(&scores, Some(&decisions), 1).unwrap();
        // 700 + 150 members and 500 non-members are called members.
        let accuracy = evaluation.balanced_accuracy.unwrap();
        assert!((accuracy.value - 0.675).abs() < 1e-12);
        // Standard error: half of sqrt(.85 * .15 / 1000 + .5 * .5 / 1000) = 0.00971.
        assert!((accuracy.low - (0.675 - 1.96 * 0.00971)).abs() < 0.004);
        assert!((accuracy.high - (0.675 + 1.96 * 0.00971)).abs() < 0.004);
        // 0.7 + 0.3 / 2; the variance of a member's chance to win is 0.7 * 0.0225 + 0.3 * (1/12 + 0.35^2 - ...).
        assert!((evaluation.auc.value - 0.85).abs() < 2e-3);
        assert!(evaluation.auc.low > 0.82 && evaluation.auc.low < 0.845);
        assert!(evaluation.auc.high < 0.88 && evaluation.auc.high > 0.855);
        let [percent, permille, tenth] = evaluation.rates[..] else {
            panic!("three rates");
        };
        // The 10 highest non-members are at 0.9905 and above, with 2 members above 0.9895 among them... counted.
        let above = |limit: f64| scores.members.iter().filter(|&&s| s > limit).count() as f64;
        assert!((percent.tpr.value - above(0.9895) / 1000.0).abs() < 1e-12);
        assert!((permille.tpr.value - above(0.9985) / 1000.0).abs() < 1e-12);
        assert!((tenth.tpr.value - above(0.9995) / 1000.0).abs() < 1e-12);
        assert!(percent.resolved && !permille.resolved && !tenth.resolved);
        // .85 of the members and .5 of the others are called members.
        let [(_, Some(at_one)), (_, Some(at_ten))] = evaluation.precision[..] else {
            panic!("two priors");
        };
        assert!(
            (at_one - 0.0085 / (0.0085 + 0.495)).abs() < 1e-12,
            "{at_one}"
        );
        assert!((at_ten - 0.085 / (0.085 + 0.45)).abs() < 1e-12, "{at_ten}");
        for rate in [percent, permille, tenth] {
            assert!(rate.tpr.low < 0.69 && rate.tpr.low > 0.66, "{rate:?}");
            assert!(rate.tpr.high > 0.71 && rate.tpr.high < 0.74, "{rate:?}");
        }
    }

    #[test]
    fn an_attack_that_finds_nobody_still_has_an_upper_end() {
        let scores = Sides::new(vec![0.0; 100], vec![1.0; 100]);
        let decisions = Sides::new(vec![false; 100], vec![true; 100]);
        let evaluation = Evaluation::new(&scores, Some(&decisions), 1).unwrap();
        let rate = evaluation.rates[0].tpr;
        assert_eq!((rate.value, rate.low), (0.0, 0.0));
        assert!((rate.high - 0.0362).abs() < 1e-4, "{rate:?}");
        assert_eq!(evaluation.auc.value, 0.0);
        assert_eq!(evaluation.balanced_accuracy.unwrap().value, 0.0);
        assert_eq!(evaluation.either_way.unwrap().value, 1.0);
    }

    #[test]
    fn the_interval_covers_the_truth_about_as_often_as_it_says() {
        let mut stream = Stream::new(5, "coverage");
        let truth = 0.760_250;
        let runs = 100;
        let covered = (0..runs).filter(|&seed| {
            let mut draw = |shift: f64| (0..100).map(|_| stream.normal() + shift).collect();
            let scores = Sides::new(draw(1.0), draw(0.0));
            let auc = Evaluation::new(&scores, None, seed).unwrap().auc;
            auc.low <= truth && truth <= auc.high
        });
        // Binomial(100, 0.95): below 88 with probability 0.1 %.
        let covered = covered.count();
        assert!(covered >= 87, "{covered} of {runs}");
    }

    #[test]
    fn the_floor_is_the_gap_between_the_accuracies() {
        assert!((label_only_floor(Sides::new(1.0, 0.6)) - 0.7).abs() < 1e-12);
        // Swapped sides leave as much: the attacker turns the rule round.
        assert!((label_only_floor(Sides::new(0.6, 1.0)) - 0.7).abs() < 1e-12);
    }

    #[test]
    fn decisions_that_do_not_fit_are_refused() {
        let scores = Sides::new(vec![0.0; 2], vec![1.0; 3]);
        let decisions = Sides::new(vec![true; 2], vec![true; 2]);
        assert!(Evaluation::new(&scores, Some(&decisions), 0).is_err());
    }
}
