//! From a model file and pictures to a plan whose batches they fill.

use crate::files::{self, Preparation};
use crate::{Failure, arrays, guard};
use clap::Args;
use ndarray::{ArrayD, Axis};
use std::io::ErrorKind;
use std::path::Path;
use trefoil_guard::GuardFile;
use trefoil_nn::graph::Dimension;
use trefoil_nn::{Graph, ModelError, Options, Plan, Problem, Weights};

/// Pictures at once unless the user chooses: enough to fill messages, little enough for memory.
const BATCH: usize = 64;

/// How numbers are represented.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct NumberFormat {
    /// Bits of the ring
    #[arg(long, value_name = "BITS", default_value = "64", value_parser = ring)]
    pub(crate) ring: u32,
    /// Bits after the binary point [default: 20 in the ring of 64 bits, 10 in that of 32]
    #[arg(long, value_name = "F")]
    pub(crate) fraction_bits: Option<u32>,
}

fn ring(text: &str) -> Result<u32, String> {
    match text {
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err("rings of 32 and 64 bits are supported".to_owned()),
    }
}

/// A compiled model of one input and one output.
pub(crate) struct Model {
    /// What is computed.
    pub(crate) plan: Plan,
    /// With which weights.
    pub(crate) weights: Weights,
    /// The guard over its answers.
    pub(crate) guard: Option<GuardFile>,
}

/// Pictures that fit a model.
pub(crate) struct Pictures {
    /// `[N, …]`, with the shape of the model's input behind the first axis.
    pub(crate) values: ArrayD<f64>,
}

impl Pictures {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.values.len_of(Axis(0))
    }
}

impl Model {
    /// Compile `graph` for `pictures`, from `batch` at once.
    ///
    /// # Errors
    /// If the model takes or gives several tensors, or cannot be compiled.
    pub(crate) fn compile(
        graph: &Graph,
        pictures: usize,
        batch: Option<usize>,
        format: NumberFormat,
    ) -> Result<Self, Failure> {
        let mut options = Options::ring(format.ring);
        if let Some(bits) = format.fraction_bits {
            options.fraction_bits = bits;
        }
        options.batch = Some(batch.unwrap_or(BATCH.min(pictures)));
        let mut compiled = Plan::compile(graph, &options);
        if compiled.is_err() && batch.is_none() {
            // A model may mix its pictures, so that it runs at the batch it was exported for only.
            options.batch = None;
            compiled = Plan::compile(graph, &options);
        }
        let (plan, weights) = compiled.map_err(|error| refuse(&error))?;
        let [output] = plan.outputs.as_slice() else {
            return Err(several(graph, "returns", plan.outputs.len(), "outputs"));
        };
        if plan.shape(output.value).first() != Some(&plan.batch) {
            let shape = plan.shape(output.value);
            let message = format!(
                "{}: output `{}` of shape {shape:?} does not begin with the batch of {}",
                graph.file, output.name, plan.batch
            );
            return Err(Failure::new(message).help("export a model with one answer per picture"));
        }
        Ok(Self::new(plan, weights))
    }

    /// A compiled model, unguarded.
    pub(crate) fn new(plan: Plan, weights: Weights) -> Self {
        Self {
            plan,
            weights,
            guard: None,
        }
    }

    /// Put the guard of a file over the answers, which are confidences then; a softmax at the model's end gives way to
    /// the guard's.
    ///
    /// # Errors
    /// If the file is no guard, or not one for this model and its numbers.
    pub(crate) fn guard(&mut self, path: &Path) -> Result<(), Failure> {
        let guard = guard::load(path)?;
        self.plan.open_at_logits();
        let guard = guard::fitted(guard, &self.plan).map_err(|error| {
            Failure::new(format!(
                "{} does not guard this model: {error}",
                path.display()
            ))
        })?;
        self.guard = Some(guard);
        Ok(())
    }

    /// The shape of one answer.
    pub(crate) fn answer_shape(&self) -> &[usize] {
        let output = self.plan.outputs.first();
        output.map_or(&[], |output| &self.plan.shape(output.value)[1..])
    }

