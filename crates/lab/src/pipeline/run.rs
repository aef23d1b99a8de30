//! The stages of a run, one after the other.

use super::answers::{Deployed, Sample, guard_of, guarded, simulated, softmax_of};
use super::attack::{View, attack, label_noise, name_of, target_outputs};
use super::models::{Trained, Trainer, confidences};
use super::records::{Part, Records};
use super::tune::{Tuned, tune};
use super::{Cache, Config, Key, defences};
use crate::attacks::{Attacker, Outputs};
use crate::random::Stream;
use crate::report::{AttackResult, Figure, Histogram, Report, Results, Table, percent};
use crate::train::{Epoch, Loss, Network, accuracy, hamp_outputs, softmax};
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use serde_json::json;
use std::path::Path;
use trefoil_guard::{Classifier, GuardFile, Optimiser, Softmax};

/// Three parties that answer a sample, as a check of the fixed-point answers.
pub trait Parties {
    /// The answers to the sample's queries (queries × classes).
    ///
    /// # Errors
    /// A sentence on what failed.
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String>;
}

/// What a run is doing.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A stage begins.
    Stage(&'a str),
    /// A network was trained for one more epoch.
    Epoch(&'a str, &'a Epoch),
}

/// What a run found.
pub struct Outcome {
    /// All of it.
    pub report: Report,
    /// The target network, for other programs.
    pub target: Network,
    /// The guard that was chosen.
    pub guard: GuardFile,
    /// The attacks on each way of answering.
    pub battles: Vec<Battle>,
    /// The largest difference between three parties and fixed point, if that was checked.
    pub difference: Option<f64>,
}

/// One way of answering, and the attacks on it.
pub struct Battle {
    /// The way of answering: `plaintext`, a softmax's name, that and `guarded`, or a defence.
    pub name: String,
    /// What the attacks reached.
    pub results: Results,
}

/// Everything that stages share.
struct Stage<'a> {
    trainer: Trainer<'a>,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
    inputs: Array2<f32>,
    /// Which rows each reference model was trained on, sorted.
    trained: Vec<Vec<usize>>,
    /// Logits of the target, the shadow model and the reference models for all rows.
    target: Array2<f64>,
    shadow: Array2<f64>,
    references: Vec<Array2<f64>>,
}

