//! The attacks on each way of answering, several at a time.

use super::answers::{guard_of, guarded, simulated, softmax_of};
use super::attack::{Asked, View, ask_neighbours, attack, target_outputs};
use super::models::{Trained, confidences};
use super::records::Part;
use super::stage::{Defended, Stage, cached};
use super::summary::ModelRow;
use super::{Cache, Key, Private, defences};
use crate::attacks::{Attacker, Outputs};
use crate::data::Encoding;
use crate::report::{Histogram, Results};
use crate::train::{Hamp, Loss, Network, hamp_outputs, softmax};
use crate::{LabError, Sides};
use ndarray::Array2;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use trefoil_guard::{Classifier, GuardFile, Optimiser, Softmax};

/// The guard is asked about every so many of the disturbed copies, for it takes its time.
const GUARDED_COPIES: usize = 3;

/// One way of answering, and the attacks on it.
pub struct Evaluation {
    /// The way of answering: `plaintext`, a softmax's name, that and `guarded`, or a defence.
    pub name: String,
    /// What the attacks reached.
    pub results: Results,
}

/// An evaluation, and what else came of it.
pub(super) struct Evaluated {
    pub(super) evaluation: Evaluation,
    /// The model that answered, if it was trained for this.
    pub(super) model: Option<ModelRow>,
    /// Steps that the defence took.
    pub(super) histogram: Option<Histogram>,
    /// Labels that the defence changed.
    pub(super) changed: usize,
}

impl From<Evaluation> for Evaluated {
    fn from(evaluation: Evaluation) -> Self {
        Self {
            evaluation,
            model: None,
            histogram: None,
            changed: 0,
        }
    }
}

/// An evaluation to be made.
pub(super) type Job<'a> = Box<dyn Fn() -> Result<Evaluated, LabError> + Send + Sync + 'a>;

