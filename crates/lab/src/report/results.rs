//! What the attacks on one model achieved.

use super::attack_result::{AttackResult, CanaryResult, Floor, Gain, Strongest};
use super::{RocCurve, RocFigure, Table, percent, percent_interval, points_interval};
use crate::attacks::{Attacker, Battery, Outputs, Skipped};
use crate::metrics::{Decisions, Estimate, FEWEST, FPRS, Paired, Roc, Utility};
use crate::{LabError, Sides};
use serde::Serialize;

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
    /// What each attack gains over each floor.
    pub gains: Vec<Gain>,
    /// The one with the largest area under its curve.
    pub strongest: Option<Strongest>,
    /// Of canaries, if some were planted.
    pub canaries: Vec<CanaryResult>,
    /// What the answers about non-members are good for, if their labels are known.
    pub utility: Option<Utility>,
    /// Those that did not, with reasons.
    pub skipped: Vec<Skipped>,
    /// Draws the bootstrap samples of the intervals.
    pub seed: u64,
    #[serde(skip)]
    curves: Vec<RocCurve>,
    #[serde(skip)]
    scores: Vec<Sides<Vec<f64>>>,
    #[serde(skip)]
    decisions: Vec<Decisions>,
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
            gains: Vec::new(),
            strongest: None,
            canaries: Vec::new(),
            utility: utility(target)?,
            skipped: Vec::new(),
            seed,
            curves: Vec::new(),
            scores: Vec::new(),
            decisions: Vec::new(),
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
            self.scores.push(verdict.scores.clone());
            self.decisions.push(verdict.decisions.clone());
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
        self.compare()
    }

    /// The scores of each of `attacks`, in the same order.
    pub fn scores(&self) -> &[Sides<Vec<f64>>] {
        &self.scores
    }

    /// Compare all attacks with one another.
    fn compare(&mut self) -> Result<(), LabError> {
        if self.scores.is_empty() {
            return Ok(());
        }
        let paired = Paired::new(&self.scores, &self.decisions, self.seed)?;
        let all = || self.attacks.iter().enumerate();
        let gains = all().filter(|(_, one)| !one.floor).flat_map(|(at, one)| {
            let floors = all().filter(|(_, f)| f.floor && f.attacker == one.attacker);
            let paired = &paired;
            floors.map(move |(floor_at, floor)| Gain {
                attack: one.attack.clone(),
                attacker: one.attacker,
                floor: floor.attack.clone(),
                auc: paired.gain(at, floor_at),
                balanced_accuracy: paired.accuracy_gain(at, floor_at),
            })
        });
        let gains = gains.collect();
        let (at, corrected) = paired.best();
        let best = &self.attacks[at];
        self.strongest = Some(Strongest {
            attack: best.attack.clone(),
            attacker: best.attacker,
            auc: best.evaluation.auc.value,
            corrected,
        });
        self.gains = gains;
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
            "over labels",
            "AUC %",
            "over labels",
            "PPV % at 1 %",
            "at 10 %",
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
            let accuracy = self.accuracy_over_labels(result);
            cells.push(accuracy.map_or_else(dash, points_interval));
            cells.push(percent_interval(numbers.auc));
            cells.push(self.over_labels(result).map_or_else(dash, points_interval));
            for (_, share) in &numbers.precision {
                cells.push(share.map_or_else(dash, percent));
            }
            for rate in &numbers.rates {
                unresolved |= !rate.resolved;
                let shown = rate.resolved.then(|| percent_interval(rate.tpr));
                cells.push(shown.unwrap_or_else(dash));
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
        table.note(
            "over labels: less the most of any attack by labels alone of the same attacker, in points, on the same bootstrap \
             samples; PPV: share of members among the records called members, if 1 or 10 % of all are members; equal scores count in a random order",
        );
        if unresolved {
            let needed = FPRS.iter().zip(FEWEST);
            let needed: Vec<String> = needed
                .filter(|(_, fewest)| self.records.nonmembers < *fewest)
                .map(|(fpr, fewest)| format!("{fewest} for {} %", fpr * 100.0))
                .collect();
            table.note(format!(
                "- : {} non-members are too few; {} are needed",
                self.records.nonmembers,
                needed.join(", ")
            ));
        }
        table
    }

    /// What an attack gains in area over the strongest attack by labels alone of the same attacker.
    pub fn over_labels(&self, result: &AttackResult) -> Option<Estimate> {
        least(self.gains_of(result).map(|gain| gain.auc))
    }

    /// The same in balanced accuracy, either way.
    pub fn accuracy_over_labels(&self, result: &AttackResult) -> Option<Estimate> {
        least(
            self.gains_of(result)
                .filter_map(|gain| gain.balanced_accuracy),
        )
    }

    fn gains_of(&self, result: &AttackResult) -> impl Iterator<Item = &Gain> {
        let own = (result.attack.clone(), result.attacker);
        let gains = self.gains.iter();
        gains.filter(move |gain| gain.attack == own.0 && gain.attacker == own.1)
    }

    /// The curves of all attacks with more than one threshold, on logarithmic axes.
    pub fn roc(&self) -> RocFigure {
        RocFigure {
            title: format!("ROC, {}", self.name),
            curves: self.curves.clone(),
        }
    }
}

/// What the answers about non-members are good for; nothing without their labels.
fn utility(target: &Sides<Outputs>) -> Result<Option<Utility>, LabError> {
    let others = &target.nonmembers;
    let known = others.labelled();
    let useful = || Utility::new(others.confidences().view(), others.labels(), None);
    known.then(useful).transpose()
}

/// The gain over the strongest of several is the least.
fn least(gains: impl Iterator<Item = Estimate>) -> Option<Estimate> {
    gains.min_by(|a, b| a.value.total_cmp(&b.value))
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
        assert!(
            text.contains("adaptive")
                && text.contains("200 non-members are too few; 10000 for 0.1 %")
        );
        assert_eq!((results.attacks.len(), results.skipped.len()), (8, 1));
        let json = serde_json::to_value(&results).unwrap();
        assert_eq!(json["attacks"][0]["balanced_accuracy"]["value"], 0.95);
        assert_eq!(json["attacks"][4]["attacker"], "adaptive");
    }
}
