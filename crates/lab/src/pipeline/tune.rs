//! The choice of the guard's step on the defender's own records (SIGuard, Refinement II).

use super::answers::{guard_of, simulated};
use super::models::Trainer;
use super::records::Part;
use crate::LabError;
use crate::attacks::{self, Outputs, nn};
use crate::report::HeatMap;
use ndarray::{Array2, Axis, concatenate};
use trefoil_guard::{Classifier, Softmax, Steps};

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
    confidences: &Array2<f64>,
) -> Result<Tuned, LabError> {
    let config = &trainer.config.guard;
    let members = trainer.records.range(Part::Members);
    let others = trainer.records.range(Part::Defence);
    let count = config.tuned_on.min(members.len() / 2);
    let slice = |all: &Array2<f64>, range: std::ops::Range<usize>| {
        all.slice(ndarray::s![range, ..]).to_owned()
    };
    let unlabelled = |rows: Array2<f64>| Outputs::unlabelled("the defender's answers", rows);
    let yes = unlabelled(slice(confidences, members.start + count..members.end))?;
    let no = unlabelled(slice(confidences, others.start + count..others.end))?;
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
    let share = |logits: &Array2<f64>, steps: Steps| -> Result<f64, LabError> {
        let guard = guard_of(h, kind, steps)?;
        let answers = unlabelled(simulated(&guard, logits.view())?)?;
        let scores = attacker.likelihood(&nn::features(&answers))?;
        Ok(scores.iter().filter(|&&s| s >= 0.5).count() as f64 / count as f64)
    };
    let mut best: Option<(f64, Steps)> = None;
    let mut values = Vec::new();
    for &inner in &config.inner {
        let mut row = Vec::new();
        for &beta in &config.beta {
            let steps = Steps {
                outer: config.outer,
                inner,
                beta,
            };
            let accuracy = 0.5 + (share(&tried[0], steps)? - share(&tried[1], steps)?) / 2.0;
            let either = accuracy.max(1.0 - accuracy);
            // Equally good pairs: the one with fewer steps, and shorter ones.
            if best.is_none_or(|(least, _)| either < least - 1e-9) {
                best = Some((either, steps));
            }
            row.push(either);
        }
        values.push(row);
    }
    let (_, steps) = best.ok_or_else(|| LabError::input("guard", "the grid is empty"))?;
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
