//! What the attacks on one model achieved.

use super::{RocCurve, RocFigure, Table, percent, percent_interval};
use crate::attacks::{Attacker, Battery, Outputs, Skipped};
use crate::metrics::{Evaluation, Roc};
use crate::{LabError, Sides};
use serde::Serialize;

/// What one attack achieved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttackResult {
    /// The attack.
    pub attack: String,
    /// What the attacker knows of the defence.
    pub attacker: Attacker,
    /// Where its thresholds come from.
    pub thresholds: String,
    /// The numbers.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// What the attacks on one model achieved.
#[derive(Debug, Clone, Serialize)]
pub struct Results {
    /// The model, with data set and defence.
    pub name: String,
    /// How many records were attacked.
    pub records: Sides<usize>,
    /// The model's classes.
    pub classes: usize,
    /// The share of right labels, if labels are known.
    pub accuracy: Option<Sides<f64>>,
    /// The balanced accuracy that right and wrong labels alone give an attacker.
    pub label_only_floor: Option<f64>,
    /// Of the attacks that ran.
    pub attacks: Vec<AttackResult>,
    /// Those that did not, with reasons.
    pub skipped: Vec<Skipped>,
    /// Draws the bootstrap samples of the intervals.
    pub seed: u64,
    #[serde(skip)]
    curves: Vec<RocCurve>,
}

impl Results {
    /// Evaluate the verdicts of `battery` on `target`, by an attacker of a kind; `seed` draws the
    /// bootstrap samples.
    ///
    /// # Errors
    /// If a score is not a number.
    pub fn new(
        name: impl Into<String>,
        target: &Sides<Outputs>,
        battery: &Battery,
        attacker: Attacker,
        seed: u64,
    ) -> Result<Self, LabError> {
        let labelled = target.members.labelled() && target.nonmembers.labelled();
        let mut results = Self {
            name: name.into(),
            records: target.as_ref().map(Outputs::records),
            classes: target.members.classes(),
            accuracy: labelled.then(|| target.as_ref().map(Outputs::accuracy)),
            label_only_floor: target.floor(),
            attacks: Vec::new(),
            skipped: Vec::new(),
            seed,
            curves: Vec::new(),
        };
        results.add(battery, attacker)?;
        Ok(results)
    }

    /// Add the verdicts of another attacker about the same records.
    ///
    /// # Errors
    /// If a score is not a number.
    pub fn add(&mut self, battery: &Battery, attacker: Attacker) -> Result<(), LabError> {
        for verdict in &battery.verdicts {
            self.attacks.push(AttackResult {
                attack: verdict.attack.clone(),
                attacker,
                thresholds: verdict.thresholds.clone(),
                evaluation: verdict.evaluate(self.seed)?,
            });
            let name = match attacker {
                Attacker::Standard => verdict.attack.clone(),
                Attacker::Adaptive => format!("{}, adaptive", verdict.attack),
            };
            let curve = RocCurve::new(name, &Roc::new(&verdict.scores)?);
            // The gap attack has one point only, and its curve says nothing more.
            if verdict.attack != "correctness" {
                self.curves.push(curve);
            }
        }
        for skipped in &battery.skipped {
            if !self.skipped.contains(skipped) {
                self.skipped.push(skipped.clone());
            }
        }
        Ok(())
    }

    /// The table of the attacks.
    pub fn table(&self) -> Table {
        let adaptive = self
            .attacks
            .iter()
            .any(|a| a.attacker == Attacker::Adaptive);
        let mut header = vec!["attack"];
        if adaptive {
            header.push("attacker");
        }
        header.extend([
            "balanced accuracy %",
            "either way %",
            "AUC %",
            "TPR % at 1 % FPR",
            "at 0.1 %",
            "at 0.01 %",
        ]);
        let mut table = Table::new(self.name.clone(), &header);
        let mut unresolved = false;
        for result in &self.attacks {
            let numbers = &result.evaluation;
            let mut cells = vec![result.attack.clone()];
            if adaptive {
                cells.push(
                    match result.attacker {
                        Attacker::Standard => "standard",
                        Attacker::Adaptive => "adaptive",
                    }
                    .to_owned(),
                );
            }
            let dash = || "-".to_owned();
            cells.push(
                numbers
                    .balanced_accuracy
                    .map_or_else(dash, percent_interval),
            );
            cells.push(numbers.either_way.map_or_else(dash, |e| percent(e.value)));
            cells.push(percent_interval(numbers.auc));
            for rate in &numbers.rates {
                let mark = if rate.resolved { "" } else { "*" };
                unresolved |= !rate.resolved;
                cells.push(percent_interval(rate.tpr) + mark);
            }
            table.row(cells);
        }
        if let Some(floor) = self.label_only_floor {
            table.note(format!(
                "label-only floor: {} % balanced accuracy from right and wrong labels alone",
                percent(floor)
            ));
        }
        table.note("in brackets: 95 % intervals; either way: max(a, 1 - a)");
        if unresolved {
            table.note(format!(
                "* {} non-members are too few for this rate: at the threshold of no false positive",
                self.records.nonmembers
            ));
        }
        table
    }

