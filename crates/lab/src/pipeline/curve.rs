//! Use against leakage: maps of answers that keep the order of the classes, each attacked by attackers who know it.
//!
//! Each map is learnt from the defender's non-members for the target, and by the attacker, in the same way, for each of its own
//! models from records that it has and the model has not seen. A map that learns more than a table is taught by
//! models that the defender (the attacker) trains on halves of its own records.

mod critic;
mod point;

use super::attack::{Scene, View, attack, outputs};
use super::models::Trainer;
use super::records::{Part, Records};
use super::run::Ready;
use super::stage::Stage;
use super::{Cache, Config, Progress};
use crate::logits::softmax;
use crate::maps::{Family, Gauge, Known, Lesson};
use crate::random::Stream;
use crate::report::{Figure, Report};
use crate::train::{Epoch, Loss};
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use point::{Point, over_seeds, picture, table};
use serde_json::json;
use std::path::Path;

/// Models that the defender trains on halves of its non-members, for lessons.
const TEACHERS: usize = 4;

/// Try maps of all these families, the table first, on the targets of `config`, one for each seed, and report the curve of leakage
/// against use. All others are compared with the first.
///
/// # Errors
/// If there is no family or one seed only, data is missing, a network cannot be trained, or there are too few records.
pub fn curve(
    config: &Config,
    tried: &[Family],
    folder: &Path,
    cache: &Cache,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Report, LabError> {
    if config.seeds.len() < 2 {
        let problem = "one target shows no spread; take two or more";
        return Err(LabError::input("seeds", problem));
    }
    if tried.first() != Some(&Family::Table) {
        let problem = "the table is to be the first: all others are compared with it";
        return Err(LabError::input("the maps to try", problem));
    }
    let mut runs = Vec::new();
    let mut chosen = Vec::new();
    let mut report = Report::new(format!("Use against leakage on {}", config.name));
    for config in config.of_seeds() {
        progress(Progress::Stage(&format!("seed {}", config.seed)));
        let records = Records::load(&config, folder)?;
        let heard = |what: &str, epoch: &Epoch| progress(Progress::Epoch(what, epoch));
        let trainer = Trainer {
            config: &config,
            records: &records,
            cache,
            heard: &heard,
        };
        let ready = Ready::new(trainer, progress)?;
        let lessons = ready.stage.lessons()?;
        let mut points = Vec::new();
        for &family in tried {
            progress(Progress::Stage(&format!("attacking {}", family.name())));
            points.push(ready.stage.mapped(family, &lessons)?);
        }
        chosen.push((config.seed, ready.stage.chosen(tried, &lessons.members)?));
        runs.push(points);
    }
    let points = over_seeds(&runs);
    let seeds: Vec<u64> = config.of_seeds().iter().map(|one| one.seed).collect();
    report.fact("seeds", format!("{seeds:?}"));
    report.fact("configuration", json!(config));
    let section = report.section("The curve");
    section.text(
        "Each map keeps the order of the classes. Every attacker knows the map and gives each of its models one of its own; \
         leakage is the largest area under the curve of all attacks that use more than labels (all of the lab but NN-M). Use is measured on records \
         outside of the training data. Means over seeds with 95 % intervals of Student's distribution; differences are to \
         the table, seed by seed.",
    );
    section.table(table(&points));
    section.figure(Figure::Lines(picture(&points)));
    for (seed, weight) in &chosen {
        section.text(match weight {
            Some(weight) => format!(
                "Seed {seed}: the defender's critic, a forest that no map was trained against, finds no more in the learnt map than in \
                 the table (within a point of AUC) from a weight of {weight} on."
            ),
            None => format!(
                "Seed {seed}: the defender's critic finds more in every learnt map than in the table (by more than a point of AUC)."
            ),
        });
    }
    report.data.insert("curve".to_owned(), json!(points));
    report.data.insert("runs".to_owned(), json!(runs));
    report.data.insert("chosen".to_owned(), json!(chosen));
    Ok(report)
}

impl Stage<'_> {
    /// Lessons of the defender (as members' side) and of the attacker.
    fn lessons(&self) -> Result<Sides<Vec<Lesson>>, LabError> {
        let (records, seed) = (self.trainer.records, self.config().seed);
        let range: Vec<usize> = records.range(Part::Defence).collect();
        let teacher = |index: usize| {
            // Two models on the halves of each halving, as the attacker's reference models.
            let halving = format!("halves for teachers, {}", index / 2);
            let order = Stream::new(seed, &halving).permutation(range.len());
            let half = order.split_at(range.len() / 2);
            let half = if index.is_multiple_of(2) {
                half.0
            } else {
                half.1
            };
            let mut rows: Vec<usize> = half.iter().map(|&at| records.rows[range[at]]).collect();
            let name = format!("the defender's teacher {} of {TEACHERS}", index + 1);
            let own = seed.wrapping_add(2000 + index as u64);
            let trained = self.trainer.train(&name, &rows, Loss::CrossEntropy, own)?;
            rows.sort_unstable();
            let logits = trained.network.outputs(self.inputs.view())?;
            Ok::<_, LabError>(self.lesson(&logits, &range, &rows))
        };
        let parts = [Part::ShadowMembers, Part::ShadowNonMembers, Part::Spare];
        let own: Vec<usize> = parts.iter().flat_map(|&part| records.range(part)).collect();
        let models = self.references.iter().zip(&self.trained);
        Ok(Sides::new(
            (0..TEACHERS).map(teacher).collect::<Result<_, _>>()?,
            models.map(|(z, rows)| self.lesson(z, &own, rows)).collect(),
        ))
    }

    /// What a model trained on the rows `trained`, sorted, says of the records at `places`.
    fn lesson(&self, logits: &Array2<f64>, places: &[usize], trained: &[usize]) -> Lesson {
        let rows = &self.trainer.records.rows;
        let known = |at: &usize| trained.binary_search(&rows[*at]).is_ok();
        Lesson {
            known: self.known(logits, places),
            member: places.iter().map(known).collect(),
        }
    }

    fn known(&self, logits: &Array2<f64>, places: &[usize]) -> Known {
        let records = self.trainer.records;
        let rows: Vec<usize> = places.iter().map(|&at| records.rows[at]).collect();
        Known {
            logits: logits.select(Axis(0), places),
            labels: records.data.labels_of(&rows),
        }
    }

    /// Attack the target's answers through one map, by an attacker whose models have such maps of their own.
    fn mapped(&self, family: Family, lessons: &Sides<Vec<Lesson>>) -> Result<Point, LabError> {
        let (records, seed) = (self.trainer.records, self.config().seed);
        let gauges = lessons.as_ref().try_map(|all| family.gauge(all, seed))?;
        let learn = |z: &Array2<f64>, places: &[usize], gauge: &Option<Gauge>| {
            family.learn(&self.known(z, places), gauge.as_ref())
        };
        let defence: Vec<usize> = records.range(Part::Defence).collect();
        let map = learn(&self.target, &defence, &gauges.members)?;
        let mut own = records.shadow_training.clone();
        own.sort_unstable();
        let shadow_map = learn(&self.shadow, &records.unseen(&own), &gauges.nonmembers)?;
        let models = self.references.iter().zip(&self.trained);
        let references = models.map(|(z, trained)| {
            let map = learn(z, &records.unseen(trained), &gauges.nonmembers)?;
            Ok(map.apply(z.view()))
        });
        let target = map.apply(self.target.view());
        let view = View {
            target: &target,
            shadow: &shadow_map.apply(self.shadow.view()),
            references: &references.collect::<Result<Vec<_>, LabError>>()?,
            undefended: Some(&self.each(|z| Ok(softmax(z.view())))?),
            asked: &self.asked.answered(
                |z| Ok(map.apply(z.view())),
                |z| Ok(shadow_map.apply(z.view())),
            )?,
        };
        // NN-M, which does not know the label, takes longer than all others together and finds less than they do.
        let scene = Scene {
            networks: None,
            ..self.scene()
        };
        let battery = attack(&scene, &view)?;
        let others = outputs(records, &target, Part::NonMembers)?;
        Point::new(
            family,
            &battery,
            &others,
            self.part(&self.target, Part::NonMembers),
        )
    }

    /// The least weight of the leakage with which the defender's critic finds at most a point more in the learnt map than in the
    /// table; nothing if it always does.
    fn chosen(&self, tried: &[Family], lessons: &[Lesson]) -> Result<Option<f64>, LabError> {
        let seed = self.config().seed;
        let table = critic::found(Family::Table, lessons, seed)?;
        for &family in tried {
            if let Family::Learnt(weight) = family
                && critic::found(family, lessons, seed)? <= table + 0.01
            {
                return Ok(Some(weight));
            }
        }
        Ok(None)
    }
}