/// Do what `config` says with the data sets in `folder`; what is expensive is kept in `cache`.
///
/// # Errors
/// If data is missing, a network cannot be trained, or an answer cannot be computed.
pub fn run(
    config: &Config,
    folder: &Path,
    cache: &Cache,
    parties: Option<&mut dyn Parties>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Outcome, LabError> {
    progress(Progress::Stage("reading the records"));
    run_on(
        config,
        &Records::load(config, folder)?,
        cache,
        parties,
        progress,
    )
}

/// [`run`] on records that are there.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    config: &Config,
    records: &Records,
    cache: &Cache,
    parties: Option<&mut dyn Parties>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Outcome, LabError> {
    let heard = |what: &str, epoch: &Epoch| progress(Progress::Epoch(what, epoch));
    let trainer = Trainer {
        config,
        records,
        cache,
        heard: &heard,
    };
    let seed = config.seed;
    progress(Progress::Stage("training the target"));
    let target = trainer.train(
        "target",
        &records.split.target_members,
        Loss::CrossEntropy,
        seed,
    )?;
    progress(Progress::Stage("training the shadow model"));
    let shadow_rows = &records.shadow_training;
    let shadow = trainer.train(
        "shadow model",
        shadow_rows,
        Loss::CrossEntropy,
        seed.wrapping_add(1),
    )?;
    progress(Progress::Stage("training the reference models"));
    let references = trainer.references()?;
    let inputs = records.inputs(&records.rows)?;
    let deployed = Deployed::new(&target.network)?;
    progress(Progress::Stage("answering in fixed point"));
    let key = Key::new("logits")
        .with(&target.network.architecture())
        .inputs(&inputs);
    let key = target
        .network
        .numbers()?
        .iter()
        .fold(key, |key, (_, numbers)| key.inputs(numbers));
    let logits = cached(cache, "logits", &key, || {
        deployed.logits(inputs.view(), seed)
    })?;
    let outputs = |network: &Network| network.outputs(inputs.view());
    let stage = Stage {
        progress,
        target: logits,
        shadow: outputs(&shadow.network)?,
        references: references
            .iter()
            .map(|(n, _)| outputs(n))
            .collect::<Result<_, _>>()?,
        trained: references
            .into_iter()
            .map(|(_, mut rows)| {
                rows.sort_unstable();
                rows
            })
            .collect(),
        trainer,
        inputs: inputs.clone(),
    };
    stage.finish(&target, &shadow, &deployed, parties)
}

impl Stage<'_> {
    fn config(&self) -> &Config {
        self.trainer.config
    }

    fn say(&self, what: &str) {
        (self.progress)(Progress::Stage(what));
    }

    fn part<'b>(&self, all: &'b Array2<f64>, part: Part) -> ndarray::ArrayView2<'b, f64> {
        all.slice(ndarray::s![self.trainer.records.range(part), ..])
    }

    fn finish(
        &self,
        target: &Trained,
        shadow: &Trained,
        deployed: &Deployed,
        parties: Option<&mut dyn Parties>,
    ) -> Result<Outcome, LabError> {
        let config = self.config();
        let plain = confidences(&target.network, self.inputs.view())?;
        self.say("training the membership classifier");
        let (yes, no) = (
            self.part(&plain, Part::Members),
            self.part(&plain, Part::Defence),
        );
        let h = self.trainer.membership("membership classifier", yes, no)?;
        let own = softmax(self.shadow.view());
        let (yes, no) = (
            self.part(&own, Part::ShadowMembers),
            self.part(&own, Part::ShadowNonMembers),
        );
        let attackers_h = self
            .trainer
            .membership("the attacker's own classifier", yes, no)?;
        self.say("choosing the guard's steps");
        let tuned = tune(&self.trainer, &h, &self.target, &plain)?;

        let mut battles = vec![self.battle("plaintext", &plain, None)?];
        let battery = label_noise(&self.trainer, &target.network, &shadow.network)?;
        battles[0].results.add(&battery, Attacker::Standard)?;
        for &kind in &config.softmaxes {
            self.say(&format!("attacking {}", kind.name()));
            battles.push(self.unguarded(kind)?);
        }
        let mut changed = 0;
        for &kind in &config.softmaxes {
            self.say(&format!("guarding with {}", kind.name()));
            let (battle, labels) = self.guarded(kind, &h, &attackers_h, &tuned)?;
            changed += labels;
            battles.push(battle);
        }
        let mut models =
            vec![self.model("target", target, &config_text(config), Part::NonMembers)?];
        models.push(self.model_of(
            "shadow model",
            shadow,
            Part::ShadowMembers,
            Part::ShadowNonMembers,
        )?);
        let (histogram, others) = self.others(&h, &attackers_h, &tuned, &plain, &mut models)?;
        battles.extend(others);

        let guard = guard_of(&h, config.softmaxes[0], tuned.steps)?;
        let difference = self.check(deployed, &guard, parties)?;
        let report = self.report(&battles, models, tuned, histogram, changed, difference);
        Ok(Outcome {
            report,
            target: target.network.clone(),
            guard,
            battles,
            difference,
        })
    }

    /// Attack the answers of one way of answering; `adaptive` holds what an attacker who knows the
    /// defence sees and makes.
    fn battle(
        &self,
        name: &str,
        answers: &Array2<f64>,
        adaptive: Option<&View<'_>>,
    ) -> Result<Battle, LabError> {
        let shadow = softmax(self.shadow.view());
        let references: Vec<_> = self.references.iter().map(|z| softmax(z.view())).collect();
        let standard = View {
            target: answers,
            shadow: &shadow,
            references: &references,
        };
        self.battle_of(name, &standard, adaptive)
    }

    fn battle_of(
        &self,
        name: &str,
        standard: &View<'_>,
        adaptive: Option<&View<'_>>,
    ) -> Result<Battle, LabError> {
        let seed = self.config().seed;
        let target = target_outputs(&self.trainer, standard.target)?;
        let battery = attack(&self.trainer, standard, &self.trained)?;
        let title = format!("{}, {name}", self.config().name);
        let mut results = Results::new(title, &target, &battery, Attacker::Standard, seed)?;
        if let Some(view) = adaptive {
            let battery = attack(&self.trainer, view, &self.trained)?;
            results.add(&battery, Attacker::Adaptive)?;
        }
        let name = name.to_owned();
        Ok(Battle { name, results })
    }

    /// Secure inference with one softmax. The attacker's models answer with the same one.
    fn unguarded(&self, kind: Softmax) -> Result<Battle, LabError> {
        let seed = self.config().seed;
        let target = softmax_of(kind, self.target.view(), seed)?;
        let shadow = softmax_of(kind, self.shadow.view(), seed)?;
        let references = self
            .references
            .iter()
            .map(|z| softmax_of(kind, z.view(), seed));
        let references: Vec<_> = references.collect::<Result<_, _>>()?;
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references,
        };
        self.battle_of(kind.name(), &view, None)
    }

    /// The guard over one softmax, and how many labels it changed.
    fn guarded(
        &self,
        kind: Softmax,
        h: &Classifier,
        attackers_h: &Classifier,
        tuned: &Tuned,
    ) -> Result<(Battle, usize), LabError> {
        let config = self.config();
        let guard = guard_of(h, kind, tuned.steps)?;
        let key = Key::new("guarded")
            .with(&guard.digest())
            .numbers(&self.target);
        let cache = self.trainer.cache;
        let asked = |query: usize| {
            let key = key.clone().with(&query);
            let seed = config.seed.wrapping_add(query as u64);
            cached(cache, "guarded", &key, || {
                guarded(&guard, self.target.view(), seed)
            })
        };
        let answers = asked(0)?;
        let averaged = crate::attacks::adaptive::averaged(config.guard.repeats, asked)?;
        let changed = labels_changed(&self.target, &answers);
        // Standard: the attacker knows the softmax, not the guard.
        let plain = |z: &Array2<f64>| softmax_of(kind, z.view(), config.seed);
        let (shadow, references) = (plain(&self.shadow)?, self.each(plain)?);
        let standard = View {
            target: &answers,
            shadow: &shadow,
            references: &references,
        };
        // Adaptive: it trains an h of its own on its shadow model, and guards all it has with it.
        let theirs = guard_of(attackers_h, kind, tuned.steps)?;
        let simulate = |z: &Array2<f64>| {
            let key = Key::new("simulated").with(&theirs.digest()).numbers(z);
            cached(cache, "simulated", &key, || simulated(&theirs, z.view()))
        };
        let (shadow, references) = (simulate(&self.shadow)?, self.each(simulate)?);
        let adaptive = View {
            target: &averaged,
            shadow: &shadow,
            references: &references,
        };
        let name = format!("{} guarded", kind.name());
        Ok((self.battle_of(&name, &standard, Some(&adaptive))?, changed))
    }

    fn each(
        &self,
        make: impl Fn(&Array2<f64>) -> Result<Array2<f64>, LabError>,
    ) -> Result<Vec<Array2<f64>>, LabError> {
        self.references.iter().map(make).collect()
    }

    /// The other defences; also how many steps `MemGuard` takes for each record.
    fn others(
        &self,
        h: &Classifier,
        attackers_h: &Classifier,
        tuned: &Tuned,
        plain: &Array2<f64>,
        models: &mut Vec<ModelRow>,
    ) -> Result<(Option<Histogram>, Vec<Battle>), LabError> {
        let config = self.config();
        let (mut battles, mut histogram) = (Vec::new(), None);
        let mut simple = |name: String, f: &dyn Fn(&Array2<f64>) -> Array2<f64>| {
            self.say(&format!("attacking {name}"));
            let (shadow, references) = (
                f(&softmax(self.shadow.view())),
                self.each(|z| Ok(f(&softmax(z.view()))))?,
            );
            let target = f(plain);
            let adaptive = View {
                target: &target,
                shadow: &shadow,
                references: &references,
            };
            battles.push(self.battle(&name, &target, Some(&adaptive))?);
            Ok::<(), LabError>(())
        };
        if config.defences.label_only {
            simple("label only".to_owned(), &defences::label_only)?;
        }
        if let Some(count) = config.defences.top {
            simple(format!("top {count}"), &|s| defences::top(s, count))?;
        }
        if let Some(decimals) = config.defences.decimals {
            simple(format!("{decimals} decimals"), &|s| {
                defences::rounded(s, decimals)
            })?;
        }
        if config.defences.memguard {
            self.say("attacking MemGuard");
            let optimiser = Optimiser {
                outer: config.guard.outer,
                inner: config.guard.inner.iter().copied().max().unwrap_or(1),
                beta: tuned.steps.beta,
                weights: [1.0, 10.0, 0.1],
                stops: true,
            };
            let (answers, steps) = defences::by_memguard(&optimiser, h, self.target.view());
            let own =
                |z: &Array2<f64>| Ok(defences::by_memguard(&optimiser, attackers_h, z.view()).0);
            let (shadow, references) = (own(&self.shadow)?, self.each(own)?);
            let adaptive = View {
                target: &answers,
                shadow: &shadow,
                references: &references,
            };
            battles.push(self.battle("MemGuard in the clear", &answers, Some(&adaptive))?);
            histogram = Some(self.iterations(&steps));
        }
        battles.extend(self.trained_defences(models)?);
        Ok((histogram, battles))
    }

    /// HAMP and DP-SGD: other target models; the adaptive attacker's shadow is trained alike.
    fn trained_defences(&self, models: &mut Vec<ModelRow>) -> Result<Vec<Battle>, LabError> {
        let (config, records) = (self.config(), self.trainer.records);
        let (seed, members) = (config.seed, &records.split.target_members);
        let references: Vec<_> = self.references.iter().map(|z| softmax(z.view())).collect();
        let mut battles = Vec::new();
        if let Some(hamp) = config.defences.hamp {
            self.say("training with HAMP");
            let loss = Loss::Hamp(hamp);
            let trained = self.trainer.train("HAMP", members, loss, seed)?;
            let own = self.trainer.train(
                "HAMP's shadow model",
                &records.shadow_training,
                loss,
                seed.wrapping_add(1),
            )?;
            let binary = records.data.encoding == crate::data::Encoding::Bits;
            let answer = |network: &Network| {
                let logits = network.outputs(self.inputs.view())?;
                hamp_outputs(network, logits.view(), (0.0, 1.0), binary, seed)
            };
            let (target, shadow) = (answer(&trained.network)?, answer(&own.network)?);
            models.push(self.model("HAMP", &trained, &format!("{hamp:?}"), Part::NonMembers)?);
            let adaptive = View {
                target: &target,
                shadow: &shadow,
                references: &references,
            };
            battles.push(self.battle("HAMP", &target, Some(&adaptive))?);
        }
        if let Some(private) = &config.defences.private {
            self.say("training with DP-SGD");
            let (trained, spent) = self
                .trainer
                .train_privately("DP-SGD", members, private, seed)?;
            let (own, _) = self.trainer.train_privately(
                "DP-SGD's shadow model",
                &records.shadow_training,
                private,
                seed.wrapping_add(1),
            )?;
            let epsilon = spent.epsilon(private.delta);
            let note = format!(
                "ε = {epsilon:.2} at δ = {}, noise {:.3}, clip {}, {} steps",
                private.delta, spent.noise, private.clip, spent.steps
            );
            models.push(self.model("DP-SGD", &trained, &note, Part::NonMembers)?);
            let target = confidences(&trained.network, self.inputs.view())?;
            let shadow = confidences(&own.network, self.inputs.view())?;
            let adaptive = View {
                target: &target,
                shadow: &shadow,
                references: &references,
            };
            battles.push(self.battle("DP-SGD", &target, Some(&adaptive))?);
        }
        Ok(battles)
    }

    fn iterations(&self, steps: &[u32]) -> Histogram {
        let of = |part: Part| -> Vec<usize> {
            steps[self.trainer.records.range(part)]
                .iter()
                .map(|&s| s as usize)
                .collect()
        };
        let (members, others) = (of(Part::Members), of(Part::NonMembers));
        Histogram::of_whole_numbers(
            "Steps that MemGuard takes in the clear",
            "steps",
            Sides::new(&members[..], &others[..]),
        )
    }

    /// Ask three parties about a random sample; the largest difference.
    fn check(
        &self,
        deployed: &Deployed,
        guard: &GuardFile,
        parties: Option<&mut dyn Parties>,
    ) -> Result<Option<f64>, LabError> {
        let Some(parties) = parties.filter(|_| self.config().checked > 0) else {
            return Ok(None);
        };
        self.say("asking three parties");
        let seed = self.config().seed;
        let mut rows = Stream::new(seed, "checked sample").permutation(self.inputs.nrows());
        rows.truncate(self.config().checked);
        let chosen = self.inputs.select(Axis(0), &rows);
        let logits = deployed.logits(chosen.view(), seed)?;
        let answers = guarded(guard, logits.view(), seed)?;
        let sample = Sample {
            deployed,
            guard,
            queries: deployed.queries(chosen.view())?,
            answers,
        };
        let found = parties.answer(&sample).map_err(LabError::Model)?;
        if found.dim() != sample.answers.dim() {
            let (actual, expected) = (found.dim(), sample.answers.dim());
            let problem = format!("answers of shape {actual:?} instead of {expected:?}");
            return Err(LabError::input("the three parties", problem));
        }
        let distance = (&found - &sample.answers).fold(0.0_f64, |most, d| most.max(d.abs()));
        Ok(Some(distance))
    }

    fn model(
        &self,
        name: &str,
        trained: &Trained,
        note: &str,
        others: Part,
    ) -> Result<ModelRow, LabError> {
        let mut row = self.model_of(name, trained, Part::Members, others)?;
        note.clone_into(&mut row.note);
        Ok(row)
    }

    fn model_of(
        &self,
        name: &str,
        trained: &Trained,
        members: Part,
        others: Part,
    ) -> Result<ModelRow, LabError> {
        let outputs = trained.network.outputs(self.inputs.view())?;
        let right = |part: Part| {
            accuracy(
                self.part(&outputs, part),
                &self.trainer.records.labels(part),
            )
        };
        Ok(ModelRow {
            name: name.to_owned(),
            accuracy: Sides::new(right(members), right(others)),
            seconds: trained.seconds,
            note: String::new(),
        })
    }

    fn report(
        &self,
        battles: &[Battle],
        models: Vec<ModelRow>,
        tuned: Tuned,
        histogram: Option<Histogram>,
        changed: usize,
        difference: Option<f64>,
    ) -> Report {
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
        section.table(overview(battles));
        let section = report.section("The guard");
        let steps = tuned.steps;
        section.text(format!(
            "Chosen on the defender's records: {} searches of {} steps of length {}. Labels \
             changed in all guarded answers: {changed}.",
            steps.outer, steps.inner, steps.beta
        ));
        section.text(match difference {
            Some(difference) => format!(
                "{} random answers were also computed by three parties; the largest difference to \
                 fixed point is {difference:.2e}.",
                config.checked
            ),
            None => "No answers were compared with three parties.".to_owned(),
        });
        section.figure(Figure::HeatMap(tuned.map));
        if let Some(histogram) = histogram {
            section.figure(Figure::Histogram(histogram));
        }
        for battle in battles {
            report.section(battle.name.clone()).results(&battle.results);
        }
        let all: Vec<_> = battles.iter().map(|battle| json!(battle.results)).collect();
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

/// A line of the table of models.
struct ModelRow {
    name: String,
    accuracy: Sides<f64>,
    seconds: f64,
    note: String,
}

fn models_table(models: Vec<ModelRow>) -> Table {
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
            model.name,
            percent(model.accuracy.members),
            percent(model.accuracy.nonmembers),
            percent(crate::metrics::label_only_floor(model.accuracy)),
            format!("{:.1}", model.seconds),
            model.note,
        ]);
    }
    table
}

