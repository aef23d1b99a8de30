//! What a run found, as a report.

use super::findings::{Findings, ModelRow};
use super::outcome::Evaluation;
use super::stage::{Defended, Stage};
use crate::attacks::{ATTACKS, Attacker};
use crate::report::{AttackResult, Figure, Report, Table, percent};
use serde_json::json;

impl Stage<'_> {
    /// All that was found, as a report.
    pub(super) fn report(&self, findings: &Findings, defended: &[Defended]) -> Report {
        let Findings {
            evaluations,
            models,
            histogram,
            changed,
            difference,
        } = findings;
        let config = self.config();
        let mut report = Report::new(format!("Membership inference on {}", config.name));
        report.fact("seed", config.seed);
        for (name, value) in self.trainer.records.manifest().facts() {
            report.fact(name, value);
        }
        report.fact("configuration", json!(config));
        let section = report.section("Models");
        section.table(models_table(models));
        let section = report.section("Overview");
        section.text(
            "Balanced accuracy of each attack in %. An adaptive attacker trains a membership \
             classifier of its own, runs the same defence on all it has, and averages repeated \
             answers; thresholds are chosen on the attacker's records only.",
        );
        section.table(overview(evaluations));
        let section = report.section("The guard");
        for defended in defended {
            let steps = defended.tuned.steps;
            section.text(format!(
                "{}: chosen on the defender's records, {} searches of {} steps of length {}.",
                defended.kind.name(),
                steps.outer,
                steps.inner,
                steps.beta
            ));
        }
        section.text(format!("Labels changed in all guarded answers: {changed}."));
        section.text(match difference {
            Some(difference) => format!(
                "{} random answers were also computed by three parties; the largest difference to \
                 fixed point is {difference:.2e}.",
                config.checked
            ),
            None => "No answers were compared with three parties.".to_owned(),
        });
        for defended in defended {
            section.figure(Figure::HeatMap(defended.tuned.map.clone()));
        }
        if let Some(histogram) = histogram {
            section.figure(Figure::Histogram(histogram.clone()));
        }
        for evaluation in evaluations {
            report
                .section(evaluation.name.clone())
                .results(&evaluation.results);
        }
        let all: Vec<_> = evaluations
            .iter()
            .map(|evaluation| json!(evaluation.results))
            .collect();
        report.data.insert("results".to_owned(), json!(all));
        report
            .data
            .insert("labels_changed".to_owned(), json!(changed));
        report
            .data
            .insert("three_parties_difference".to_owned(), json!(difference));
        report
    }
}

fn models_table(models: &[ModelRow]) -> Table {
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
            format!("{:.1}", model.seconds),
            model.note.clone(),
        ]);
    }
    table
}

/// The paper's Tables II, III, IV and X in one: a line for each way of answering and attacker, a column for each attack
/// that ran anywhere.
fn overview(evaluations: &[Evaluation]) -> Table {
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
