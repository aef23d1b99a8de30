//! The attacks on each way of answering, several at a time.

mod guards;
mod retrained;

use super::answers::softmax_of;
use super::attack::{Asked, View, attack_answers};
use super::defences;
use super::findings::Evaluated;
use super::outcome::Evaluation;
use super::stage::{Defended, Stage};
use crate::LabError;
use crate::logits::softmax;
use ndarray::Array2;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use trefoil_guard::Softmax;

/// Disturbed copies of each record and strength that models are asked about.
pub(super) const NOISY_COPIES: usize = 8;

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
        if config.defences.table {
            jobs.push(Box::new(|| self.table()));
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
                shadow: self.asked.answered(plain, plain)?.shadow,
            },
            None => self.asked.answered(plain, plain)?,
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
        let of = self.config().name.as_str();
        attack_answers(&self.scene(), (of, name), standard, adaptive)
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
            asked: &self.asked.answered(answer, answer)?,
        };
        self.evaluation_of(kind.name(), &view, None)
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
            asked: &self.asked.answered(answer, answer)?,
        };
        Ok(self.evaluation(name, &target, Some(&adaptive))?.into())
    }
}
