//! The choice of the guard's step on the defender's own records (SIGuard, Refinement II).

use super::answers::{guard_of, simulated, softmax_of};
use super::models::Trainer;
use super::records::Part;
use crate::attacks::{ATTACKS, Evidence, Outputs};
use crate::metrics::Roc;
use crate::report::HeatMap;
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use trefoil_guard::{Classifier, GuardFile, Softmax, Steps};

/// The attack that a guard is tried against: one that knows the label and learns.
const TRIED: &str = "forest";

/// The chosen steps, and the area under the curve of the defender's own attacker (either way) for
/// each pair: rows are numbers of steps, columns lengths.
pub(super) struct Tuned {
    pub(super) steps: Steps,
    pub(super) map: HeatMap,
}

/// The defender's records for a rehearsal: with a model trained on half of its non-members, `logits` for all rows. No
/// record of the evaluation takes part.
struct Rehearsal {
    /// Members and non-members that the rehearsed guard is trained with.
    guard: Sides<Vec<usize>>,
    /// That the attacker learns from; the guard has not seen the non-members.
    attacker: Sides<Vec<usize>>,
    /// That it is tried on; nor these.
    tried: Sides<Vec<usize>>,
}

impl Rehearsal {
    /// `count` members and non-members at most to learn from, and as many to try.
    fn new(trainer: &Trainer<'_>, count: usize) -> Self {
        let rows: Vec<usize> = trainer.records.range(Part::Defence).collect();
        let (members, others) = rows.split_at(rows.len() / 2);
        let (seen, unseen) = others.split_at(others.len() / 2);
        let halves = |rows: &[usize]| {
            let half = (rows.len() / 2).min(count);
            (rows[..half].to_vec(), rows[half..2 * half].to_vec())
        };
        let (known, tried) = (halves(members), halves(unseen));
        Self {
            guard: Sides::new(members.to_vec(), seen.to_vec()),
            attacker: Sides::new(known.0, tried.0),
            tried: Sides::new(known.1, tried.1),
        }
    }
}

/// The rows of the data set that the model of the rehearsal is trained on.
pub(super) fn rehearsed(trainer: &Trainer<'_>) -> Vec<usize> {
    let range = trainer.records.range(Part::Defence);
    let half = range.start..range.start + range.len() / 2;
    trainer.records.rows[half].to_vec()
}

/// Try every pair of the grid on a model of the defender's own, whose `logits` for all rows these are: the guard is
/// trained anew for it, and an attacker who knows label and guard learns on guarded answers. Pairs that do not fit the
/// classifier that is `deployed` are passed over.
pub(super) fn tune(
    trainer: &Trainer<'_>,
    deployed: &Classifier,
    kind: Softmax,
    logits: &Array2<f64>,
) -> Result<Tuned, LabError> {
    let config = &trainer.config.guard;
    let seed = trainer.config.seed;
    let rehearsal = Rehearsal::new(trainer, config.tuned_on);
    let rows = |rows: &Vec<usize>| logits.select(Axis(0), rows);
    let known = rehearsal.guard.as_ref().map(rows);
    let known = known.try_map(|logits| softmax_of(kind, logits.view(), seed))?;
    let h = trainer.membership(
        "the rehearsal's membership classifier",
        known.members.view(),
        known.nonmembers.view(),
    )?;
    let answers = |guard: &GuardFile, sides: &Sides<Vec<usize>>| {
        sides.as_ref().try_map(|chosen| {
            let labels = chosen.iter().map(|&row| trainer.records.rows[row]);
            let labels = trainer.records.data.labels_of(&labels.collect::<Vec<_>>());
            let answers = simulated(guard, rows(chosen).view())?;
            Outputs::new("the defender's answers", answers, labels)
        })
    };
    let reached = |guard: &GuardFile| -> Result<f64, LabError> {
        let (target, own) = (
            answers(guard, &rehearsal.tried)?,
            answers(guard, &rehearsal.attacker)?,
        );
        let evidence = Evidence {
            shadow: Some(&own),
            seed,
            ..Evidence::new(&target)
        };
        let attack = ATTACKS.iter().find(|attack| attack.name() == TRIED);
        let scored = attack.map(|attack| attack.score(&evidence)).transpose()?;
        let Some(scored) = scored.flatten() else {
            return Err(LabError::Model(format!("{TRIED} gives no scores")));
        };
        let auc = Roc::new(&scored.target)?.auc();
        Ok(auc.max(1.0 - auc))
    };
    let mut tried_pairs: Vec<(f64, Steps)> = Vec::new();
    let mut refused = None;
    let mut values = Vec::new();
    for &inner in &config.inner {
        let mut row = Vec::new();
        for &beta in &config.beta {
            let steps = Steps {
                outer: config.outer,
                inner,
                beta,
            };
            // Noise that reaches too far for a softmax: no such guard.
            let laid_out = guard_of(deployed, kind, steps);
            let guard = match laid_out.and_then(|_| guard_of(&h, kind, steps)) {
                Ok(guard) => guard,
                Err(error) => {
                    refused = Some(error);
                    row.push(f64::NAN);
                    continue;
                }
            };
            let either = reached(&guard)?;
            tried_pairs.push((either, steps));
            row.push(either);
        }
        values.push(row);
    }
    let Some(steps) = cheapest(&tried_pairs) else {
        let empty = || LabError::input("guard", "the grid is empty");
        return Err(refused.unwrap_or_else(empty));
    };
    let map = HeatMap {
        title: format!(
            "The defender's attacker by length and number of steps, {}",
            kind.name()
        ),
        column_axis: "beta".to_owned(),
        columns: config.beta.iter().map(ToString::to_string).collect(),
        row_axis: "inner".to_owned(),
        rows: config.inner.iter().map(ToString::to_string).collect(),
        quantity: "AUC of a forest that knows the label, either way".to_owned(),
        values,
    };
    Ok(Tuned { steps, map })
}

/// Of the pairs within a point of the best, the one with the fewest steps, and of those the shortest.
fn cheapest(pairs: &[(f64, Steps)]) -> Option<Steps> {
    let least = pairs.iter().map(|p| p.0).fold(f64::INFINITY, f64::min);
    let good = pairs.iter().filter(|p| p.0 <= least + 0.01);
    good.map(|p| p.1)
        .min_by(|a, b| a.inner.cmp(&b.inner).then(a.beta.total_cmp(&b.beta)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_steps_win_within_a_point() {
        let pair = |reached, inner, beta| {
            let steps = Steps {
                outer: 3,
                inner,
                beta,
            };
            (reached, steps)
        };
        let pairs = [
            pair(0.609, 10, 1.0),
            pair(0.605, 10, 2.0),
            pair(0.6, 38, 1.0),
            pair(0.7, 5, 1.0),
        ];
        let chosen = cheapest(&pairs).unwrap();
        assert_eq!((chosen.inner, chosen.beta), (10, 1.0));
        assert!(cheapest(&[]).is_none());
    }
}
