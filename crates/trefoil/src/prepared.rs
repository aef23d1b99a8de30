//! A model and samples made ready for each other, and the answers.

use crate::Error;
use crate::compile::Compile;
use crate::deployment::{Backend, Deployment};
use crate::labels::Check;
use crate::local;
use crate::model::{Model, NumberFormat};
use crate::precision::{self, Looked};
use crate::samples::Samples;
use crate::source::Source;
use crate::tolerance::SampledCheck;
use crate::watch::Watch;
use ndarray::ArrayD;
use trefoil_serve::Report;

/// How many answers are compared with the model in 64-bit floats. The client has model and samples, so it can know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checking {
    /// Some, chosen such that it takes about a second; before the run, the same samples are looked at in fixed point, and what would
    /// come out wrong is refused with what helps.
    #[default]
    Some,
    /// All of them, too.
    All,
    /// None: whatever the numbers give is taken.
    Nothing,
}

/// A model compiled for samples, which have been checked: the numbers can hold them, and fixed point is right for those that were
/// looked at.
pub struct Prepared {
    /// The model.
    pub model: Model,
    /// The samples as the plan takes them.
    pub samples: Samples,
    looked: Option<Looked>,
    checking: Checking,
}

/// Answers, and what is known of them.
#[derive(Clone, Debug)]
pub struct Answers {
    /// `[N, …]`: what the model answers to each sample.
    pub values: ArrayD<f64>,
    /// Time, rounds and bytes.
    pub report: Report,
    /// The distance of all answers from the run in the clear, with [`Checking::All`].
    pub check: Option<Check>,
    /// That of the samples that were looked at before.
    pub sampled: Option<SampledCheck>,
}

impl Source {
    /// Compile the model for `samples`, check them, and look at some of them in fixed point; nothing leaves this process.
    ///
    /// # Errors
    /// As [`Source::compile`]; if numbers cannot hold the samples, or fixed point would answer wrongly: with the layer, and what helps.
    pub fn prepare(
        &self,
        samples: &Samples,
        compile: &Compile,
        backend: Backend,
        checking: Checking,
        watch: &mut Watch<'_>,
    ) -> Result<Prepared, Error> {
        let mut model = self.compile_watched(samples.len(), compile, watch)?;
        let scaled = model.scaled(samples)?;
        model.check_declared(&scaled)?;
        if backend != Backend::Clear {
            model.check_range(&scaled)?;
        }
        let looked = if backend == Backend::Clear || checking == Checking::Nothing {
            None
        } else {
            let mut recipe = compile.recipe(self, samples.len());
            recipe.format = NumberFormat {
                fraction_bits: Some(model.plan.fraction_bits),
                ..compile.format
            };
            recipe.far.clone_from(&model.far);
            let looked = precision::before(&recipe, samples, watch)?;
            if model.far.is_empty() && !looked.far.is_empty() {
                model.widen(&looked.far);
            }
            // A guard's answers are not those of the plan.
            model.guard.is_none().then_some(looked)
        };
        Ok(Prepared {
            model,
            samples: scaled,
            looked,
            checking,
        })
    }
}

impl Prepared {
    /// Ask, and compare answers with the clear as was wished.
    ///
    /// # Errors
    /// If the servers fail; if answers are further off than right ones ever are: then none is returned.
    pub fn answer(&self, servers: &mut Deployment<'_>) -> Result<Answers, Error> {
        let outcome = servers.run(&self.samples)?;
        let values = outcome.outputs.into_iter().next();
        let values = values.ok_or_else(|| Error::new("the parties returned no answer"))?;
        let check = if self.checking == Checking::All {
            let clear = local::clear(&self.model, &self.samples, &mut |progress| {
                servers.tell("running in the clear", Some(progress));
            })?;
            match clear.outputs.first() {
                Some(clear) => {
                    precision::all(&self.model, &values, clear)?;
                    Some(Check::new(&values, clear, self.model.scores()))
                }
                None => None,
            }
        } else {
            None
        };
        let sampled = self.looked.as_ref();
        let sampled = sampled.map(|looked| looked.compare(&values)).transpose()?;
        Ok(Answers {
            values,
            report: outcome.report,
            check,
            sampled,
        })
    }
}
