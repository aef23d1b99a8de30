//! The receiver operating characteristic.

use crate::random::Stream;
use crate::{LabError, Sides};
use serde::Serialize;

/// What one threshold achieves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Records with at least this score are called members.
    pub threshold: f64,
    /// The share of non-members that are called members.
    pub fpr: f64,
    /// The share of members that are called members.
    pub tpr: f64,
}

/// What every threshold on an attack's scores achieves.
#[derive(Debug, Clone)]
pub struct Roc {
    /// The different scores, falling.
    scores: Vec<f64>,
    /// How many records have each score.
    counts: Vec<Sides<usize>>,
    /// How many records there are.
    totals: Sides<usize>,
}

impl Roc {
    /// The curve of these scores, higher for a likelier member; infinite ones are allowed.
    ///
    /// # Errors
    /// If a side is empty, or a score is not a number.
    pub fn new(scores: &Sides<Vec<f64>>) -> Result<Self, LabError> {
        let check = |name: &str, scores: &[f64]| {
            let what = format!("the scores of the {name}");
            match scores.iter().position(|score| score.is_nan()) {
                _ if scores.is_empty() => Err(LabError::input(what, "there are none")),
                Some(index) => Err(LabError::input(what, format!("number {index} is NaN"))),
                None => Ok(()),
            }
        };
        check("members", &scores.members)?;
        check("non-members", &scores.nonmembers)?;
        let members = scores.members.iter().map(|&score| (score, true));
        let nonmembers = scores.nonmembers.iter().map(|&score| (score, false));
        let mut all: Vec<(f64, bool)> = members.chain(nonmembers).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut curve = Self {
            scores: Vec::new(),
            counts: Vec::new(),
            totals: scores.as_ref().map(Vec::len),
        };
        for (score, member) in all {
            // By value and not by bits: 0 and -0 are one score.
            if curve.scores.last() != Some(&score) {
                curve.scores.push(score);
                curve.counts.push(Sides::default());
            }
            if let Some(count) = curve.counts.last_mut() {
                *side(count, member) += 1;
            }
        }
        Ok(curve)
    }

    /// The corners of the curve, from (0, 0) with the threshold above all scores to (1, 1).
    pub fn points(&self) -> Vec<Point> {
        let start = Point {
            threshold: f64::INFINITY,
            fpr: 0.0,
            tpr: 0.0,
        };
        let steps = self.scores.iter().zip(self.cumulated());
        let steps = steps.map(|(&threshold, called)| Point {
            threshold,
            fpr: called.nonmembers as f64 / self.totals.nonmembers as f64,
            tpr: called.members as f64 / self.totals.members as f64,
        });
        std::iter::once(start).chain(steps).collect()
    }

    /// The area under the curve: the probability that a member has a higher score than a
    /// non-member, ties counting half.
    pub fn auc(&self) -> f64 {
        let (mut below, mut wins) = (self.totals.nonmembers as f64, 0.0);
        for count in &self.counts {
            let tied = count.nonmembers as f64;
            below -= tied;
            wins += count.members as f64 * (below + 0.5 * tied);
        }
        wins / (self.totals.members as f64 * self.totals.nonmembers as f64)
    }

    /// The share of members found by the lowest threshold that calls at most a share `fpr` of the non-members members.
    /// Records with equal scores stand in a random order, and this is the mean over all orders: an attack that says the same
    /// of many records finds as many as one that guesses among them.
    pub fn tpr_at(&self, fpr: f64) -> f64 {
        self.found_at(fpr) / self.totals.members as f64
    }

