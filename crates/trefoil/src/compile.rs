//! How a model is to be compiled.

use crate::Error;
use crate::model::{Model, NumberFormat};
use crate::ranges::Ranging;
use crate::recipe::Recipe;
use crate::source::Source;
use crate::watch::Watch;
use std::path::PathBuf;

/// How a model is to be compiled.
#[derive(Clone, Debug, Default)]
pub struct Compile {
    /// Samples at once; by default 64, or what takes about 1 GiB at each party, or as many as there are if that is less.
    pub batch: Option<usize>,
    /// The numbers.
    pub format: NumberFormat,
    /// The file of a guard against membership inference over the answers, which then are confidences in the place of logits.
    pub guard: Option<PathBuf>,
    /// Leave what scales the model's input to the client: constants that are added, multiplied or divided by before the first
    /// layer, and a power of two for each feature whose weights in the first layer are small. Servers never see them; whoever
    /// asks does, so say so only if they are public.
    pub public_scaling: bool,
    /// What decides about the sizes of numbers.
    pub ranging: Ranging,
}

impl Compile {
    pub(crate) fn recipe<'a>(&'a self, source: &'a Source, samples: usize) -> Recipe<'a> {
        Recipe {
            source,
            samples,
            batch: self.batch,
            format: self.format,
            public_scaling: self.public_scaling,
            guard: self.guard.as_deref(),
            far: Vec::new(),
        }
    }
}

impl Source {
    /// Compile the model for so many samples.
    ///
    /// # Errors
    /// If it cannot be computed, with the node and what helps; if a guard does not fit it; if its numbers do not fit the ring.
    pub fn compile(&self, samples: usize, compile: &Compile) -> Result<Model, Error> {
        self.compile_watched(samples, compile, &mut |_, _| ())
    }

    /// The same, watched: measuring ranges may take long.
    ///
    /// # Errors
    /// As [`Source::compile`].
    pub fn compile_watched(
        &self,
        samples: usize,
        compile: &Compile,
        watch: &mut Watch<'_>,
    ) -> Result<Model, Error> {
        let mut recipe = compile.recipe(self, samples);
        let known = compile.ranging.known(&mut recipe, watch)?;
        let mut model = recipe.compile()?;
        if let Some(known) = known {
            model.plan.declare_ranges(&known.declared);
            model.known = Some(known);
        }
        Ok(model)
    }

    /// Compile the model for one batch of the size that it is made for; for a model that takes any, of one sample, or two where one
    /// does not work: some models drop an axis of one sample.
    ///
    /// # Errors
    /// As [`Source::compile`].
    pub fn compile_batch(&self, compile: &Compile, watch: &mut Watch<'_>) -> Result<Model, Error> {
        let mut at = |batch: usize| {
            let compile = Compile {
                batch: Some(batch),
                ..compile.clone()
            };
            self.compile_watched(batch, &compile, watch)
        };
        match (compile.batch, self.graph.fixed_batch()) {
            (Some(batch), _) | (None, Some(batch)) => at(batch),
            (None, None) => at(1).or_else(|failure| at(2).map_err(|_| failure)),
        }
    }

    /// The model compiled for one sample at once, as gradients and tolerances are computed on it.
    ///
    /// # Errors
    /// As [`Source::compile`].
    pub fn single(&self, format: NumberFormat) -> Result<Model, Error> {
        let compile = Compile {
            batch: Some(1),
            format,
            ..Compile::default()
        };
        self.compile(1, &compile)
    }
}
