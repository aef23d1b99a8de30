//! The same run on several targets and splits: means, intervals, and scores taken together.

use super::outcome::{Evaluation, Outcome};
use crate::attacks::Attacker;
use crate::metrics::{Estimate, Roc, clopper_pearson};
use crate::report::{AttackResult, Table, percent_interval, points_interval};
use crate::{LabError, Sides};
use serde::Serialize;
use serde_json::json;

/// Non-members that a true-positive rate at 0.1 % false alarms is reported for: ten alarms.
const FEWEST: usize = 10_000;

/// What one attack reaches on the answers of several targets.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct OverSeeds {
    answers: String,
    attack: String,
    attacker: Attacker,
    /// Whether it uses labels alone.
    floor: bool,
    /// Means over seeds with intervals of Student's distribution.
    balanced_accuracy: Option<Estimate>,
    /// Less the most by labels alone of the same run and attacker.
    accuracy_over_labels: Option<Estimate>,
    auc: Estimate,
    /// Less the most by labels alone of the same run and attacker.
    auc_over_labels: Option<Estimate>,
    /// At 1 % false alarms.
    tpr: Estimate,
    /// At 0.1 % false alarms of the scores of all targets taken together; nothing with fewer than 10,000 non-members.
    pooled_tpr: Option<Estimate>,
}

/// Add what the runs, one a seed, say together to the first one's outcome.
///
/// # Errors
/// If there are no runs, or their attacks' scores cannot be taken together.
pub(super) fn together(seeds: &[u64], runs: Vec<Outcome>) -> Result<Outcome, LabError> {
    let mut rows = Vec::new();
    if let Some(first) = runs.first() {
        for (at, evaluation) in first.evaluations.iter().enumerate() {
            for result in &evaluation.results.attacks {
                let all: Vec<&Evaluation> = runs.iter().map(|run| &run.evaluations[at]).collect();
                rows.extend(over(&evaluation.name, result, &all)?);
            }
        }
    }
    let mut runs = runs.into_iter();
    let Some(mut outcome) = runs.next() else {
        return Err(LabError::input("seeds", "there is none"));
    };
    let report = &mut outcome.report;
    report.data.insert("seeds".to_owned(), json!(seeds));
    report.data.insert("over_seeds".to_owned(), json!(rows));
    report.fact(
        "seeds",
        format!("{seeds:?}; sections but the first are of seed {}", seeds[0]),
    );
    let name = format!("Over {} seeds", seeds.len());
    let section = report.section(name);
    section.text(
        "Each seed draws records, their parts, all networks and all attacks anew. Means over seeds, with 95 % intervals of \
         Student's distribution; the rate at 0.1 % is that of the scores of all targets taken together.",
    );
    section.table(table(&rows));
    report.sections.rotate_right(1);
    Ok(outcome)
}

/// Nothing if the attack did not run in every run.
fn over(
    answers: &str,
    result: &AttackResult,
    runs: &[&Evaluation],
) -> Result<Option<OverSeeds>, LabError> {
    let mut found = Vec::new();
    let mut gains = (Vec::new(), Vec::new());
    let mut scores = Sides::new(Vec::new(), Vec::new());
    for run in runs {
        let mut all = run.results.attacks.iter().zip(run.results.scores());
        let own = all
            .find(|(other, _)| other.attack == result.attack && other.attacker == result.attacker);
        let Some((own, own_scores)) = own else {
            return Ok(None);
        };
        found.push(&own.evaluation);
        gains
            .0
            .push(run.results.accuracy_over_labels(own).map(|g| g.value));
        gains.1.push(run.results.over_labels(own).map(|g| g.value));
        scores.members.extend(&own_scores.members);
        scores.nonmembers.extend(&own_scores.nonmembers);
    }
    let mean = |values: Vec<f64>| Estimate::of_mean(&values);
    let all = |values: Vec<Option<f64>>| values.into_iter().collect::<Option<Vec<f64>>>();
    let balanced = found.iter().map(|e| Some(e.either_way?.value));
    let pooled = (scores.nonmembers.len() >= FEWEST)
        .then(|| {
            let members = scores.members.len();
            let found = Roc::new(&scores)?.found_at(0.001);
            let (low, high) = (found.floor() as usize, found.ceil() as usize);
            let (low, high) = (
                clopper_pearson(low, members),
                clopper_pearson(high, members),
            );
            let value = found / members as f64;
            Ok::<_, LabError>(Estimate::new(value, low.low, high.high))
        })
        .transpose()?;
    Ok(Some(OverSeeds {
        answers: answers.to_owned(),
        attack: result.attack.clone(),
        attacker: result.attacker,
        floor: result.floor,
        balanced_accuracy: balanced.collect::<Option<Vec<f64>>>().map(mean),
        accuracy_over_labels: all(gains.0).map(mean),
        auc_over_labels: all(gains.1).map(mean),
        auc: mean(found.iter().map(|e| e.auc.value).collect()),
        tpr: mean(found.iter().map(|e| e.rates[0].tpr.value).collect()),
        pooled_tpr: pooled,
    }))
}

fn table(rows: &[OverSeeds]) -> Table {
    let header = [
        "answers",
        "attacker",
        "attack",
        "either way %",
        "over labels",
        "AUC %",
        "over labels",
        "TPR % at 1 % FPR",
        "at 0.1 %, all targets",
    ];
    let mut table = Table::new("Mean over seeds", &header);
    let dash = || "-".to_owned();
    let text = |value: Option<Estimate>| value.map_or_else(dash, percent_interval);
    let gain = |value: Option<Estimate>| value.map_or_else(dash, points_interval);
    for row in rows {
        let mark = if row.floor { " (labels alone)" } else { "" };
        table.row(vec![
            row.answers.clone(),
            row.attacker.name().to_owned(),
            format!("{}{mark}", row.attack),
            text(row.balanced_accuracy),
            gain(row.accuracy_over_labels),
            percent_interval(row.auc),
            gain(row.auc_over_labels),
            percent_interval(row.tpr),
            text(row.pooled_tpr),
        ]);
    }
    table.note(
        "either way: max(a, 1 - a) of the balanced accuracy of each seed; over labels: in each run less the most that an attack by labels \
         alone of the same attacker reaches, in points",
    );
    if rows.iter().any(|row| row.pooled_tpr.is_none()) {
        table.note(format!(
            "- at 0.1 %: fewer than {} non-members in all",
            with_comma(FEWEST)
        ));
    }
    table
}

/// 10,000.
fn with_comma(count: usize) -> String {
    format!("{},{:03}", count / 1000, count % 1000)
}
