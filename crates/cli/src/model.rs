//! From a model file and pictures to a plan whose batches they fill.

use crate::files::{self, Preparation};
use crate::memory::fitting_batch;
use crate::{Failure, arrays, guard, inputs};
use clap::Args;
use ndarray::{ArrayD, Axis};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use trefoil_guard::Guard;
use trefoil_nn::graph::Element;
use trefoil_nn::{Graph, ModelError, Options, Plan, Problem, Scaling, Scores, Weights};

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

impl NumberFormat {
    /// Bits after the binary point.
    pub(crate) fn bits(self) -> u32 {
        let default = Options::ring(self.ring).fraction_bits;
        self.fraction_bits.unwrap_or(default)
    }
}

fn ring(text: &str) -> Result<u32, String> {
    match text {
        "32" => Ok(32),
        "64" => Ok(64),
        _ => Err("rings of 32 and 64 bits are supported".to_owned()),
    }
}

/// A compiled model of one output.
pub(crate) struct Model {
    /// What is computed.
    pub(crate) plan: Plan,
    /// With which weights.
    pub(crate) weights: Weights,
    /// The guard over its answers.
    pub(crate) guard: Option<Guard>,
    /// What the client does to inputs before the plan takes them.
    scaling: Option<Scaling>,
    /// Steps, as they are compiled, whose softmax takes logits that lie far apart.
    pub(crate) far: Vec<usize>,
}

/// Pictures that fit a model.
pub(crate) struct Pictures {
    /// For each input of the model `[N, …]`, with that input's shape behind the first axis. N is the same for all.
    pub(crate) inputs: Vec<ArrayD<f64>>,
    /// Files of a folder, one for each, in order; none for other sources.
    pub(crate) files: Vec<PathBuf>,
}

impl Pictures {
    /// Pictures that come from no folder.
    pub(crate) fn of(values: ArrayD<f64>) -> Self {
        Self {
            inputs: vec![values],
            files: Vec::new(),
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.inputs.first().map_or(0, |input| input.len_of(Axis(0)))
    }

    /// Those of the given numbers, in that order.
    pub(crate) fn select(&self, numbers: &[usize]) -> Self {
        let inputs = self.inputs.iter();
        Self {
            inputs: inputs.map(|input| input.select(Axis(0), numbers)).collect(),
            files: Vec::new(),
        }
    }
}

impl Model {
    /// Compile `graph` for `pictures`, `batch` of them at once; by default as many as memory is meant for
    /// ([`crate::memory`]), and at most [`BATCH`].
    ///
    /// # Errors
    /// If the model gives several tensors, or cannot be compiled.
    pub(crate) fn compile(
        graph: &Graph,
        pictures: usize,
        batch: Option<usize>,
        format: NumberFormat,
    ) -> Result<Self, Failure> {
        Self::compile_scaled(graph, pictures, batch, format, false)
    }

    /// The same; with `public_scaling`, what scales the model's input is apart from the plan, see [`Model::scaled`].
    ///
    /// # Errors
    /// As [`Model::compile`]; if nothing scales the input where that is asked for.
    pub(crate) fn compile_scaled(
        graph: &Graph,
        pictures: usize,
        batch: Option<usize>,
        format: NumberFormat,
        public_scaling: bool,
    ) -> Result<Self, Failure> {
        let compile = |options: &Options| {
            if public_scaling {
                Plan::compile_scaled(graph, options)
            } else {
                Plan::compile(graph, options).map(|(plan, weights)| (plan, weights, None))
            }
        };
        let mut options = Options::ring(format.ring);
        if let Some(bits) = format.fraction_bits {
            options.fraction_bits = bits;
        }
        options.batch = Some(batch.unwrap_or(BATCH.min(pictures)));
        let mut compiled = compile(&options);
        let answers_each = |plan: &Plan| match plan.outputs.as_slice() {
            [output] => plan.shape(output.value).first() == Some(&plan.batch),
            _ => true,
        };
        let fits = matches!(&compiled, Ok((plan, ..)) if answers_each(plan));
        if !fits && batch.is_none() {
            // A model may mix its pictures, so that it runs at the batch it was exported for only; or drop an axis of 1,
            // so that it takes two at least.
            for other in [None, Some(2)] {
                options.batch = other;
                let again = compile(&options);
                if matches!(&again, Ok((plan, ..)) if answers_each(plan)) {
                    compiled = again;
                    break;
                }
                if compiled.is_err() {
                    compiled = again;
                }
            }
        } else if let Ok((plan, ..)) = &compiled
            && batch.is_none()
            && fitting_batch(plan) < plan.batch
        {
            // Large pictures: fewer at once, so that memory does not grow with their number.
            options.batch = Some(fitting_batch(plan));
            drop(compiled);
            compiled = compile(&options);
        }
        let (plan, weights, scaling) = compiled.map_err(|error| refuse(&error))?;
        let [output] = plan.outputs.as_slice() else {
            return Err(several(graph, "returns", plan.outputs.len(), "outputs"));
        };
        if !answers_each(&plan) {
            let shape = plan.shape(output.value);
            let message = format!(
                "{}: output `{}` of shape {shape:?} does not begin with the batch of {}",
                graph.file, output.name, plan.batch
            );
            return Err(Failure::new(message).help("export a model with one answer per picture"));
        }
        if public_scaling && scaling.is_none() {
            return Err(Failure::new(format!(
                "{}: nothing at the model's input scales it, so there is nothing that --public-scaling could leave to the \
                 client",
                graph.file
            ))
            .help("leave --public-scaling out"));
        }
        let mut model = Self::new(plan, weights);
        model.scaling = scaling;
        Ok(model)
    }

