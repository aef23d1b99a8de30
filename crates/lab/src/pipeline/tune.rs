//! The choice of the guard's step on the defender's own records (SIGuard, Refinement II).

use super::answers::{guard_of, simulated};
use super::models::Trainer;
use super::records::Part;
use crate::LabError;
use crate::attacks::{self, Outputs, nn};
use crate::report::HeatMap;
use ndarray::{Array2, Axis, concatenate};
use trefoil_guard::{Classifier, GuardFile, Softmax, Steps};

/// The chosen steps, and the balanced accuracy of the defender's own attacker (either way) for
/// each pair: rows are numbers of steps, columns lengths.
pub(super) struct Tuned {
    pub(super) steps: Steps,
    pub(super) map: HeatMap,
}

/// Try every pair of the grid. The defender trains an attacker on part of its records, undefended,
/// and attacks guarded answers for the others; records of the evaluation play no part.
pub(super) fn tune(
    trainer: &Trainer<'_>,
    h: &Classifier,
    kind: Softmax,
    logits: &Array2<f64>,
    confidences: [&Array2<f64>; 2],
) -> Result<Tuned, LabError> {
    let config = &trainer.config.guard;
    let members = trainer.records.range(Part::Members);
    let others = trainer.records.range(Part::Defence);
    let count = config.tuned_on.min(members.len() / 2);
    let slice = |all: &Array2<f64>, range: std::ops::Range<usize>| {
        all.slice(ndarray::s![range, ..]).to_owned()
    };
    let unlabelled = |rows: Array2<f64>| Outputs::unlabelled("the defender's answers", rows);
    let [yes, no] = confidences.map(|rows| unlabelled(slice(rows, count..rows.nrows())));
    let (yes, no) = (yes?, no?);
    let features = concatenate(
        Axis(0),
        &[nn::features(&yes).view(), nn::features(&no).view()],
    )
    .map_err(|error| LabError::Model(error.to_string()))?;
    let flags: Vec<bool> = (0..features.nrows())
        .map(|row| row < yes.records())
        .collect();
    let seed = trainer.config.seed.wrapping_add(77);
    let attacker = attacks::Trainer::train(trainer, &features, &flags, seed)?;
    let tried = [
        slice(logits, members.start..members.start + count),
        slice(logits, others.start..others.start + count),
    ];
    let share = |guard: &GuardFile, logits: &Array2<f64>| -> Result<f64, LabError> {
        let answers = unlabelled(simulated(guard, logits.view())?)?;
        let scores = attacker.likelihood(&nn::features(&answers))?;
        Ok(scores.iter().filter(|&&s| s >= 0.5).count() as f64 / count as f64)
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
            let guard = match guard_of(h, kind, steps) {
                Ok(guard) => guard,
                Err(error) => {
                    refused = Some(error);
                    row.push(f64::NAN);
                    continue;
                }
            };
            let accuracy = 0.5 + (share(&guard, &tried[0])? - share(&guard, &tried[1])?) / 2.0;
            let either = accuracy.max(1.0 - accuracy);
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
        quantity: "balanced accuracy, either way".to_owned(),
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
