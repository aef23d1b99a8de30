//! What results say, in sentences.

use super::{AttackResult, Results, percent, percent_interval};
use crate::attacks::{Attacker, Skipped};

impl Results {
    /// What the table says, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.against_floor();
        sentences.extend(self.inverted());
        sentences.extend(self.strongest_at_low_rates());
        sentences.extend(self.strongest_of_all());
        sentences.extend(self.most_exposed());
        sentences
    }

    /// The attacks that did not run, by what they lack.
    pub fn not_run(&self) -> Vec<String> {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        for Skipped { attack, reason } in &self.skipped {
            match groups.iter_mut().find(|(known, _)| known == reason) {
                Some((_, attacks)) => attacks.push(attack),
                None => groups.push((reason, vec![attack])),
            }
        }
        let groups = groups.iter();
        groups
            .map(|(reason, attacks)| format!("{}: {reason}", attacks.join(", ")))
            .collect()
    }

    /// Which attacks do better than labels alone.
    fn against_floor(&self) -> Vec<String> {
        let floor = self.floor.balanced_accuracy.as_ref().map(|(most, _)| *most);
        let floor = [floor, self.label_only_floor].into_iter().flatten();
        let Some(floor) = floor.reduce(f64::max) else {
            return Vec::new();
        };
        let (mut above, mut at, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for result in self.attacks.iter().filter(|result| !result.floor) {
            let Some(accuracy) = result.evaluation.balanced_accuracy else {
                continue;
            };
            let list = if accuracy.low > floor {
                &mut above
            } else if accuracy.high < floor {
                &mut below
            } else {
                &mut at
            };
            list.push(result.label());
        }
        let floor = percent(floor);
        let say = |names: &[String], what: String| {
            (!names.is_empty()).then(|| format!("{}: {what}", names.join(", ")))
        };
        [
            say(
                &above,
                format!(
                    "above the label-only floor of {floor} %; confidences leak more than labels"
                ),
            ),
            say(
                &at,
                format!("not distinguishable from the label-only floor of {floor} %"),
            ),
            say(
                &below,
                format!("below the label-only floor of {floor} %; labels alone tell more"),
            ),
            self.above_floor_in_area(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Which attacks rank records better than labels alone do, wherever their thresholds are.
    fn above_floor_in_area(&self) -> Option<String> {
        let (most, _) = self.floor.auc.as_ref()?;
        let better = self
            .attacks
            .iter()
            .filter(|r| !r.floor && r.evaluation.auc.low > *most);
        let names: Vec<String> = better.map(AttackResult::label).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{}: AUC above the {} % of labels alone; confidences leak more than labels",
                names.join(", "),
                percent(*most)
            )
        })
    }

    /// Attacks that are surely wrong more often than right.
    fn inverted(&self) -> Option<String> {
        let wrong = self.attacks.iter().filter(|result| {
            let accuracy = result.evaluation.balanced_accuracy;
            accuracy.is_some_and(|a| a.high < 0.5)
        });
        let names: Vec<String> = wrong.map(AttackResult::label).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{}: wrong more often than right, which an attacker turns round; no protection",
                names.join(", ")
            )
        })
    }

    /// The attack whose surest verdicts are right most often.
    fn most_exposed(&self) -> Option<String> {
        let share = |result: &AttackResult| result.evaluation.exposed.first().map(|(_, s)| *s);
        let attacks = self.attacks.iter().filter_map(|r| Some((r, share(r)?)));
        let (best, found) = attacks.fold(None, |best: Option<(&AttackResult, f64)>, next| {
            best.filter(|best| best.1 >= next.1).or(Some(next))
        })?;
        let wider = best
            .evaluation
            .exposed
            .last()
            .map_or(found, |(_, share)| *share);
        Some(format!(
            "the most exposed: of the 1 % of all records that {} is surest of, {} % are members, of the 5 % {} %",
            best.label(),
            percent(found),
            percent(wider)
        ))
    }

    /// The attack with the largest area, less what it owes to the choice.
    fn strongest_of_all(&self) -> Option<String> {
        let best = self.strongest.as_ref()?;
        let of = self.attacks.len();
        (of > 1).then(|| {
            format!(
                "the largest AUC of {of} attacks is {} % ({}); less what it owes to being chosen, {} %",
                percent(best.auc),
                self.attacks
                    .iter()
                    .find(|a| a.attack == best.attack && a.attacker == best.attacker)
                    .map_or_else(|| best.attack.clone(), AttackResult::label),
                percent_interval(best.corrected)
            )
        })
    }

    /// The attack that finds the most members at the lowest rate that the records resolve.
    fn strongest_at_low_rates(&self) -> Option<String> {
        let lowest = |result: &AttackResult| {
            let mut rates = result.evaluation.rates.iter();
            rates.rfind(|rate| rate.resolved).copied()
        };
        let rates = self.attacks.iter().filter_map(|r| Some((r, lowest(r)?)));
        let rates: Vec<_> = rates.collect();
        let most = rates.iter().map(|(_, rate)| rate.tpr.value);
        let most = most.fold(0.0, f64::max);
        let best = rates.iter().filter(|(_, rate)| rate.tpr.value >= most);
        let names: Vec<String> = best.map(|(result, _)| result.label()).collect();
        let (_, rate) = rates.iter().find(|(_, rate)| rate.tpr.value >= most)?;
        let fpr = percent(rate.fpr);
        let fpr = fpr.trim_end_matches('0').trim_end_matches('.');
        Some(format!(
            "at {fpr} % false alarms the most members, {} %, are found by {}",
            percent_interval(rate.tpr),
            names.join(", ")
        ))
    }
}

impl AttackResult {
    fn label(&self) -> String {
        match self.attacker {
            Attacker::Standard => self.attack.clone(),
            Attacker::Adaptive => format!("{} (adaptive)", self.attack),
        }
    }
}