    /// The pictures as the plan takes them: scaled, where that is left to the client.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub(crate) fn scaled(&self, pictures: &Pictures) -> Result<Pictures, Failure> {
        let inputs = match (&self.scaling, &pictures.inputs[..]) {
            (Some(scaling), [values]) => vec![scaling.apply(values).map_err(Failure::new)?],
            // Models of several inputs have no scaling apart.
            (_, inputs) => inputs.to_vec(),
        };
        let files = pictures.files.clone();
        Ok(Pictures { inputs, files })
    }

    /// What the client does to inputs before the plan takes them.
    pub(crate) fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// What the numbers of an answer are.
    pub(crate) fn scores(&self) -> Option<Scores> {
        match &self.guard {
            Some(guard) => Some(Scores::Classes(guard.settings().classes())),
            None => self.plan.scores(),
        }
    }

    /// A compiled model, unguarded.
    pub(crate) fn new(plan: Plan, weights: Weights) -> Self {
        Self {
            plan,
            weights,
            guard: None,
            scaling: None,
            far: Vec::new(),
        }
    }

    /// Let the softmaxes at `steps` take logits that lie far apart.
    pub(crate) fn widen(&mut self, steps: &[usize]) {
        self.plan.widen_softmaxes(&mut self.weights, steps);
        self.far = steps.to_vec();
    }

    /// Put the guard of a file over the answers, which are confidences then; a softmax at the model's end gives way to
    /// the guard's.
    ///
    /// # Errors
    /// If the file is no guard, or not one for this model and its numbers.
    pub(crate) fn guard(&mut self, path: &Path) -> Result<(), Failure> {
        let guard = guard::load(path)?;
        self.plan.open_at_logits();
        if self.plan.scores() == Some(Scores::Probability) {
            return Err(Failure::new(
                "the model answers with a probability that is computed from a logit on the way: a guard works on logits",
            )
            .help("export a model that ends in the sigmoid, or before it"));
        }
        // The guard's answers are confidences of two classes then.
        self.plan.pair_logits();
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
        let mut inputs = pictures.inputs.iter();
        match inputs.find_map(|input| arrays::first(input, |value| value.abs() >= limit)) {
            None => Ok(()),
            Some((index, value)) => Err(Failure::new(format!(
                "{} at {index:?} is {value}, outside ±{limit} ({bits} fraction bits in a ring of \
                 {ring} bits)",
                path.display()
            ))
            .help(format!(
                "scale the pictures as in training, or use {}",
                wider(ring)
            ))),
        }
    }
}

/// Options that let the ring hold larger numbers than it does.
pub(crate) fn wider(ring_bits: u32) -> &'static str {
    if ring_bits == 64 {
        "fewer --fraction-bits"
    } else {
        "fewer --fraction-bits, or --ring 64"
    }
}

