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
