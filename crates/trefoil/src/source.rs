//! A model's file.

use crate::Error;
use crate::data::{self, Preparation};
use crate::samples::Samples;
use std::io::ErrorKind;
use std::path::Path;
use trefoil_nn::{Graph, ModelError, Problem};

/// An ONNX model, read once and compiled as often as one likes: for other batches, formats or guards.
///
/// ```
/// use trefoil::{Compile, Source};
///
/// # fn main() -> Result<(), trefoil::Error> {
/// let source = Source::from_bytes(trefoil_digits::MODEL, "digits.onnx")?;
/// let model = source.compile(1, &Compile::default())?;
/// let cost = model.cost();
/// println!("{} rounds, {} bytes", cost.rounds, cost.total_bytes());
/// for step in model.steps() {
///     println!("{} ({}): {:?}", step.name, step.layer, step.shape);
/// }
/// # assert!(cost.rounds > 0 && model.steps().len() > 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Source {
    pub(crate) graph: Graph,
}

impl Source {
    /// Read a file.
    ///
    /// # Errors
    /// If it is missing, no ONNX model, takes nothing, or returns several outputs.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_output(path, None)
    }

    /// Read a file of a model with several outputs, of which the one called `output` is wanted.
    ///
    /// # Errors
    /// As [`Source::open`]; if there is no such output.
    pub fn open_output(path: &Path, output: Option<&str>) -> Result<Self, Error> {
        data::regular(path)?;
        let graph = Graph::load(path).map_err(|error| refuse(&error))?;
        Self::of(graph, output)
    }

    /// A model in memory, called `file` in messages. Weights in files of their own are not read.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, Error> {
        let graph = Graph::from_bytes(bytes, file).map_err(|error| refuse(&error))?;
        Self::of(graph, None)
    }

    fn of(mut graph: Graph, output: Option<&str>) -> Result<Self, Error> {
        if graph.inputs.is_empty() {
            return Err(several(&graph, "takes", 0, "inputs"));
        }
        if let Some(name) = output {
            graph.keep_output(name).map_err(|names| {
                Error::misuse(format!("{} has no output `{name}`", graph.file))
                    .with_help(format!("its outputs are `{names}`"))
            })?;
        }
        if graph.outputs.len() > 1 {
            let names = graph.outputs.join("`, `");
            let number = graph.outputs.len();
            return Err(Error::new(format!(
                "{}: the model returns {number} outputs, `{names}`",
                graph.file
            ))
            .with_help("choose one with --output-name"));
        }
        Ok(Self { graph })
    }

    /// This model, if it has a single input: what verification needs.
    ///
    /// # Errors
    /// If it has several.
    pub fn one_input(self) -> Result<Self, Error> {
        match self.graph.inputs.as_slice() {
            [_] => Ok(self),
            inputs => Err(several(&self.graph, "takes", inputs.len(), "inputs")),
        }
    }

    /// The graph as it was read.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Give the free dimension `name` of the inputs its size.
    ///
    /// # Errors
    /// If there is no such dimension.
    pub fn bind(&mut self, name: &str, size: usize) -> Result<(), Error> {
        if self.graph.bind(name, size) {
            return Ok(());
        }
        Err(Error::misuse(format!(
            "{} has no free dimension `{name}`",
            self.graph.file
        ))
        .with_help(
            "the free dimensions of the input have names; the first is the batch, see --batch",
        ))
    }

    /// Give free dimensions the sizes that `samples` have.
    pub fn bind_samples(&mut self, samples: &Samples) {
        for (index, input) in samples.inputs.iter().enumerate() {
            self.graph.bind_samples(index, input.shape());
        }
    }

    /// Read samples for this model: an .npy or .npz array, MNIST idx, CIFAR-10 binary (all also gzipped), a PNG or JPEG picture,
    /// or a folder of pictures in the natural order of their names. A single sample may lack the first axis. For several
    /// inputs an .npz archive holds an array of the name of each.
    ///
    /// # Errors
    /// If the file cannot be read, has another shape than the model takes, or holds values that are not finite.
    pub fn samples(&self, path: &Path, preparation: &Preparation) -> Result<Samples, Error> {
        Samples::read(path, preparation, &self.graph)
    }
}

/// The refusal of a model of several inputs or outputs.
pub(crate) fn several(graph: &Graph, verb: &str, number: usize, noun: &str) -> Error {
    Error::new(format!(
        "{}: the model {verb} {number} {noun}, one is supported",
        graph.file
    ))
    .with_help("export a model of one input and one output")
}

/// A model's problem, with what to do where the problem itself does not say.
pub(crate) fn refuse(error: &ModelError) -> Error {
    let failure = Error::new(error);
    match &error.problem {
        Problem::Read(reason) if reason.kind() == ErrorKind::NotFound => {
            failure.with_help("check the path after --model; it is relative to this folder")
        }
        Problem::Options(_) => failure.with_help("see --ring, --fraction-bits and --batch"),
        _ => failure,
    }
}
