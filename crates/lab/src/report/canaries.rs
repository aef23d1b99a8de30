//! What attacks find of records that were made to be learnt by heart.

use super::{CanaryResult, Results, Table, percent_interval};
use crate::metrics::Evaluation;
use crate::{LabError, Sides};
use std::ops::Range;

impl Results {
    /// Evaluate every attack on the canaries of a kind alone: those `at` these places among the members and among the
    /// non-members.
    ///
    /// # Errors
    /// If there are none.
    ///
    /// # Panics
    /// If there are not so many members or non-members.
    pub fn add_canaries(&mut self, kind: &str, at: &Range<usize>) -> Result<(), LabError> {
        let evaluated = self
            .attacks
            .iter()
            .zip(self.scores())
            .map(|(result, scores)| {
                let chosen: Sides<Vec<f64>> = scores.as_ref().map(|side| side[at.clone()].to_vec());
                Ok(CanaryResult {
                    kind: kind.to_owned(),
                    attack: result.attack.clone(),
                    attacker: result.attacker,
                    records: chosen.as_ref().map(Vec::len),
                    auc: Evaluation::new(&chosen, None, self.seed)?.auc,
                })
            });
        let evaluated: Vec<CanaryResult> = evaluated.collect::<Result<_, LabError>>()?;
        self.canaries.extend(evaluated);
        Ok(())
    }

    /// The table of the canaries, if there are any.
    pub fn canaries_table(&self) -> Option<Table> {
        let first = self.canaries.first()?;
        let title = format!("Canaries, {}", self.name);
        let mut table = Table::new(title, &["attack", "attacker", "canaries", "AUC %"]);
        for canary in &self.canaries {
            table.row(vec![
                canary.attack.clone(),
                canary.attacker.name().to_owned(),
                canary.kind.clone(),
                percent_interval(canary.auc),
            ]);
        }
        table.note(format!(
            "{} among the members and as many among the others, which were made alike",
            first.records.members
        ));
        Some(table)
    }
}
