//! A model and what each of its steps costs, known before anything runs.

use crate::options::{
    Binding, ModelOption, NumberOptions, PreparationOptions, RangeOptions, binding,
};
use crate::{Bars, Failure};
use clap::Args;
use std::num::NonZeroUsize;
use trefoil::{Compile, Model, Source};

/// Which model, and how it would run.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    #[command(flatten)]
    model: ModelOption,
    /// Samples at once [default: the batch that the model is made for, 1 if any will do]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The size of a free dimension of the input, such as height=224
    #[arg(long, value_name = "NAME=SIZE", value_parser = binding)]
    bind: Vec<Binding>,
    #[command(flatten)]
    format: NumberOptions,
}

/// A compiled model with its price.
pub(crate) struct PricedModel {
    /// The file, as given.
    pub(crate) file: String,
    /// What it was compiled from.
    pub(crate) source: Source,
    /// The model.
    pub(crate) model: Model,
}

impl Subject {
    /// Load, compile and price the model, with what is known of the ranges of its numbers.
    ///
    /// # Errors
    /// If the file is missing or no model that can run.
    pub(crate) fn price(
        &self,
        ranges: Option<(&RangeOptions, &PreparationOptions)>,
    ) -> Result<PricedModel, Failure> {
        let path = self.model.path();
        let file = path.display().to_string();
        let mut source = Source::open_output(path, self.output_name.as_deref())?;
        for Binding { name, size } in &self.bind {
            source.bind(name, *size)?;
        }
        let mut compile = Compile {
            batch: self.batch.map(NonZeroUsize::get),
            format: self.format.format(),
            ..Compile::default()
        };
        if let Some((ranges, preparation)) = ranges {
            compile.public_scaling = ranges.public_scaling;
            compile.ranging = ranges.ranging(&source, &preparation.preparation())?;
        }
        let mut bars = Bars::new();
        let model = source.compile_batch(&compile, &mut |what, at| bars.show(what, at))?;
        Ok(PricedModel {
            file,
            source,
            model,
        })
    }
}

impl PricedModel {
    /// One line that says what the columns are about.
    pub(crate) fn headline(&self) -> String {
        let plan = &self.model.plan;
        format!(
            "{}: batch {}, ring of {} bits, {} fraction bits",
            self.file, plan.batch, plan.ring_bits, plan.fraction_bits
        )
    }
}
