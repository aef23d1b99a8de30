//! A compiled model.

use crate::Error;
use crate::data::arrays;
use crate::guard;
use crate::known::Known;
use crate::samples::Samples;
use crate::source::{Source, refuse, several};
use std::path::Path;
use trefoil_guard::Guard;
use trefoil_nn::{Cost, Options, Plan, Scaling, Scores, StepPrice, Weights, fitting_batch, price};

/// Samples at once unless the user chooses: enough to fill messages, little enough for memory.
const BATCH: usize = 64;

/// How numbers are represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    /// Bits of the ring: 32 or 64.
    pub ring: u32,
    /// Bits after the binary point; by default 20 in the ring of 64 bits, 10 in that of 32.
    pub fraction_bits: Option<u32>,
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self {
            ring: 64,
            fraction_bits: None,
        }
    }
}

impl NumberFormat {
    /// Bits after the binary point.
    pub fn bits(self) -> u32 {
        let default = Options::ring(self.ring).fraction_bits;
        self.fraction_bits.unwrap_or(default)
    }
}

/// A compiled model of one output: a public plan, secret weights, and what was found out about its numbers.
#[derive(Clone)]
pub struct Model {
    /// What is computed: public.
    pub plan: Plan,
    /// With which weights: secret.
    pub weights: Weights,
    /// The guard over its answers.
    pub guard: Option<Guard>,
    /// How far its numbers reach, where samples or a declared range told.
    pub known: Option<Known>,
    /// What the client does to inputs before the plan takes them.
    scaling: Option<Scaling>,
    /// Steps, as they are compiled, whose softmax takes logits that lie far apart.
    pub(crate) far: Vec<usize>,
    /// The file, for messages.
    pub(crate) file: String,
}

impl Model {
    /// Compile `source` for `samples`, `batch` of them at once; by default as many as memory is meant for
    /// ([`trefoil_nn::BATCH_BYTES`]), and at most [`BATCH`]. With `public_scaling`, what scales the model's input is apart from the
    /// plan, see [`Model::scaled`].
    ///
    /// # Errors
    /// If the model gives several tensors, or cannot be compiled; if nothing scales the input where that is asked for.
    pub(crate) fn compile(
        source: &Source,
        samples: usize,
        batch: Option<usize>,
        format: NumberFormat,
        public_scaling: bool,
    ) -> Result<Self, Error> {
        let graph = &source.graph;
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
        options.batch = Some(batch.unwrap_or(BATCH.min(samples)));
        let mut compiled = compile(&options);
        let answers_each = |plan: &Plan| match plan.outputs.as_slice() {
            [output] => plan.shape(output.value).first() == Some(&plan.batch),
            _ => true,
        };
        let fits = matches!(&compiled, Ok((plan, ..)) if answers_each(plan));
        if !fits && batch.is_none() {
            // A model may mix its samples, so that it runs at the batch it was exported for only; or drop an axis of 1,
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
            // Large samples: fewer at once, so that memory does not grow with their number.
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
            return Err(Error::new(message).with_help("export a model with one answer per sample"));
        }
        if public_scaling && scaling.is_none() {
            return Err(Error::new(format!(
                "{}: nothing at the model's input scales it, so there is nothing that --public-scaling could leave to the \
                 client",
                graph.file
            ))
            .with_help("leave --public-scaling out"));
        }
        let mut model = Self::new(plan, weights);
        model.scaling = scaling;
        model.file.clone_from(&graph.file);
        Ok(model)
    }

    /// The samples as the plan takes them: scaled, where that is left to the client.
    ///
    /// # Errors
    /// If they do not fit the model.
    pub fn scaled(&self, samples: &Samples) -> Result<Samples, Error> {
        let mut scaled = samples.clone();
        // Models of several inputs have no scaling apart.
        if let (Some(scaling), [values]) = (&self.scaling, &mut scaled.inputs[..]) {
            *values = scaling.apply(values).map_err(Error::new)?;
        }
        Ok(scaled)
    }

    /// What the client does to inputs before the plan takes them.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// What the numbers of an answer are.
    pub fn scores(&self) -> Option<Scores> {
        match &self.guard {
            Some(guard) => Some(Scores::Classes(guard.settings().classes())),
            None => self.plan.scores(),
        }
    }

    /// A compiled model, unguarded.
    pub fn new(plan: Plan, weights: Weights) -> Self {
        Self {
            plan,
            weights,
            guard: None,
            known: None,
            scaling: None,
            far: Vec::new(),
            file: String::new(),
        }
    }

