//! The stages of a run, one after the other.

use super::answers::{Deployed, Sample, guard_of, guarded};
use super::attack::ask_neighbours;
use super::evaluations::evaluate;
use super::findings::{Evaluated, Findings};
use super::models::{Trained, Trainer, confidences};
use super::outcome::{Outcome, Parties, Progress};
use super::records::{Part, Records};
use super::stage::{Defended, Stage, cached};
use super::tune::rehearsed;
use super::{Cache, Config, Key};
use crate::LabError;
use crate::random::Stream;
use crate::train::{Epoch, Loss, Network};
use ndarray::{Array2, Axis, concatenate, s};
use std::path::Path;
use trefoil_guard::GuardFile;

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
    let deployed = Deployed::new(&target.network)?;
    progress(Progress::Stage("answering in fixed point"));
    let key = Key::new("logits of each part")
        .with(&target.network.architecture())
        .inputs(&inputs);
    let key = target
        .network
        .numbers()?
        .iter()
        .fold(key, |key, (_, numbers)| key.inputs(numbers));
    let logits = cached(cache, "logits", &key, || {
        // Part by part: how one is rounded must not depend on another's records.
        let parts: Vec<Array2<f64>> = (0_u64..)
            .zip(Part::ALL)
            .map(|(at, part)| (at, records.range(part)))
            .filter(|(_, range)| !range.is_empty())
            .map(|(at, range)| deployed.logits(inputs.slice(s![range, ..]), seed.wrapping_add(at)))
            .collect::<Result<_, _>>()?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        concatenate(Axis(0), &views).map_err(|error| LabError::Model(error.to_string()))
    })?;
    let outputs = |network: &Network| network.outputs(inputs.view());
    progress(Progress::Stage("asking about disturbed copies"));
    let asked = ask_neighbours(&trainer, &target.network, &shadow.network)?;
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
        inputs: inputs.clone(),
    };
    stage.finish(&target, &shadow, &deployed, parties)
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
            target: target.network.clone(),
            guard,
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
}
