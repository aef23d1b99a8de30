//! Several attacks on the same records, compared on the same bootstrap samples.

use super::evaluation::REPLICATES;
use super::{CONFIDENCE, Estimate, Roc};
use crate::random::Stream;
use crate::{LabError, Sides};

/// Which records an attack calls members; nothing from an attack that decides nothing.
pub type Decisions = Option<Sides<Vec<bool>>>;

/// The areas under the curves of several attacks on the same records and the balanced accuracies of their decisions, and both on
/// bootstrap samples that are the same for all of them: what one attack gains over another is surer than either by itself.
#[derive(Debug, Clone)]
pub struct Paired {
    /// The area of each attack.
    areas: Vec<f64>,
    /// For each sample, the area of each attack.
    samples: Vec<Vec<f64>>,
    /// The balanced accuracy of each attack that decides, either way.
    accuracies: Vec<Option<f64>>,
    /// The same for each sample; which way is that of all records.
    accuracy_samples: Vec<Vec<Option<f64>>>,
}

impl Paired {
    /// Of the scores of each attack, higher for a likelier member, and its decisions; `seed` draws the samples.
    ///
    /// # Errors
    /// If there are none, they are not about the same records, a side is empty or a score is not a number.
    pub fn new(
        scores: &[Sides<Vec<f64>>],
        decisions: &[Decisions],
        seed: u64,
    ) -> Result<Self, LabError> {
        let Some(first) = scores.first() else {
            return Err(LabError::input("the attacks to compare", "there are none"));
        };
        let totals = first.as_ref().map(Vec::len);
        if let Some(at) = scores
            .iter()
            .position(|s| s.as_ref().map(Vec::len) != totals)
        {
            let problem = format!("attack {at} is about other numbers of records than the first");
            return Err(LabError::input("the attacks to compare", problem));
        }
        let all_about = |sides: &Sides<Vec<bool>>| sides.as_ref().map(Vec::len) == totals;
        if decisions.len() != scores.len() || !decisions.iter().flatten().all(all_about) {
            let problem = "they decide about other records than they score";
            return Err(LabError::input("the attacks to compare", problem));
        }
        let areas = scores.iter().map(|scores| Ok(Roc::new(scores)?.auc()));
        let areas = areas.collect::<Result<Vec<f64>, LabError>>()?;
        let ranked: Vec<Ranked> = scores.iter().map(Ranked::new).collect();
        let mut stream = Stream::new(seed, "paired bootstrap");
        let once = totals.map(|count| vec![1_u32; count]);
        let told = decisions
            .iter()
            .map(|d| d.as_ref().map(|d| accuracy(d, &once)));
        let told: Vec<Option<f64>> = told.collect();
        let (mut samples, mut accuracy_samples) = (Vec::new(), Vec::new());
        for _ in 0..REPLICATES {
            let mut drawn = |count: usize| {
                let mut times = vec![0_u32; count];
                for _ in 0..count {
                    times[stream.below(count)] += 1;
                }
                times
            };
            let times = Sides::new(drawn(totals.members), drawn(totals.nonmembers));
            samples.push(ranked.iter().map(|ranked| ranked.auc(&times)).collect());
            let sample = decisions.iter().zip(&told).map(|(decisions, told)| {
                let found = accuracy(decisions.as_ref()?, &times);
                Some(if (*told)? < 0.5 { 1.0 - found } else { found })
            });
            accuracy_samples.push(sample.collect());
        }
        Ok(Self {
            areas,
            samples,
            accuracies: told.iter().map(|a| a.map(|a| a.max(1.0 - a))).collect(),
            accuracy_samples,
        })
    }

    /// What attack `one` gains over `other` in balanced accuracy, each either way; nothing if one of them decides nothing.
    ///
    /// # Panics
    /// If there are not so many attacks.
    pub fn accuracy_gain(&self, one: usize, other: usize) -> Option<Estimate> {
        let difference = |all: &Vec<Option<f64>>| Some(all[one]? - all[other]?);
        let value = difference(&self.accuracies)?;
        let drawn = self.accuracy_samples.iter().map(difference);
        let (low, high) = quantiles(drawn.collect::<Option<_>>()?);
        Some(Estimate::new(value, low, high))
    }