    /// How many members [`Roc::tpr_at`] counts.
    pub fn found_at(&self, fpr: f64) -> f64 {
        // A rate such as 0.01 of 1000 is meant to allow 10, whatever its last bit.
        let allowed = (fpr * self.totals.nonmembers as f64 + 1e-9).floor() as usize;
        let mut called = Sides::<usize>::default();
        for count in &self.counts {
            if called.nonmembers + count.nonmembers > allowed {
                // Each member is in one of the gaps between the tied non-members, all equally likely; those before the
                // first non-member that is one too many are found.
                let gaps = (allowed - called.nonmembers + 1) as f64;
                let share = gaps / (count.nonmembers + 1) as f64;
                return called.members as f64 + share * count.members as f64;
            }
            called.members += count.members;
            called.nonmembers += count.nonmembers;
        }
        called.members as f64
    }

    /// The share of members among the `count` records with the highest scores; of equal scores a random choice counts, as
    /// the mean over all.
    ///
    /// # Panics
    /// If `count` is 0 or more than there are.
    pub fn members_among(&self, count: usize) -> f64 {
        let all = self.totals.members + self.totals.nonmembers;
        assert!((1..=all).contains(&count), "{count} of {all} records");
        let (mut left, mut found) = (count, 0.0);
        for group in &self.counts {
            let size = group.members + group.nonmembers;
            let taken = size.min(left);
            found += taken as f64 * group.members as f64 / size as f64;
            left -= taken;
        }
        found / count as f64
    }

    /// How many records there are on each side.
    pub fn totals(&self) -> Sides<usize> {
        self.totals
    }

    /// The curve of as many records drawn with replacement from each side (a bootstrap sample).
    #[must_use]
    pub fn resampled(&self, stream: &mut Stream) -> Self {
        // The group of each record, so that a uniform record is a uniform index.
        let mut counts = vec![Sides::default(); self.counts.len()];
        for member in [true, false] {
            let mut groups = Vec::new();
            for (group, count) in self.counts.iter().enumerate() {
                let mut count = *count;
                groups.extend(std::iter::repeat_n(group, *side(&mut count, member)));
            }
            for _ in 0..groups.len() {
                *side(&mut counts[groups[stream.below(groups.len())]], member) += 1;
            }
        }
        Self {
            scores: self.scores.clone(),
            counts,
            totals: self.totals,
        }
    }

    /// How many records have each score or a higher one.
    fn cumulated(&self) -> impl Iterator<Item = Sides<usize>> {
        self.counts.iter().scan(Sides::default(), |sum, count| {
            sum.members += count.members;
            sum.nonmembers += count.nonmembers;
            Some(*sum)
        })
    }
}

