//! How a model is made of its file: with which batch, numbers, guard and scaling.

use crate::Error;
use crate::model::{Model, NumberFormat};
use crate::source::Source;
use std::path::Path;

/// All that decides about a plan. Models are compiled several times: for few samples, in other formats.
#[derive(Clone)]
pub(crate) struct Recipe<'a> {
    /// The file.
    pub(crate) source: &'a Source,
    /// Samples that will be answered.
    pub(crate) samples: usize,
    /// Samples at once, if the user chose.
    pub(crate) batch: Option<usize>,
    /// The numbers.
    pub(crate) format: NumberFormat,
    /// Whether the scaling at the input is the client's.
    pub(crate) public_scaling: bool,
    /// The file of a guard, which takes the place of the last softmax.
    pub(crate) guard: Option<&'a Path>,
    /// Steps whose softmax takes logits that lie far apart.
    pub(crate) far: Vec<usize>,
}

impl Recipe<'_> {
    /// Compile the model.
    ///
    /// # Errors
    /// As [`Model::compile`]; if the guard does not fit.
    pub(crate) fn compile(&self) -> Result<Model, Error> {
        let mut model = Model::compile(
            self.source,
            self.samples,
            self.batch,
            self.format,
            self.public_scaling,
        )?;
        if let Some(guard) = self.guard {
            model.put_guard(guard)?;
        }
        if !self.far.is_empty() {
            model.widen(&self.far);
        }
        Ok(model)
    }

    /// The same model for this many samples, as many at once as are good.
    pub(crate) fn for_samples(&self, samples: usize) -> Self {
        Self {
            samples,
            batch: None,
            ..self.clone()
        }
    }

    /// The same model in other numbers.
    pub(crate) fn with_bits(&self, fraction_bits: u32) -> Self {
        let mut other = self.clone();
        other.format.fraction_bits = Some(fraction_bits);
        // Found anew in every format.
        other.far = Vec::new();
        other
    }
}
