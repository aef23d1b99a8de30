//! The stages of a run, one after the other.

use super::answers::{guard_of, guarded};
use super::attack::ask_neighbours;
use super::deployed::{Deployed, Parties, Sample};
use super::evaluations::{NOISY_COPIES, evaluate};
use super::findings::{Evaluated, Findings};
use super::models::{Trained, Trainer, confidences};
use super::outcome::{Outcome, Progress};
use super::records::{Part, Records};
use super::seeds::together;
use super::stage::{Defended, Stage, cached};
use super::tune::rehearsed;
use super::{Cache, Config, Key};
use crate::LabError;
use crate::random::Stream;
use crate::train::{Epoch, Loss, Network, to_onnx};
use ndarray::{Array2, Axis, concatenate, s};
use std::path::Path;
use trefoil_guard::{Guard, GuardFile};

/// Do what `config` says with the data sets in `folder`, once for each of its seeds; what is expensive is kept in `cache`.
/// Of several seeds the outcome is the first one's, with means over all in its report.
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
    let mut parties = parties;
    let mut one = |config: &Config| {
        progress(Progress::Stage("reading the records"));
        let records = Records::load(config, folder)?;
        // The first run is the one that parties check.
        run_on(config, &records, cache, parties.take(), progress)
    };
    if config.seeds.is_empty() {
        return one(config);
    }
    let all = config.of_seeds();
    let runs = all.iter().map(one).collect::<Result<_, _>>()?;
    together(&config.seeds, runs)
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
    Ready::new(trainer, progress)?.finish(parties)
}

/// All networks are trained and have answered.
pub(super) struct Ready<'a> {
    pub(super) stage: Stage<'a>,
    target: Trained,
    shadow: Trained,
    deployed: Deployed,
}

impl<'a> Ready<'a> {
    /// Train, or take what is there.
    ///
    /// # Errors
    /// If a network cannot be trained, or its answers do not fit fixed point.
    pub(super) fn new(
        trainer: Trainer<'a>,
        progress: &'a (dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Self, LabError> {
        let (seed, records) = (trainer.config.seed, trainer.records);
        progress(Progress::Stage("training the target"));
        let target = trainer.train(
            "target",
            &records.split.target_members,
            Loss::CrossEntropy,
            seed,
        )?;
        progress(Progress::Stage("training the shadow model"));
        let shadow = trainer.train(
            "shadow model",
            &records.shadow_training,
            Loss::CrossEntropy,
            seed.wrapping_add(1),
        )?;
        progress(Progress::Stage("training the defender's own model"));
        let rehearsal = trainer.train(
            "the defender's own model",
            &rehearsed(&trainer),
            Loss::CrossEntropy,
            seed.wrapping_add(2),
        )?;
        progress(Progress::Stage("training the reference models"));
        let references = trainer.references(|name, rows, seed| {
            Ok(trainer.train(name, rows, Loss::CrossEntropy, seed)?.network)
        })?;
        let inputs = records.inputs(&records.rows)?;
        let deployed = Deployed::new(&to_onnx(&target.network)?)?;
        progress(Progress::Stage("answering in fixed point"));
        let logits = fixed_logits(&trainer, &target.network, &deployed, &inputs)?;
        let outputs = |network: &Network| network.outputs(inputs.view());
        progress(Progress::Stage("asking about disturbed copies"));
        let asked = ask_neighbours(
            records,
            (NOISY_COPIES, seed),
            |x| target.network.outputs(x),
            |x| shadow.network.outputs(x),
        )?;
        let stage = Stage {
            progress,
            target: logits,
            shadow: outputs(&shadow.network)?,
            rehearsal: outputs(&rehearsal.network)?,
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
            asked,
            trainer,
            inputs,
        };
        Ok(Self {
            stage,
            target,
            shadow,
            deployed,
        })
    }

    fn finish(&self, parties: Option<&mut dyn Parties>) -> Result<Outcome, LabError> {
        self.stage
            .finish(&self.target, &self.shadow, &self.deployed, parties)
    }
}

/// The target's logits for all rows in fixed point.
fn fixed_logits(
    trainer: &Trainer<'_>,
    target: &Network,
    deployed: &Deployed,
    inputs: &Array2<f32>,
) -> Result<Array2<f64>, LabError> {
    let (records, seed) = (trainer.records, trainer.config.seed);
    let key = Key::new("logits of each part")
        .with(&target.architecture())
        .inputs(inputs);
    let numbers = target.numbers()?;
    let key = numbers
        .iter()
        .fold(key, |key, (_, numbers)| key.inputs(numbers));
    cached(trainer.cache, "logits", &key, || {
        // Part by part: how one is rounded must not depend on another's records.
        let parts: Vec<Array2<f64>> = (0_u64..)
            .zip(Part::ALL)
            .map(|(at, part)| (at, records.range(part)))
            .filter(|(_, range)| !range.is_empty())
            .map(|(at, range)| deployed.logits(inputs.slice(s![range, ..]), seed.wrapping_add(at)))
            .collect::<Result<_, _>>()?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).map_err(|error| LabError::Model(error.to_string()))
    })
}

impl Stage<'_> {
    fn finish(
        &self,
        target: &Trained,
        shadow: &Trained,
        deployed: &Deployed,
        parties: Option<&mut dyn Parties>,
    ) -> Result<Outcome, LabError> {
        let config = self.config();
        let plain = confidences(&target.network, self.inputs.view())?;
        let defended: Vec<Defended> = config
            .softmaxes
            .iter()
            .map(|&kind| self.defended(kind))
            .collect::<Result<_, _>>()?;
        let Some(first) = defended.first() else {
            return Err(LabError::input("softmaxes", "there is none"));
        };
        let mut models = vec![
            self.model("target", target, &config.target.summary(), Part::NonMembers)?,
            self.model_of(
                "shadow model",
                shadow,
                Part::ShadowMembers,
                Part::ShadowNonMembers,
            )?,
        ];
        let evaluated = evaluate(&self.jobs(&plain, &defended))?;
        let mut findings = Findings::default();
        for Evaluated {
            evaluation,
            model,
            histogram,
            changed,
        } in evaluated
        {
            models.extend(model);
            findings.evaluations.push(evaluation);
            findings.changed += changed;
            findings.histogram = findings.histogram.or(histogram);
        }
        findings.models = models;
        let guard = guard_of(&first.h, first.kind, first.tuned.steps)?;
        findings.difference = self.check(deployed, &guard, parties)?;
        let report = self.report(&findings, &defended);
        Ok(Outcome {
            report,
            target: to_onnx(&target.network)?,
            guard: Guard::Siguard(guard),
            difference: findings.difference,
            evaluations: findings.evaluations,
        })
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
            guard: &Guard::Siguard(guard.clone()),
            queries: deployed.queries(chosen.view())?,
            answers,
        };
        sample.difference(parties).map(Some)
    }
}
