//! The attacks on the showcase's target.

use super::{GuardedModel, Showcase};
use crate::logits::{accuracy, labels_changed, softmax};
use crate::pipeline::{
    Deployed, Evaluation, ModelRow, Outcome, Part, Parties, Progress, Records, Sample, Scene, View,
    ask_neighbours, attack_answers, models_table, overview, usefulness,
};
use crate::random::Stream;
use crate::report::Report;
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use serde_json::json;
use trefoil_guard::Guard;

/// What the answers without the guard are called.
pub const UNGUARDED: &str = "unguarded";
/// What the answers with it are called.
pub const GUARDED: &str = "guarded";

/// Disturbed copies of each record and strength that models are asked about: a show is to be short.
const NOISY_COPIES: usize = 3;

impl Showcase {
    /// Attack the target's answers in fixed point without and with its guard, by an attacker who does not know the guard and
    /// by one who gave its own models guards of the same kind. Thresholds come from the shadow model. `parties` answer
    /// `checked` random queries too. `seed` draws roundings, noise, the attacks and the intervals; the records are the recipe's.
    ///
    /// # Errors
    /// If an answer cannot be computed, or the files do not belong together.
    pub fn evaluate(
        &self,
        seed: u64,
        checked: usize,
        parties: Option<&mut dyn Parties>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Outcome, LabError> {
        let say = |what| progress(Progress::Stage(what));
        say("drawing the records");
        let records = self.recipe.draw()?;
        let inputs = records.inputs(&records.rows)?;
        say("answering in fixed point");
        let deployed = self.target.deployed()?;
        let target = deployed.logits(inputs.view(), seed)?;
        let shadow = self.shadow.deployed()?;
        let models = Models {
            shadow: shadow.clear_logits(inputs.view())?,
            references: self
                .references
                .iter()
                .map(|model| model.deployed()?.clear_logits(inputs.view()))
                .collect::<Result<_, _>>()?,
            target,
        };
        say("asking about disturbed copies");
        let asked = ask_neighbours(
            &records,
            (NOISY_COPIES, seed),
            |x| deployed.clear_logits(x),
            |x| shadow.clear_logits(x),
        )?;
        let trained = self.recipe.halves(&records);
        let scene = Scene {
            records: &records,
            trained: &trained,
            logits: &models.target,
            networks: None,
            seed,
        };
        let of = self.recipe.name.as_str();
        // What everyone answers without guards, and with their own.
        let plain = |z: &Array2<f64>| Ok(softmax(z.view()));
        let (target, guarded) = (plain(&models.target)?, self.target.answers(&models.target));
        let (shadow, own) = (plain(&models.shadow)?, self.shadow.answers(&models.shadow));
        let references: Vec<_> = models
            .references
            .iter()
            .map(|z| softmax(z.view()))
            .collect();
        let theirs = self.references.iter().zip(&models.references);
        let theirs: Vec<_> = theirs.map(|(model, z)| model.answers(z)).collect();
        let protect = |z: &Array2<f64>| Ok(self.target.answers(z));
        let imitate = |z: &Array2<f64>| Ok(self.shadow.answers(z));
        say("attacking the answers");
        let unguarded = View {
            target: &target,
            shadow: &shadow,
            references: &references,
            undefended: None,
            asked: &asked.answered(plain, plain)?,
        };
        let standard = View {
            target: &guarded,
            asked: &asked.answered(protect, plain)?,
            ..unguarded
        };
        let adaptive = View {
            target: &guarded,
            shadow: &own,
            references: &theirs,
            undefended: Some(&references),
            asked: &asked.answered(protect, imitate)?,
        };
        let evaluations = vec![
            attack_answers(&scene, (of, UNGUARDED), &unguarded, None)?,
            attack_answers(&scene, (of, GUARDED), &standard, Some(&adaptive))?,
        ];
        let guard = Guard::Table(self.target.guard.clone());
        let difference = match parties.filter(|_| checked > 0) {
            Some(parties) => {
                say("asking three parties");
                let sample = self.sample(&deployed, &guard, (&inputs, checked), seed)?;
                Some(sample.difference(parties)?)
            }
            None => None,
        };
        let found = Found {
            accuracy: models.accuracy(&records),
            changed: labels_changed(models.target.view(), guarded.view()),
            difference,
            checked,
        };
        Ok(Outcome {
            report: self.report(&records, &evaluations, &found, seed),
            target: self.target.onnx.clone(),
            guard,
            evaluations,
            difference,
        })
    }

    /// A few random queries with their guarded answers.
    fn sample<'a>(
        &self,
        deployed: &'a Deployed,
        guard: &'a Guard,
        (inputs, count): (&Array2<f32>, usize),
        seed: u64,
    ) -> Result<Sample<'a>, LabError> {
        let mut rows = Stream::new(seed, "checked sample").permutation(inputs.nrows());
        rows.truncate(count);
        let chosen = inputs.select(Axis(0), &rows);
        Ok(Sample {
            answers: self.target.answers(&deployed.logits(chosen.view(), seed)?),
            queries: deployed.queries(chosen.view())?,
            deployed,
            guard,
        })
    }

    fn report(
        &self,
        records: &Records,
        evaluations: &[Evaluation],
        found: &Found,
        seed: u64,
    ) -> Report {
        let mut report = Report::new(format!("Membership inference on {}", self.recipe.name));
        report.fact("seed", seed);
        for (name, value) in records.manifest().facts() {
            report.fact(name, value);
        }
        report.fact("how the networks were made", json!(self.recipe));
        let how = "part of this program";
        let row = |name: &str, accuracy| ModelRow {
            name: name.to_owned(),
            accuracy,
            seconds: None,
            note: how.to_owned(),
        };
        let [target, shadow] = found.accuracy;
        let models = [row("target", target), row("shadow model", shadow)];
        report.section("Models").table(models_table(&models));
        let section = report.section("Overview");
        section.text(
            "Balanced accuracy of each attack in %. An adaptive attacker has given each of its models a table guard of its \
             own; thresholds are chosen on the attacker's records only.",
        );
        section.table(overview(evaluations));
        section.table(usefulness(evaluations));
        let section = report.section("The guard");
        section.text(
            "A table guard: every answer has the order of the model's classes, and the mean confidences of non-members with \
             the same label.",
        );
        section.text(format!(
            "Labels changed in all guarded answers: {}.",
            found.changed
        ));
        if let Some(difference) = found.difference {
            section.text(format!(
                "{} random answers were also computed by three parties; the largest difference to fixed point is \
                 {difference:.2e}.",
                found.checked
            ));
        }
        for evaluation in evaluations {
            let section = report.section(evaluation.name.clone());
            section.results(&evaluation.results);
        }
        let all: Vec<_> = evaluations
            .iter()
            .map(|evaluation| json!(evaluation.results))
            .collect();
        for (name, value) in [
            ("results", json!(all)),
            ("labels_changed", json!(found.changed)),
            ("three_parties_difference", json!(found.difference)),
        ] {
            report.data.insert(name.to_owned(), value);
        }
        report
    }
}

impl GuardedModel {
    /// The guarded answers of logits (rows × classes): of their labels and order alone.
    fn answers(&self, logits: &Array2<f64>) -> Array2<f64> {
        self.guard.apply(logits.view())
    }
}

/// The logits of each model for all rows.
struct Models {
    target: Array2<f64>,
    shadow: Array2<f64>,
    references: Vec<Array2<f64>>,
}

impl Models {
    /// Of the target and of the shadow model: shares of right labels on members and on others.
    fn accuracy(&self, records: &Records) -> [Sides<f64>; 2] {
        let right = |logits: &Array2<f64>, part: Part| {
            let rows = logits.slice(ndarray::s![records.range(part), ..]);
            accuracy(rows, &records.labels(part))
        };
        [
            Sides::new(Part::Members, Part::NonMembers).map(|part| right(&self.target, part)),
            Sides::new(Part::ShadowMembers, Part::ShadowNonMembers)
                .map(|part| right(&self.shadow, part)),
        ]
    }
}

/// What the report says besides the attacks.
struct Found {
    accuracy: [Sides<f64>; 2],
    changed: usize,
    difference: Option<f64>,
    checked: usize,
}
