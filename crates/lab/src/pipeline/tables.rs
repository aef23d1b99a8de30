//! The tables that open a report: the models, and every attack on every way of answering.

use super::outcome::Evaluation;
use crate::Sides;
use crate::attacks::{ATTACKS, Attacker};
use crate::report::{AttackResult, Table, percent};

/// A line of the table of models.
pub(crate) struct ModelRow {
    pub(crate) name: String,
    pub(crate) accuracy: Sides<f64>,
    /// How long its training took, if it was trained for this.
    pub(crate) seconds: Option<f64>,
    pub(crate) note: String,
}

/// The models that answered.
pub(crate) fn models_table(models: &[ModelRow]) -> Table {
    let header = [
        "model",
        "members %",
        "others %",
        "label-only floor %",
        "trained in s",
        "how",
    ];
    let mut table = Table::new("Models: share of right labels", &header);
    for model in models {
        table.row(vec![
            model.name.clone(),
            percent(model.accuracy.members),
            percent(model.accuracy.nonmembers),
            percent(crate::metrics::label_only_floor(model.accuracy)),
            model
                .seconds
                .map_or_else(|| "-".to_owned(), |s| format!("{s:.1}")),
            model.note.clone(),
        ]);
    }
    table
}

/// The paper's Tables II, III, IV and X in one: a line for each way of answering and attacker, a column for each attack
/// that ran anywhere.
pub(crate) fn overview(evaluations: &[Evaluation]) -> Table {
    let results = || {
        evaluations
            .iter()
            .flat_map(|evaluation| &evaluation.results.attacks)
    };
    let attacks: Vec<&str> = ATTACKS
        .iter()
        .map(|attack| attack.name())
        .filter(|name| results().any(|result| result.attack == *name))
        .collect();
    let header = [&["answers", "attacker"][..], &attacks, &["floor"]].concat();
    let mut table = Table::new("Attacks, defences and softmaxes", &header);
    for evaluation in evaluations {
        for attacker in [Attacker::Standard, Attacker::Adaptive] {
            let all = evaluation.results.attacks.iter();
            let all: Vec<&AttackResult> = all.filter(|r| r.attacker == attacker).collect();
            if all.is_empty() {
                continue;
            }
            let mut cells = vec![evaluation.name.clone(), attacker.name().to_owned()];
            for name in &attacks {
                let result = all.iter().find(|result| result.attack == *name);
                let value = result.and_then(|result| result.evaluation.balanced_accuracy);
                cells.push(value.map_or_else(|| "-".to_owned(), |e| percent(e.value)));
            }
            let floor = evaluation.results.floor.balanced_accuracy.as_ref();
            cells.push(floor.map_or_else(|| "-".to_owned(), |(most, _)| percent(*most)));
            table.row(cells);
        }
    }
    table.note("floor: the most that an attack by labels alone reaches, whichever it is");
    table
}

/// What each way of answering is good for, on non-members.
pub(crate) fn usefulness(evaluations: &[Evaluation]) -> Table {
    let header = [
        "answers",
        "right %",
        "NLL",
        "ECE",
        "AUROC right",
        "AURC",
        "top 3 %",
        "top 5 %",
        "order kept %",
        "worst class wrong %",
    ];
    let mut table = Table::new(
        "What answers are good for: records outside of the training data",
        &header,
    );
    for evaluation in evaluations {
        let Some(utility) = &evaluation.results.utility else {
            continue;
        };
        let top = |k: usize| {
            let found = utility.top.iter().find(|(of, _)| *of == k);
            found.map_or_else(|| "-".to_owned(), |(_, share)| percent(*share))
        };
        let worst = utility.worst_class();
        table.row(vec![
            evaluation.name.clone(),
            percent(utility.accuracy()),
            format!("{:.3}", utility.nll),
            format!("{:.3}", utility.calibration_error),
            utility
                .right_by_confidence
                .map_or_else(|| "-".to_owned(), |v| format!("{v:.3}")),
            format!("{:.3}", utility.risk_by_coverage),
            top(3),
            top(5),
            utility.order_kept.map_or_else(|| "-".to_owned(), percent),
            worst.map_or_else(
                || "-".to_owned(),
                |(class, wrong)| format!("{} (class {class})", percent(wrong)),
            ),
        ]);
    }
    table.note(
        "NLL: mean -ln of the confidence in the true label; ECE: mean distance of confidence from the share of right labels; AUROC \
         right: confidence as a sign of a right label; AURC: mean share of wrong labels among the surest, over all coverages; order kept: \
         records whose classes are in the order of the undefended target's answer",
    );
    table
}