    /// Check that the plan's numbers can hold all pictures, before anything is shared.
    ///
    /// # Errors
    /// The first value that is too large, by its place in `path`.
    pub(crate) fn check_range(&self, path: &Path, pictures: &Pictures) -> Result<(), Failure> {
        let (ring, bits) = (self.plan.ring_bits, self.plan.fraction_bits);
        let limit = (f64::from(ring) - 2.0 - f64::from(bits)).exp2();
        match arrays::first(&pictures.values, |value| value.abs() >= limit) {
            None => Ok(()),
            Some((index, value)) => Err(Failure::new(format!(
                "{} at {index:?} is {value}, outside ±{limit} ({bits} fraction bits in a ring of \
                 {ring} bits)",
                path.display()
            ))
            .help("scale the pictures as in training, or use fewer fraction bits or --ring 64")),
        }
    }
}

/// Read a model's file.
///
/// # Errors
/// If it is missing, no ONNX model, or takes several inputs.
pub(crate) fn load(path: &Path) -> Result<Graph, Failure> {
    let graph = Graph::load(path).map_err(|error| refuse(&error))?;
    match graph.inputs.as_slice() {
        [_] => Ok(graph),
        inputs => Err(several(&graph, "takes", inputs.len(), "inputs")),
    }
}

/// Read pictures for the single input of `graph`; a single picture may lack the first axis.
///
/// # Errors
/// If the file cannot be read, has another shape, or holds values that are not finite.
pub(crate) fn pictures(
    path: &Path,
    preparation: &Preparation,
    graph: &Graph,
) -> Result<Pictures, Failure> {
    let values = files::pictures(path, preparation)?;
    let axes = graph.inputs.first().map_or(&[][..], |input| &input.shape);
    let fits = |shape: &[usize]| {
        shape.len() == axes.len()
            && shape
                .iter()
                .zip(axes)
                .skip(1)
                .all(|(size, axis)| match axis {
                    Dimension::Fixed(expected) => size == expected,
                    // The compiler refuses it, with its name.
                    Dimension::Free(_) => true,
                })
    };
    let values = if fits(&[&[1], values.shape()].concat()) {
        values.insert_axis(Axis(0))
    } else {
        values
    };
    let values = flattened(values, axes);
    let (shown, shape) = (path.display(), values.shape());
    if axes.is_empty() || !fits(shape) {
        let expected = expected(axes);
        return Err(Failure::new(format!(
            "{shown} has shape {shape:?}, the model {} takes {expected}",
            graph.file
        ))
        .help(format!(
            "reshape the array to {expected}, N being the number of pictures"
        )));
    }
    if values.is_empty() {
        return Err(Failure::new(format!(
            "{shown} holds no pictures: shape {shape:?}"
        )));
    }
    arrays::all_finite(path, &values)?;
    Ok(Pictures { values })
}

/// Pictures (N, C, H, W) for a model that takes each as one row of numbers, or a column: in row-major order.
fn flattened(values: ArrayD<f64>, axes: &[Dimension]) -> ArrayD<f64> {
    let sizes: Vec<usize> = axes
        .iter()
        .skip(1)
        .filter_map(|axis| match axis {
            Dimension::Fixed(size) => Some(*size),
            Dimension::Free(_) => None,
        })
        .collect();
    let pixels = values.shape().iter().skip(1).product::<usize>();
    let is_row =
        sizes.len() + 1 == axes.len() && sizes.iter().filter(|&&size| size > 1).count() == 1;
    if values.ndim() != 4 || axes.len() >= 4 || !is_row || sizes.iter().product::<usize>() != pixels
    {
        return values;
    }
    let shape = [&values.shape()[..1], &sizes].concat();
    values.into_shape_with_order(shape).unwrap_or_default()
}

/// A shape with N for the first axis.
fn expected(axes: &[Dimension]) -> String {
    let rest = axes.iter().skip(1).map(|axis| match axis {
        Dimension::Fixed(size) => size.to_string(),
        Dimension::Free(name) => name.clone(),
    });
    let sizes: Vec<String> = ["N".to_owned()].into_iter().chain(rest).collect();
    format!("[{}]", sizes.join(", "))
}

fn several(graph: &Graph, verb: &str, number: usize, noun: &str) -> Failure {
    Failure::new(format!(
        "{}: the model {verb} {number} {noun}, one is supported",
        graph.file
    ))
    .help("export a model of one input and one output")
}

/// A model's problem, with what to do where the problem itself does not say.
fn refuse(error: &ModelError) -> Failure {
    let failure = Failure::new(error);
    match &error.problem {
        Problem::Read(reason) if reason.kind() == ErrorKind::NotFound => {
            failure.help("check the path after --model; it is relative to this folder")
        }
        Problem::Options(_) => failure.help("see --ring, --fraction-bits and --batch"),
        _ => failure,
    }
}
