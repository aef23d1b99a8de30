//! What a run found, as a report.

use super::findings::Findings;
use super::stage::{Defended, Stage};
use super::tables::{models_table, overview, usefulness};
use crate::report::{Figure, Report};
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
        section.table(usefulness(evaluations));
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
