//! The attacks on guarded answers: `SIGuard` and the table guard in fixed point, `MemGuard` in the clear.

use super::super::answers::{guard_of, guarded, simulated, softmax_of};
use super::super::attack::View;
use super::super::findings::Evaluated;
use super::super::records::Part;
use super::super::stage::{Defended, Stage, cached};
use super::super::{Cache, Key, defences};
use crate::logits::{labels_changed, softmax};
use crate::report::Histogram;
use crate::{LabError, Sides};
use ndarray::{Array2, Axis};
use trefoil_guard::{Classifier, GuardFile, Optimiser, Table};

impl Stage<'_> {
    /// The answers of the guard over one softmax, and how many labels it changed.
    pub(super) fn guarded(&self, defended: &Defended) -> Result<Evaluated, LabError> {
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
        let changed = labels_changed(self.target.view(), answers.view());
        // Standard: the attacker knows the softmax, not the guard.
        let plain = |z: &Array2<f64>| softmax_of(kind, z.view(), config.seed);
        let (shadow, unguarded) = (plain(&self.shadow)?, self.each(plain)?);
        let protect = |z: &Array2<f64>| simulate(cache, &guard, z);
        let standard = View {
            target: &answers,
            shadow: &shadow,
            references: &unguarded,
            undefended: None,
            asked: &self.asked.answered(protect, plain)?,
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
            asked: &self.asked.answered(protect, imitate)?,
        };
        let name = format!("{} guarded", kind.name());
        Ok(Evaluated {
            changed,
            ..self
                .evaluation_of(&name, &standard, Some(&adaptive))?
                .into()
        })
    }

    /// The table guard, made of the defender's non-members. An attacker who knows it gives each of its models one of its own.
    pub(super) fn table(&self) -> Result<Evaluated, LabError> {
        self.say("attacking the table guard");
        let records = self.trainer.records;
        let learn = |z: &Array2<f64>, nonmembers: &[usize]| {
            let learned = Table::learn_from_logits(z.select(Axis(0), nonmembers).view());
            let learned = learned.map_err(|error| LabError::Model(error.to_string()))?;
            Ok::<_, LabError>(learned.table)
        };
        let defence: Vec<usize> = records.range(Part::Defence).collect();
        let guard = learn(&self.target, &defence)?;
        let mut own = records.shadow_training.clone();
        own.sort_unstable();
        let shadow_guard = learn(&self.shadow, &records.unseen(&own))?;
        let models = self.references.iter().zip(&self.trained);
        let references = models.map(|(z, trained)| {
            let guard = learn(z, &records.unseen(trained))?;
            Ok(guard.apply(z.view()))
        });
        let protect = |z: &Array2<f64>| Ok(guard.apply(z.view()));
        let imitate = |z: &Array2<f64>| Ok(shadow_guard.apply(z.view()));
        let target = protect(&self.target)?;
        let adaptive = View {
            target: &target,
            shadow: &imitate(&self.shadow)?,
            references: &references.collect::<Result<Vec<_>, LabError>>()?,
            undefended: Some(&self.each(|z| Ok(softmax(z.view())))?),
            asked: &self.asked.answered(protect, imitate)?,
        };
        Ok(Evaluated {
            changed: labels_changed(self.target.view(), target.view()),
            ..self
                .evaluation("table guard", &target, Some(&adaptive))?
                .into()
        })
    }

    /// `MemGuard` in the clear, and how many steps it takes for each record.
    pub(super) fn memguard(&self, defended: &Defended) -> Result<Evaluated, LabError> {
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
            asked: &self.asked.answered(ours, theirs)?,
        };
        let evaluation = self.evaluation("MemGuard in the clear", &answers, Some(&adaptive))?;
        Ok(Evaluated {
            histogram: Some(self.iterations(&steps)),
            ..evaluation.into()
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
