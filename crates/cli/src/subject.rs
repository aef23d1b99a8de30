//! A model and what each of its steps costs, known before anything runs.

use crate::options::{ModelOption, NumberOptions, PreparationOptions, RangeOptions};
use crate::{Bars, Failure};
use clap::Args;
use std::num::NonZeroUsize;
use trefoil::{Compile, Model, Source};
use trefoil_nn::StepPrice;

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

/// A free dimension and its size.
#[derive(Clone, Debug)]
struct Binding {
    name: String,
    size: usize,
}

/// A name and a size, as a user writes them.
fn binding(text: &str) -> Result<Binding, String> {
    let wrong = || "a name and a size are expected, such as height=224".to_owned();
    let (name, size) = text.split_once('=').ok_or_else(wrong)?;
    match size.parse() {
        Ok(size) if size > 0 => Ok(Binding {
            name: name.to_owned(),
            size,
        }),
        _ => Err(wrong()),
    }
}

/// A compiled model with its price.
pub(crate) struct PricedModel {
    /// The file, as given.
    pub(crate) file: String,
    /// What it was compiled from.
    pub(crate) source: Source,
    /// The model.
    pub(crate) model: Model,
    /// Its steps, in order.
    pub(crate) steps: Vec<StepPrice>,
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
        let steps = model.steps();
        Ok(PricedModel {
            file,
            source,
            model,
            steps,
        })
    }
}

impl PricedModel {
    /// Products that are summed, in all.
    pub(crate) fn multiply_accumulates(&self) -> u64 {
        self.steps.iter().map(|s| s.multiply_accumulates).sum()
    }

    /// The most bytes of shares that a party holds at once.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let steps = self.steps.iter().map(|step| step.memory_bytes);
        steps.max().unwrap_or(0)
    }

    /// One line that says what the columns are about.
    pub(crate) fn headline(&self) -> String {
        let plan = &self.model.plan;
        format!(
            "{}: batch {}, ring of {} bits, {} fraction bits",
            self.file, plan.batch, plan.ring_bits, plan.fraction_bits
        )
    }
}