    /// What the table says, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.against_floor();
        sentences.extend(self.inverted());
        sentences.extend(self.strongest_at_low_rates());
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
        let Some(floor) = self.label_only_floor else {
            return Vec::new();
        };
        let (mut above, mut at, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for result in &self.attacks {
            let Some(accuracy) = result.evaluation.balanced_accuracy else {
                continue;
            };
            if result.attack == "correctness" {
                continue;
            }
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
            say(&above, format!("above the label-only floor of {floor} %; confidences leak more than labels")),
            say(&at, format!("not distinguishable from the label-only floor of {floor} %")),
            say(&below, format!("below the label-only floor of {floor} %; right and wrong labels alone tell more")),
        ]
        .into_iter()
        .flatten()
        .collect()
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

    /// The curves of all attacks with more than one threshold, on logarithmic axes.
    pub fn roc(&self) -> RocFigure {
        RocFigure {
            title: format!("ROC, {}", self.name),
            curves: self.curves.clone(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attacks::Verdict;
    use ndarray::Array2;

    fn outputs(right: usize, records: usize) -> Outputs {
        let confidences = Array2::from_shape_fn((records, 2), |(_, class)| [0.9, 0.1][class]);
        let labels = (0..records).map(|r| usize::from(r >= right)).collect();
        Outputs::new("o", confidences, labels).unwrap()
    }

    fn verdict(attack: &str, found: usize, alarms: usize) -> Verdict {
        let side = |called: usize| (0..200).map(|i| f64::from(u8::from(i < called))).collect();
        let scores: Sides<Vec<f64>> = Sides::new(side(found), side(alarms));
        let decide = |scores: &Vec<f64>| scores.iter().map(|&s| s > 0.5).collect();
        Verdict {
            attack: attack.into(),
            decisions: Some(scores.as_ref().map(decide)),
            scores,
            thresholds: "by hand".into(),
        }
    }

    #[test]
    fn attacks_are_compared_with_the_floor() {
        // Accuracies 1 and .6: floor .7.
        let target = Sides::new(outputs(200, 200), outputs(120, 200));
        let battery = Battery {
            verdicts: vec![
                verdict("strong", 190, 10),
                verdict("equal", 140, 60),
                verdict("weak", 105, 100),
                verdict("turned", 20, 180),
            ],
            skipped: vec![Skipped {
                attack: "NN-M".into(),
                reason: "needs shadow outputs".into(),
            }],
        };
        let mut results = Results::new("test", &target, &battery, Attacker::Standard, 1).unwrap();
        assert_eq!(results.label_only_floor, Some(0.7));
        let said = results.sentences().join("\n");
        assert!(
            said.contains("strong: above the label-only floor of 70.0 %"),
            "{said}"
        );
        assert!(said.contains("equal: not distinguishable"), "{said}");
        assert!(said.contains("weak, turned: below"), "{said}");
        assert!(
            said.contains("turned: wrong more often than right"),
            "{said}"
        );
        results.add(&battery, Attacker::Adaptive).unwrap();
        let text = results.table().terminal();
        assert!(text.contains("adaptive") && text.contains("200 non-members are too few"));
        assert_eq!((results.attacks.len(), results.skipped.len()), (8, 1));
        let json = serde_json::to_value(&results).unwrap();
        assert_eq!(json["attacks"][0]["balanced_accuracy"]["value"], 0.95);
        assert_eq!(json["attacks"][4]["attacker"], "adaptive");
    }
}