    /// A model of nothing but the guard of the file `path`, for `rows` logits at once.
    ///
    /// # Errors
    /// If the guard is for another number of classes, or its numbers do not fit.
    pub fn of_guard(
        path: &Path,
        guard: Guard,
        rows: usize,
        classes: usize,
        format: NumberFormat,
    ) -> Result<Self, Error> {
        let mut options = Options::ring(format.ring);
        if let Some(bits) = format.fraction_bits {
            options.fraction_bits = bits;
        }
        let plan = Plan::of_logits(rows, classes, &options);
        let weights = Weights::from_tensors(&plan, Vec::new()).map_err(Error::new)?;
        let guard = guard::fitted(guard, &plan)
            .map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
        let mut model = Self::new(plan, weights);
        model.guard = Some(guard);
        Ok(model)
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
    pub(crate) fn put_guard(&mut self, path: &Path) -> Result<(), Error> {
        let guard = guard::load(path)?;
        self.plan.open_at_logits();
        if self.plan.scores() == Some(Scores::Probability) {
            return Err(Error::new(
                "the model answers with a probability that is computed from a logit on the way: a guard works on logits",
            )
            .with_help("export a model that ends in the sigmoid, or before it"));
        }
        // The guard's answers are confidences of two classes then.
        self.plan.pair_logits();
        let guard = guard::fitted(guard, &self.plan).map_err(|error| {
            Error::new(format!(
                "{} does not guard this model: {error}",
                path.display()
            ))
        })?;
        self.guard = Some(guard);
        Ok(())
    }

    /// The shape of one sample of the first input.
    pub fn input_shape(&self) -> &[usize] {
        let input = self.plan.inputs.first();
        input.map_or(&[], |input| &self.plan.shape(input.value)[1..])
    }

    /// The shape of one answer.
    pub fn answer_shape(&self) -> &[usize] {
        let output = self.plan.outputs.first();
        output.map_or(&[], |output| &self.plan.shape(output.value)[1..])
    }

    /// What a batch costs: rounds, and bytes that each party sends.
    pub fn cost(&self) -> Cost {
        self.steps().iter().fold(Cost::FREE, |sum, step| {
            sum + Cost {
                rounds: step.rounds,
                bytes: step.bytes_sent_per_party,
            }
        })
    }

    /// Its steps with their costs for one batch.
    pub fn steps(&self) -> Vec<StepPrice> {
        price(&self.plan)
    }

    /// Products that a batch sums, in all.
    pub fn multiply_accumulates(&self) -> u64 {
        let steps = self.steps();
        steps.iter().map(|step| step.multiply_accumulates).sum()
    }

    /// The most bytes of shares that a party holds at once, without a layer's own.
    pub fn memory_bytes(&self) -> u64 {
        let steps = self.steps();
        steps
            .iter()
            .map(|step| step.memory_bytes)
            .max()
            .unwrap_or(0)
    }

    /// Elements of all weights.
    pub fn parameters(&self) -> u64 {
        self.weights.iter().map(|w| w.len() as u64).sum()
    }

    /// Check that the plan's numbers can hold all samples, and that they are in the range that was declared for them, before
    /// anything is shared. `samples` are as the plan takes them ([`Model::scaled`]).
    ///
    /// # Errors
    /// The first value that is too large or outside, by its place.
    pub fn check(&self, samples: &Samples) -> Result<(), Error> {
        self.check_declared(samples)?;
        self.check_range(samples)
    }

    /// The second half of [`Model::check`].
    ///
    /// # Errors
    /// The first value that the plan's numbers cannot hold.
    pub(crate) fn check_range(&self, samples: &Samples) -> Result<(), Error> {
        let (ring, bits) = (self.plan.ring_bits, self.plan.fraction_bits);
        let limit = (f64::from(ring) - 2.0 - f64::from(bits)).exp2();
        let mut inputs = samples.inputs.iter();
        match inputs.find_map(|input| arrays::first(input, |value| value.abs() >= limit)) {
            None => Ok(()),
            Some((index, value)) => Err(Error::new(format!(
                "{} at {index:?} is {value}, outside ±{limit} ({bits} fraction bits in a ring of \
                 {ring} bits)",
                samples.origin
            ))
            .with_help(format!(
                "scale the samples as in training, or use {}",
                wider(ring)
            ))),
        }
    }

    /// The first half of [`Model::check`].
    ///
    /// # Errors
    /// The first value outside the declared range.
    pub(crate) fn check_declared(&self, samples: &Samples) -> Result<(), Error> {
        let ranges = self.plan.input_ranges.iter();
        let outside = ranges
            .zip(&samples.inputs)
            .find_map(|(&[low, high], input)| {
                let outside = |value: f64| !(low..=high).contains(&value);
                arrays::first(input, outside).map(|(index, value)| (index, value, low, high))
            });
        match outside {
            None => Ok(()),
            Some((index, value, low, high)) => Err(Error::new(format!(
                "{} at {index:?} is {value}, outside the declared range of {low} to {high}",
                samples.origin
            ))
            .with_help(
                "prepare samples as in training (--unit, --mean, --std), or calibrate with samples that reach as \
                 far, or declare a wider --input-range",
            )),
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
