//! How a model is made of its file: with which batch, numbers and scaling.

use crate::Failure;
use crate::model::{Model, NumberFormat};
use trefoil_nn::Graph;

/// What [`Recipe::adapt`] does to a compiled model: a guard takes the place of the last softmax, say.
pub(crate) type Adapt<'a> = &'a dyn Fn(&mut Model) -> Result<(), Failure>;

/// All that decides about a plan. Models are compiled several times: for few samples, in other formats.
#[derive(Clone)]
pub(crate) struct Recipe<'a> {
    /// The file.
    pub(crate) graph: &'a Graph,
    /// Pictures that will be answered.
    pub(crate) pictures: usize,
    /// Pictures at once, if the user chose.
    pub(crate) batch: Option<usize>,
    /// The numbers.
    pub(crate) format: NumberFormat,
    /// Whether the scaling at the input is the client's.
    pub(crate) public_scaling: bool,
    /// What is done to the model when it is compiled.
    pub(crate) adapt: Adapt<'a>,
    /// Steps whose softmax takes logits that lie far apart.
    pub(crate) far: Vec<usize>,
}

impl Recipe<'_> {
    /// Compile the model.
    ///
    /// # Errors
    /// As [`Model::compile`]; if there is no scaling at the input where it is asked for.
    pub(crate) fn compile(&self) -> Result<Model, Failure> {
        let mut model = Model::compile_scaled(
            self.graph,
            self.pictures,
            self.batch,
            self.format,
            self.public_scaling,
        )?;
        (self.adapt)(&mut model)?;
        if !self.far.is_empty() {
            model.widen(&self.far);
        }
        Ok(model)
    }

    /// The same model for `samples` pictures, as many at once as are good.
    pub(crate) fn for_samples(&self, samples: usize) -> Self {
        Self {
            pictures: samples,
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