    /// What attack `one` gains over `other` in area under the curve.
    ///
    /// # Panics
    /// If there are not so many attacks.
    pub fn gain(&self, one: usize, other: usize) -> Estimate {
        let drawn = self.samples.iter().map(|areas| areas[one] - areas[other]);
        let (low, high) = quantiles(drawn.collect());
        Estimate::new(self.areas[one] - self.areas[other], low, high)
    }

    /// The attack with the largest area, and its area less what it owes to having been chosen for it: the mean over
    /// samples of what the attack that is best there reaches there more than on the records (the winner's curse).
    ///
    /// That is a part of the luck and not all of it: samples vary around the records, which have some of it themselves.
    pub fn best(&self) -> (usize, Estimate) {
        let largest = |areas: &[f64]| {
            let better = |best: usize, at: usize| if areas[at] > areas[best] { at } else { best };
            (0..areas.len()).fold(0, better)
        };
        let best = largest(&self.areas);
        let count = self.samples.len() as f64;
        let tops: Vec<usize> = self.samples.iter().map(|areas| largest(areas)).collect();
        let luck = self.samples.iter().zip(&tops);
        let luck = luck
            .map(|(areas, &top)| areas[top] - self.areas[top])
            .sum::<f64>()
            / count;
        let value = self.areas[best] - luck.max(0.0);
        let reached: Vec<f64> = self
            .samples
            .iter()
            .zip(&tops)
            .map(|(a, &top)| a[top])
            .collect();
        let mean = reached.iter().sum::<f64>() / count;
        let (low, high) = quantiles(reached);
        (
            best,
            Estimate::new(value, value + low - mean, value + high - mean),
        )
    }
}

/// Records in the order of their scores, in groups of equal ones.
struct Ranked {
    /// The group of each record, 0 for the lowest score.
    groups: Sides<Vec<usize>>,
    count: usize,
}

impl Ranked {
    fn new(scores: &Sides<Vec<f64>>) -> Self {
        let mut all = [&scores.members[..], &scores.nonmembers[..]].concat();
        all.sort_by(f64::total_cmp);
        // By value and not by bits: 0 and -0 are one score. None is less than the one before.
        all.dedup_by(|a, b| a <= b);
        let group = |score: &f64| all.partition_point(|other| other < score);
        Self {
            groups: scores.as_ref().map(|side| side.iter().map(group).collect()),
            count: all.len(),
        }
    }

    /// The area if each record were there so many `times`.
    fn auc(&self, times: &Sides<Vec<u32>>) -> f64 {
        let counted = |groups: &[usize], times: &[u32]| {
            let mut counts = vec![0.0; self.count];
            for (&group, &times) in groups.iter().zip(times) {
                counts[group] += f64::from(times);
            }
            counts
        };
        let members = counted(&self.groups.members, &times.members);
        let others = counted(&self.groups.nonmembers, &times.nonmembers);
        let (mut below, mut wins) = (0.0, 0.0);
        for (member, other) in members.iter().zip(&others) {
            wins += member * (below + 0.5 * other);
            below += other;
        }
        wins / (members.iter().sum::<f64>() * below)
    }
}

/// The balanced accuracy of decisions if each record were there so many `times`.
fn accuracy(decisions: &Sides<Vec<bool>>, times: &Sides<Vec<u32>>) -> f64 {
    let share = |called: &[bool], times: &[u32], wanted: bool| {
        let counted = called.iter().zip(times).filter(|(c, _)| **c == wanted);
        let all: u32 = times.iter().sum();
        f64::from(counted.map(|(_, times)| times).sum::<u32>()) / f64::from(all)
    };
    let members = share(&decisions.members, &times.members, true);
    f64::midpoint(
        members,
        share(&decisions.nonmembers, &times.nonmembers, false),
    )
}

