//! What single attacks achieved.

use crate::Sides;
use crate::attacks::Attacker;
use crate::metrics::{Estimate, Evaluation};
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
    /// Let it be no lower than what an attack by labels alone reached.
    pub(super) fn raise(&mut self, result: &AttackResult) {
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

/// What an attack gains over one by labels alone, on the same bootstrap samples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// The attack.
    pub attack: String,
    /// What the attacker knows of the defence.
    pub attacker: Attacker,
    /// The attack by labels alone, of the same attacker.
    pub floor: String,
    /// The difference of the areas under their curves.
    pub auc: Estimate,
    /// The difference of their balanced accuracies, either way; nothing if one of the two decides nothing.
    pub balanced_accuracy: Option<Estimate>,
}

/// The attack with the largest area under its curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strongest {
    /// The attack.
    pub attack: String,
    /// What the attacker knows of the defence.
    pub attacker: Attacker,
    /// Its area.
    pub auc: f64,
    /// Less what it owes to having been chosen among all attacks ([`crate::metrics::Paired::best`]).
    pub corrected: Estimate,
}

/// What an attack finds of records that were made to be learnt by heart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanaryResult {
    /// How they were made.
    pub kind: String,
    /// The attack.
    pub attack: String,
    /// What the attacker knows of the defence.
    pub attacker: Attacker,
    /// How many there are.
    pub records: Sides<usize>,
    /// The area under the curve of their scores.
    pub auc: Estimate,
}