fn side(count: &mut Sides<usize>, member: bool) -> &mut usize {
    if member {
        &mut count.members
    } else {
        &mut count.nonmembers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roc(members: &[f64], nonmembers: &[f64]) -> Roc {
        Roc::new(&Sides::new(members.to_vec(), nonmembers.to_vec())).unwrap()
    }

    fn near(actual: f64, expected: f64, tolerance: f64) {
        assert!((actual - expected).abs() < tolerance, "{actual} {expected}");
    }

    #[test]
    fn a_curve_counted_by_hand() {
        let curve = roc(&[3.0, 2.0, 2.0, -1.0], &[2.0, 1.0, 0.0, -0.0]);
        let corners: Vec<_> = curve.points().iter().map(|p| (p.fpr, p.tpr)).collect();
        let expected = [
            (0.0, 0.0),
            (0.0, 0.25),
            (0.25, 0.75),
            (0.5, 0.75),
            (1.0, 0.75),
            (1.0, 1.0),
        ];
        assert_eq!(corners, expected);
        // The 3 is a member's; of the three at 2 two are.
        near(curve.members_among(1), 1.0, 1e-12);
        near(curve.members_among(2), 5.0 / 6.0, 1e-12);
        near(curve.members_among(8), 0.5, 1e-12);
        // Pairs won: 4 for the 3, 3.5 for each 2, none for the -1.
        near(curve.auc(), 11.0 / 16.0, 1e-12);
        // Of the two members at 2, one on average is before the non-member there.
        near(curve.tpr_at(0.0), 0.5, 1e-12);
        near(curve.tpr_at(0.24), 0.5, 1e-12);
        near(curve.tpr_at(0.25), 0.75, 1e-12);
    }

    #[test]
    fn ties_count_as_often_as_random_orders_of_them() {
        // Three members and five non-members with one score, above a pair of another.
        let scores = Sides::new(vec![1.0, 1.0, 1.0, 0.0], vec![1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        let exact = Roc::new(&scores).unwrap().found_at(0.34);
        let (mut sum, runs) = (0.0, 4000);
        let mut stream = Stream::new(2, "orders");
        for _ in 0..runs {
            let mut moved =
                |side: &Vec<f64>| side.iter().map(|s| s + 1e-3 * stream.unit()).collect();
            let moved = Sides::new(moved(&scores.members), moved(&scores.nonmembers));
            sum += Roc::new(&moved).unwrap().found_at(0.34);
        }
        // Two of six false alarms are allowed: three of six gaps.
        near(exact, 1.5, 1e-12);
        near(sum / f64::from(runs), exact, 0.06);
    }

    #[test]
    fn uniform_scores_against_their_powers_have_a_known_curve() {
        // Members' scores are those of u^(1/3): TPR = 1 - t^3 at FPR = 1 - t, AUC = 3/4.
        let count = 20_000;
        let grid = (0..count).map(|i| (f64::from(i) + 0.5) / f64::from(count));
        let members: Vec<f64> = grid.clone().map(f64::cbrt).collect();
        let curve = roc(&members, &grid.collect::<Vec<_>>());
        near(curve.auc(), 0.75, 1e-4);
        for fpr in [0.01, 0.001] {
            near(curve.tpr_at(fpr), 1.0 - (1.0 - fpr).powi(3), 1e-4);
        }
    }

    #[test]
    fn normal_scores_have_the_binormal_curve() {
        // Members N(1, 1), non-members N(0, 1): AUC = Φ(1/√2), TPR = Φ(1 + Φ^-1(FPR)).
        let mut stream = Stream::new(11, "binormal");
        let mut draw = |shift: f64| (0..40_000).map(|_| stream.normal() + shift).collect();
        let curve = Roc::new(&Sides::new(draw(1.0), draw(0.0))).unwrap();
        near(curve.auc(), 0.760_250, 0.008);
        near(curve.tpr_at(0.01), 0.092_36, 0.012);
        near(curve.tpr_at(0.1), 0.389_26, 0.015);
    }

    #[test]
    fn infinite_scores_are_the_ends_and_nan_is_refused() {
        let curve = roc(&[f64::INFINITY, 0.0], &[f64::NEG_INFINITY, 0.0]);
        near(curve.auc(), 0.875, 1e-12);
        let scores = Sides::new(vec![0.0, f64::NAN], vec![1.0]);
        let error = Roc::new(&scores).unwrap_err().to_string();
        assert!(error.contains("members: number 1 is NaN"), "{error}");
        let error = Roc::new(&Sides::new(vec![0.0], vec![])).unwrap_err();
        assert!(error.to_string().contains("there are none"));
    }

    #[test]
    fn samples_keep_their_sizes_and_vary_around_the_curve() {
        let curve = roc(&[4.0, 3.0, 1.0, 0.5], &[2.0, 1.0, 0.0]);
        let mut stream = Stream::new(1, "bootstrap");
        let (mut sum, mut least, mut most) = (0.0, 1.0_f64, 0.0_f64);
        for _ in 0..4000 {
            let sample = curve.resampled(&mut stream);
            let drawn = sample.cumulated().last().unwrap();
            assert_eq!(drawn, Sides::new(4, 3));
            let auc = sample.auc();
            (sum, least, most) = (sum + auc, least.min(auc), most.max(auc));
        }
        // The AUC is a mean over pairs, so that its bootstrap is centred on it.
        near(sum / 4000.0, curve.auc(), 0.015);
        assert!(least < 0.4 && most > 0.99, "{least} {most}");
    }
}
