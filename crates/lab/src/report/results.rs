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
    /// Whether it uses labels alone, which defences of confidences keep.
    pub floor: bool,
    /// Where its thresholds come from.
    pub thresholds: String,
    /// The numbers.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// What attackers reach who use labels alone: no defence of confidences goes below.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Floor {
    /// The highest balanced accuracy, and of which attack.
    pub balanced_accuracy: Option<(f64, String)>,
    /// The largest area under the curve, and of which attack.
    pub auc: Option<(f64, String)>,
}

impl Floor {
    fn raise(&mut self, result: &AttackResult) {
        let higher = |floor: &mut Option<(f64, String)>, value: f64| {
            if floor.as_ref().is_none_or(|(most, _)| value > *most) {
                *floor = Some((value, result.attack.clone()));
            }
        };
        if let Some(accuracy) = result.evaluation.either_way {
            higher(&mut self.balanced_accuracy, accuracy.value);
        }
        higher(&mut self.auc, result.evaluation.auc.value);
    }
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
    /// The most that an attack by labels alone reaches in balanced accuracy, and in area under the curve.
    pub floor: Floor,
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
            floor: Floor::default(),
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
            let result = AttackResult {
                attack: verdict.attack.clone(),
                attacker,
                floor: verdict.floor,
                thresholds: verdict.thresholds.clone(),
                evaluation: verdict.evaluate(self.seed)?,
            };
            if result.floor {
                self.floor.raise(&result);
            }
            self.attacks.push(result);
            let name = match attacker {
                Attacker::Standard => verdict.attack.clone(),
                Attacker::Adaptive => format!("{}, adaptive", verdict.attack),
            };
            // Two scores make one point, and a curve says nothing more.
            if several(&verdict.scores) {
                let curve = RocCurve::new(name, &Roc::new(&verdict.scores)?);
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
                cells.push(result.attacker.name().to_owned());
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
        if let Floor {
            balanced_accuracy: Some((accuracy, by)),
            auc: Some((auc, auc_by)),
        } = &self.floor
        {
            table.note(format!(
                "the most from labels alone: {} % ({by}), AUC {} % ({auc_by})",
                percent(*accuracy),
                percent(*auc)
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

/// Whether there are more than two different scores.
fn several(scores: &Sides<Vec<f64>>) -> bool {
    let all = || scores.members.iter().chain(&scores.nonmembers).copied();
    let low = all().fold(f64::INFINITY, f64::min);
    let high = all().fold(f64::NEG_INFINITY, f64::max);
    all().any(|score| score > low && score < high)
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
            floor: false,
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