/// Read a model's file.
///
/// # Errors
/// If it is missing, no ONNX model, or takes several inputs.
pub(crate) fn load(path: &Path) -> Result<Graph, Failure> {
    inputs::regular(path)?;
    let graph = Graph::load(path).map_err(|error| refuse(&error))?;
    one_input(&graph)?;
    Ok(graph)
}

/// Check that a model has a single input.
///
/// # Errors
/// If it has several, or none.
pub(crate) fn one_input(graph: &Graph) -> Result<(), Failure> {
    match graph.inputs.as_slice() {
        [_] => Ok(()),
        inputs => Err(several(graph, "takes", inputs.len(), "inputs")),
    }
}

/// Read a model's file, of as many inputs as it has, with the one output that is wanted.
///
/// # Errors
/// If it is missing, no ONNX model, or has no such output.
pub(crate) fn load_output(path: &Path, output: Option<&str>) -> Result<Graph, Failure> {
    inputs::regular(path)?;
    let mut graph = Graph::load(path).map_err(|error| refuse(&error))?;
    if graph.inputs.is_empty() {
        return Err(several(&graph, "takes", 0, "inputs"));
    }
    if let Some(name) = output {
        graph.keep_output(name).map_err(|names| {
            Failure::misuse(format!("{} has no output `{name}`", graph.file))
                .help(format!("its outputs are `{names}`"))
        })?;
    }
    if graph.outputs.len() > 1 {
        let names = graph.outputs.join("`, `");
        let number = graph.outputs.len();
        return Err(Failure::new(format!(
            "{}: the model returns {number} outputs, `{names}`",
            graph.file
        ))
        .help("choose one with --output-name"));
    }
    Ok(graph)
}

/// Read pictures for the input of `graph`; a single picture may lack the first axis. For several inputs an .npz archive holds
/// an array of the name of each.
///
/// # Errors
/// If the file cannot be read, has another shape, or holds values that are not finite.
pub(crate) fn pictures(
    path: &Path,
    preparation: &Preparation,
    graph: &Graph,
) -> Result<Pictures, Failure> {
    let pictures = if let [input] = graph.inputs.as_slice() {
        let samples = files::samples(path, preparation, &input.shape, &graph.file)?;
        Pictures {
            inputs: vec![samples.values],
            files: samples.files,
        }
    } else {
        Pictures {
            inputs: several_inputs(path, preparation, graph)?,
            files: Vec::new(),
        }
    };
    for (input, values) in graph.inputs.iter().zip(&pictures.inputs) {
        arrays::all_finite(path, values)?;
        let Some((index, value)) = arrays::first(values, |v| !input.element.holds(v)) else {
            continue;
        };
        let what = if input.element == Element::Boolean {
            "0 and 1"
        } else {
            "whole numbers"
        };
        return Err(Failure::new(format!(
            "{} at {index:?} is {value}, but the model {} takes {what} as `{}`",
            path.display(),
            graph.file,
            input.name
        ))
        .help("prepare the array as in training; --mean, --std and --unit make fractions"));
    }
    Ok(pictures)
}

/// The array of each input of a model that has several.
fn several_inputs(
    path: &Path,
    preparation: &Preparation,
    graph: &Graph,
) -> Result<Vec<ArrayD<f64>>, Failure> {
    let names: Vec<&str> = graph.inputs.iter().map(|i| i.name.as_str()).collect();
    let help = || {
        format!(
            "save one .npz archive with an array for each input of the model: `{}`",
            names.join("`, `")
        )
    };
    let is_archive = |path: &Path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ending.eq_ignore_ascii_case("npz"))
    };
    if !is_archive(path) {
        return Err(Failure::new(format!(
            "{}: the model {} takes {} inputs",
            path.display(),
            graph.file,
            names.len()
        ))
        .help(help()));
    }
    let mut arrays: Vec<ArrayD<f64>> = Vec::with_capacity(names.len());
    for input in &graph.inputs {
        let array =
            files::samples_named(path, &input.name, preparation, &input.shape, &graph.file)?;
        if let Some(first) = arrays.first()
            && first.shape()[0] != array.shape()[0]
        {
            return Err(Failure::new(format!(
                "{}: `{}` holds {} samples and `{}` {}",
                path.display(),
                names[0],
                first.shape()[0],
                input.name,
                array.shape()[0]
            ))
            .help("each array holds every sample once, along its first axis"));
        }
        arrays.push(array);
    }
    Ok(arrays)
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