/// Evaluate, one on each processor, and give the outcomes in order.
pub(super) fn evaluate(jobs: &[Job<'_>]) -> Result<Vec<Evaluated>, LabError> {
    jobs.par_iter().map(|job| job()).collect()
}

impl Stage<'_> {
    /// All evaluations that the configuration asks for, in the order of the report.
    pub(super) fn jobs<'a>(
        &'a self,
        plain: &'a Array2<f64>,
        defended: &'a [Defended],
    ) -> Vec<Job<'a>> {
        let config = self.config();
        let mut jobs: Vec<Job<'a>> = vec![Box::new(|| {
            Ok(self.evaluation("plaintext", plain, None)?.into())
        })];
        for defended in defended {
            jobs.push(Box::new(|| Ok(self.unguarded(defended.kind)?.into())));
        }
        for defended in defended {
            jobs.push(Box::new(|| self.guarded(defended)));
        }
        if config.defences.label_only {
            let f = defences::label_only;
            jobs.push(Box::new(move || self.simple("label only", plain, &f)));
        }
        if let Some(count) = config.defences.top {
            let f = move |s: &Array2<f64>| defences::top(s, count);
            let name = format!("top {count}");
            jobs.push(Box::new(move || self.simple(&name, plain, &f)));
        }
        if let Some(decimals) = config.defences.decimals {
            let f = move |s: &Array2<f64>| defences::rounded(s, decimals);
            let name = format!("{decimals} decimals");
            jobs.push(Box::new(move || self.simple(&name, plain, &f)));
        }
        if let (true, Some(first)) = (config.defences.memguard, defended.first()) {
            jobs.push(Box::new(|| self.memguard(first)));
        }
        if let Some(hamp) = config.defences.hamp {
            jobs.push(Box::new(move || self.hamp(hamp)));
        }
        if let Some(private) = &config.defences.private {
            jobs.push(Box::new(|| self.private(private)));
        }
        jobs
    }

    /// Attack the answers of one way of answering; `adaptive` holds what an attacker who knows the
    /// defence sees and makes.
    fn evaluation(
        &self,
        name: &str,
        answers: &Array2<f64>,
        adaptive: Option<&View<'_>>,
    ) -> Result<Evaluation, LabError> {
        let shadow = softmax(self.shadow.view());
        let references: Vec<_> = self.references.iter().map(|z| softmax(z.view())).collect();
        // What an attacker sees of the answers about copies does not depend on what it knows of the defence.
        let plain = |z: &Array2<f64>| Ok(softmax(z.view()));
        let asked = match adaptive {
            Some(view) => Asked {
                target: view.asked.target.clone(),
                shadow: self.asked.answered(1, plain, plain)?.shadow,
            },
            None => self.asked.answered(1, plain, plain)?,
        };
        let standard = View {
            target: answers,
            shadow: &shadow,
            references: &references,
            undefended: None,
            asked: &asked,
        };
        self.evaluation_of(name, &standard, adaptive)
    }

    /// Attack as an attacker sees it who does not know the defence, and as one who does.
    fn evaluation_of(
        &self,
        name: &str,
        standard: &View<'_>,
        adaptive: Option<&View<'_>>,
    ) -> Result<Evaluation, LabError> {
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
        Ok(Evaluation { name, results })
    }

    /// Secure inference with one softmax. The attacker's models answer with the same one.
    fn unguarded(&self, kind: Softmax) -> Result<Evaluation, LabError> {
        self.say(&format!("attacking {}", kind.name()));
        let seed = self.config().seed;
        let target = softmax_of(kind, self.target.view(), seed)?;
        let shadow = softmax_of(kind, self.shadow.view(), seed)?;
        let references = self
            .references
            .iter()
            .map(|z| softmax_of(kind, z.view(), seed));
        let references: Vec<_> = references.collect::<Result<_, _>>()?;
        let answer = |z: &Array2<f64>| softmax_of(kind, z.view(), seed);
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references,
            undefended: None,
            asked: &self.asked.answered(1, answer, answer)?,
        };
        self.evaluation_of(kind.name(), &view, None)
    }

    /// The answers of the guard over one softmax, and how many labels it changed.
    fn guarded(&self, defended: &Defended) -> Result<Evaluated, LabError> {
        let Defended {
            kind,
            h,
            shadow_h,
            references_h,
            tuned,
        } = defended;
        let (kind, config) = (*kind, self.config());
        self.say(&format!("guarding with {}", kind.name()));
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
        let (shadow, unguarded) = (plain(&self.shadow)?, self.each(plain)?);
        let protect = |z: &Array2<f64>| simulate(cache, &guard, z);
        let standard = View {
            target: &answers,
            shadow: &shadow,
            references: &unguarded,
            undefended: None,
            asked: &self.asked.answered(GUARDED_COPIES, protect, plain)?,
        };
        // Adaptive: each of its models has a guard of its own, with an h trained on that model's members.
        let imitate =
            |h: &Classifier, z: &Array2<f64>| simulate(cache, &guard_of(h, kind, tuned.steps)?, z);
        let shadow = imitate(shadow_h, &self.shadow)?;
        let references = self.each_with(references_h, imitate)?;
        let imitate = |z: &Array2<f64>| imitate(shadow_h, z);
        let adaptive = View {
            target: &averaged,
            shadow: &shadow,
            references: &references,
            undefended: Some(&unguarded),
            asked: &self.asked.answered(GUARDED_COPIES, protect, imitate)?,
        };
        let name = format!("{} guarded", kind.name());
        Ok(Evaluated {
            changed,
            ..self
                .evaluation_of(&name, &standard, Some(&adaptive))?
                .into()
        })
    }

    /// A defence that changes confidences by a function of them alone.
    fn simple(
        &self,
        name: &str,
        plain: &Array2<f64>,
        f: &(dyn Fn(&Array2<f64>) -> Array2<f64> + Sync),
    ) -> Result<Evaluated, LabError> {
        self.say(&format!("attacking {name}"));
        let shadow = f(&softmax(self.shadow.view()));
        let references = self.each(|z| Ok(f(&softmax(z.view()))))?;
        let target = f(plain);
        let answer = |z: &Array2<f64>| Ok(f(&softmax(z.view())));
        let adaptive = View {
            target: &target,
            shadow: &shadow,
            references: &references,
            undefended: None,
            asked: &self.asked.answered(1, answer, answer)?,
        };
        Ok(self.evaluation(name, &target, Some(&adaptive))?.into())
    }

    /// `MemGuard` in the clear, and how many steps it takes for each record.
    fn memguard(&self, defended: &Defended) -> Result<Evaluated, LabError> {
        self.say("attacking MemGuard");
        let config = self.config();
        let optimiser = Optimiser {
            outer: config.guard.outer,
            inner: config.guard.inner.iter().copied().max().unwrap_or(1),
            beta: defended.tuned.steps.beta,
            weights: [1.0, 10.0, 0.1],
            stops: true,
        };
        let cache = self.trainer.cache;
        let own = |h: &Classifier, z: &Array2<f64>| {
            let tensors = h.tensors();
            let key = Key::new("MemGuard").with(&optimiser).numbers(z);
            let key = tensors.iter().fold(key, Key::numbers);
            // The steps as one more column.
            cached(cache, "memguard", &key, || {
                let (mut answers, steps) = defences::by_memguard(&optimiser, h, z.view());
                let steps = ndarray::Array1::from_iter(steps.into_iter().map(f64::from));
                answers
                    .push_column(steps.view())
                    .map_err(|error| LabError::Model(error.to_string()))?;
                Ok(answers)
            })
        };
        let split = |both: Array2<f64>| {
            let classes = both.ncols() - 1;
            let steps: Vec<u32> = both.column(classes).iter().map(|&s| s as u32).collect();
            (both.slice(ndarray::s![.., ..classes]).to_owned(), steps)
        };
        let (answers, steps) = split(own(&defended.h, &self.target)?);
        let ours = |z: &Array2<f64>| Ok(split(own(&defended.h, z)?).0);
        let theirs = |h: &Classifier, z: &Array2<f64>| Ok(split(own(h, z)?).0);
        let references = self.each_with(&defended.references_h, theirs)?;
        let theirs = |z: &Array2<f64>| theirs(&defended.shadow_h, z);
        let shadow = theirs(&self.shadow)?;
        let adaptive = View {
            target: &answers,
            shadow: &shadow,
            references: &references,
            undefended: Some(&self.each(|z| Ok(softmax(z.view())))?),
            asked: &self.asked.answered(GUARDED_COPIES, ours, theirs)?,
        };
        let evaluation = self.evaluation("MemGuard in the clear", &answers, Some(&adaptive))?;
        Ok(Evaluated {
            histogram: Some(self.iterations(&steps)),
            ..evaluation.into()
        })
    }

    /// HAMP: another target model; the adaptive attacker's shadow and reference models are trained alike.
    fn hamp(&self, hamp: Hamp) -> Result<Evaluated, LabError> {
        self.say("training with HAMP");
        let (records, seed) = (self.trainer.records, self.config().seed);
        let (loss, members) = (Loss::Hamp(hamp), &records.split.target_members);
        let trained = self.trainer.train("HAMP", members, loss, seed)?;
        let own = self.trainer.train(
            "HAMP's shadow model",
            &records.shadow_training,
            loss,
            seed.wrapping_add(1),
        )?;
        let binary = records.data.encoding == Encoding::Bits;
        let make = |network: &Network, logits: &Array2<f64>| {
            hamp_outputs(network, logits.view(), (0.0, 1.0), binary, seed)
        };
        let answer = |network: &Network| make(network, &network.outputs(self.inputs.view())?);
        let note = format!(
            "entropy threshold {}, weight {}",
            hamp.entropy, hamp.entropy_weight
        );
        let (target, shadow) = (answer(&trained.network)?, answer(&own.network)?);
        let asked = ask_neighbours(&self.trainer, &trained.network, &own.network)?;
        let asked = asked.answered(1, |z| make(&trained.network, z), |z| make(&own.network, z))?;
        let models = self.trainer.references(|name, rows, seed| {
            let name = format!("HAMP's {name}");
            Ok(self.trainer.train(&name, rows, loss, seed)?.network)
        })?;
        let references = models.iter().map(|(network, _)| answer(network));
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references.collect::<Result<Vec<_>, _>>()?,
            undefended: None,
            asked: &asked,
        };
        self.retrained("HAMP", &trained, &note, &view)
    }

    /// DP-SGD: another target model; the adaptive attacker's shadow and reference models are trained alike.
    fn private(&self, private: &Private) -> Result<Evaluated, LabError> {
        self.say("training with DP-SGD");
        let (records, seed) = (self.trainer.records, self.config().seed);
        let members = &records.split.target_members;
        let (trained, spent) = self
            .trainer
            .train_privately("DP-SGD", members, private, seed)?;
        let (own, _) = self.trainer.train_privately(
            "DP-SGD's shadow model",
            &records.shadow_training,
            private,
            seed.wrapping_add(1),
        )?;
        let note = format!(
            "ε = {:.2} at δ = {}, noise {:.3}, clip {}, {} steps",
            spent.epsilon(private.delta),
            private.delta,
            spent.noise,
            private.clip,
            spent.steps
        );
        let target = confidences(&trained.network, self.inputs.view())?;
        let shadow = confidences(&own.network, self.inputs.view())?;
        let asked = ask_neighbours(&self.trainer, &trained.network, &own.network)?;
        let plain = |z: &Array2<f64>| Ok(softmax(z.view()));
        let models = self.trainer.references(|name, rows, seed| {
            let name = format!("DP-SGD's {name}");
            let trained = self.trainer.train_privately(&name, rows, private, seed)?;
            Ok(trained.0.network)
        })?;
        let references = models.iter();
        let references = references.map(|(network, _)| confidences(network, self.inputs.view()));
        let view = View {
            target: &target,
            shadow: &shadow,
            references: &references.collect::<Result<Vec<_>, _>>()?,
            undefended: None,
            asked: &asked.answered(1, plain, plain)?,
        };
        self.retrained("DP-SGD", &trained, &note, &view)
    }

    fn retrained(
        &self,
        name: &str,
        trained: &Trained,
        note: &str,
        adaptive: &View<'_>,
    ) -> Result<Evaluated, LabError> {
        Ok(Evaluated {
            model: Some(self.model(name, trained, note, Part::NonMembers)?),
            ..self
                .evaluation(name, adaptive.target, Some(adaptive))?
                .into()
        })
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
}

/// What a guard answers, in floats.
fn simulate(cache: &Cache, guard: &GuardFile, z: &Array2<f64>) -> Result<Array2<f64>, LabError> {
    let key = Key::new("simulated").with(&guard.digest()).numbers(z);
    cached(cache, "simulated", &key, || simulated(guard, z.view()))
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