/// The paper's Tables II, III, IV and X in one: a line for each way of answering and attacker.
fn overview(battles: &[Battle]) -> Table {
    const ATTACKS: [&str; 8] = [
        "NN-M",
        "conf",
        "entr",
        "Mentr",
        "LiRA",
        "LiRA-fixed",
        "RMIA",
        "label noise",
    ];
    let header = [&["answers", "attacker"][..], &ATTACKS, &["floor"]].concat();
    let mut table = Table::new("Attacks, defences and softmaxes", &header);
    for battle in battles {
        for attacker in [Attacker::Standard, Attacker::Adaptive] {
            let of = |name: &str| {
                let wanted = |r: &&AttackResult| r.attack == name && r.attacker == attacker;
                battle.results.attacks.iter().find(wanted)
            };
            if of("conf").is_none() {
                continue;
            }
            let mut cells = vec![battle.name.clone(), name_of(attacker).to_owned()];
            for name in ATTACKS {
                let value = of(name).and_then(|result| result.evaluation.balanced_accuracy);
                cells.push(value.map_or_else(|| "-".to_owned(), |e| percent(e.value)));
            }
            let floor = battle.results.label_only_floor;
            cells.push(floor.map_or_else(|| "-".to_owned(), percent));
            table.row(cells);
        }
    }
    table.note("floor: balanced accuracy from right and wrong labels alone");
    table
}

/// Rows whose label in `answers` is another than in `logits`.
fn labels_changed(logits: &Array2<f64>, answers: &Array2<f64>) -> usize {
    let label = |rows: &Array2<f64>| {
        let zeros = vec![0; rows.nrows()];
        Outputs::new("answers", rows.clone(), zeros).map(|outputs| outputs.predicted())
    };
    match (label(logits), label(answers)) {
        (Ok(x), Ok(y)) => x.iter().zip(&y).filter(|(x, y)| x != y).count(),
        _ => logits.nrows(),
    }
}

fn config_text(config: &Config) -> String {
    let model = &config.target;
    format!(
        "{}, {} epochs, batch {}",
        model.architecture, model.epochs, model.batch
    )
}

fn cached(
    cache: &Cache,
    stage: &str,
    key: &Key,
    make: impl FnOnce() -> Result<Array2<f64>, LabError>,
) -> Result<Array2<f64>, LabError> {
    let (rows, values): (usize, Vec<f64>) = cache.get(stage, key, || {
        let made = make()?;
        Ok((made.nrows(), made.iter().copied().collect()))
    })?;
    let columns = values.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|error| LabError::Model(error.to_string()))
}