/// The ends of the middle share of [`CONFIDENCE`].
fn quantiles(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (values.len() - 1) as f64).round() as usize];
    let tail = (1.0 - CONFIDENCE) / 2.0;
    (at(tail), at(1.0 - tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(shift: f64, count: usize, stream: &mut Stream) -> Sides<Vec<f64>> {
        let mut side = |shift: f64| (0..count).map(|_| stream.normal() + shift).collect();
        Sides::new(side(shift), side(0.0))
    }

    #[test]
    fn a_gain_on_the_same_records_is_surer_than_each_area() {
        let mut stream = Stream::new(3, "scores");
        let plain = normal(1.0, 300, &mut stream);
        // The same scores, members' a little higher.
        let better = Sides::new(
            plain.members.iter().map(|s| s + 0.2).collect(),
            plain.nonmembers.clone(),
        );
        let paired = Paired::new(&[plain.clone(), better], &[None, None], 1).unwrap();
        let gain = paired.gain(1, 0);
        assert!(gain.low > 0.0 && gain.value > 0.02, "{gain:?}");
        assert!(gain.high - gain.low < 0.02, "{gain:?}");
        let none = paired.gain(0, 0);
        assert_eq!((none.low, none.value, none.high), (0.0, 0.0, 0.0));
        let (best, area) = paired.best();
        assert_eq!(best, 1);
        assert!((area.value - (paired.areas[1])).abs() < 0.005, "{area:?}");
    }

    #[test]
    fn accuracies_are_compared_on_the_same_samples() {
        let mut stream = Stream::new(4, "scores");
        let scores = normal(1.0, 300, &mut stream);
        let above = |border: f64| {
            scores
                .as_ref()
                .map(|side| side.iter().map(|s| *s > border).collect())
        };
        let (good, poor): (Sides<Vec<bool>>, Sides<Vec<bool>>) = (above(0.5), above(1.5));
        let turned = poor
            .as_ref()
            .map(|side| side.iter().map(|called| !called).collect());
        let all = vec![scores.clone(); 4];
        let decisions = [Some(good), Some(poor), Some(turned), None];
        let paired = Paired::new(&all, &decisions, 1).unwrap();
        let gain = paired.accuracy_gain(0, 1).unwrap();
        // Φ(.5) = .691 against (Φ(-.5) + Φ(1.5)) / 2 = .621.
        assert!(
            gain.low > 0.0 && (gain.value - 0.07).abs() < 0.04,
            "{gain:?}"
        );
        assert!(gain.high - gain.low < 0.12, "{gain:?}");
        // Wrong answers turned round are right ones.
        let none = paired.accuracy_gain(1, 2).unwrap();
        assert!(
            none.value.abs() < 1e-12 && none.high - none.low < 1e-12,
            "{none:?}"
        );
        assert!(paired.accuracy_gain(0, 3).is_none());
        assert!(Paired::new(&all, &decisions[..3], 1).is_err());
    }

    #[test]
    fn the_best_of_many_that_know_nothing_is_corrected() {
        // The largest of twenty areas with a deviation of .041 lies near .576; the truth is .5.
        let (mut chosen, mut corrected) = (0.0, 0.0);
        for seed in 0..10 {
            let mut stream = Stream::new(seed, "scores");
            let guesses: Vec<_> = (0..20).map(|_| normal(0.0, 100, &mut stream)).collect();
            let paired = Paired::new(&guesses, &vec![None; 20], seed).unwrap();
            let (best, area) = paired.best();
            assert!(area.low <= area.value && area.value < paired.areas[best]);
            chosen += paired.areas[best] / 10.0;
            corrected += area.value / 10.0;
        }
        assert!((0.55..0.6).contains(&chosen), "{chosen}");
        // A part of the luck, for samples vary around the records and not around the truth.
        assert!(
            corrected - 0.5 < 0.7 * (chosen - 0.5),
            "{corrected} {chosen}"
        );
    }

    #[test]
    fn samples_are_counted_as_the_curve_counts() {
        let mut stream = Stream::new(5, "scores");
        let mut scores = normal(0.5, 40, &mut stream);
        // With ties.
        scores
            .members
            .iter_mut()
            .for_each(|s| *s = (*s * 2.0).round());
        scores
            .nonmembers
            .iter_mut()
            .for_each(|s| *s = (*s * 2.0).round());
        let once = Sides::new(vec![1; 40], vec![1; 40]);
        let area = Ranked::new(&scores).auc(&once);
        assert!((area - Roc::new(&scores).unwrap().auc()).abs() < 1e-12);
    }

    #[test]
    fn other_records_are_refused() {
        let one = Sides::new(vec![0.0], vec![1.0]);
        let two = Sides::new(vec![0.0; 2], vec![1.0]);
        assert!(Paired::new(&[one, two], &[None, None], 1).is_err());
        assert!(Paired::new(&[], &[], 1).is_err());
    }
}
