//! A model and what each of its steps costs, known before anything runs.

use crate::Failure;
use crate::files::Preparation;
use crate::model::{self, Model, NumberFormat};
use crate::ranges::{Known, RangeOptions};
use clap::Args;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use trefoil_nn::{Cost, Graph, Plan, step_costs};

/// Which model, and how it would run.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    /// The model: an ONNX file with one input, pictures along its first axis
    #[arg(value_name = "M.onnx")]
    model: PathBuf,
    /// Pictures at once [default: the batch that the model is made for, 1 if any will do]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The size of a free dimension of the input, such as height=224
    #[arg(long, value_name = "NAME=SIZE", value_parser = binding)]
    bind: Vec<Binding>,
    #[command(flatten)]
    format: NumberFormat,
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

/// A step of a plan with its price for one batch.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepPrice {
    /// The model's node.
    pub(crate) name: String,
    /// What is computed.
    pub(crate) layer: &'static str,
    /// The output's shape.
    pub(crate) shape: Vec<usize>,
    /// Elements of weights that the step uses.
    pub(crate) parameters: u64,
    /// Products that are summed.
    pub(crate) multiply_accumulates: u64,
    /// Logical rounds.
    pub(crate) rounds: u32,
    /// Payload bytes that each party sends; party 0's are preprocessing.
    pub(crate) bytes_sent_per_party: [u64; 3],
    /// Bytes of the shares that each party holds while the step runs.
    pub(crate) memory_bytes: u64,
}

/// A compiled model with its price.
pub(crate) struct PricedModel {
    /// The file, as given.
    pub(crate) file: String,
    /// The model.
    pub(crate) model: Model,
    /// Its steps, in order.
    pub(crate) steps: Vec<StepPrice>,
}

impl Subject {
    /// Load, compile and price the model.
    ///
    /// # Errors
    /// If the file is missing or no model that can run.
    pub(crate) fn price(&self) -> Result<PricedModel, Failure> {
        let graph = self.load()?;
        let model = self.at_its_batch(&graph, |batch| {
            Model::compile(&graph, batch, Some(batch), self.format)
        })?;
        Ok(self.priced(model))
    }

    /// The same, with what is known of the ranges of its numbers.
    ///
    /// # Errors
    /// As [`Subject::price`] and [`RangeOptions::compile`].
    pub(crate) fn price_with_ranges(
        &self,
        ranges: &RangeOptions,
        preparation: &Preparation,
    ) -> Result<(PricedModel, Option<Known>), Failure> {
        let graph = self.load()?;
        let (model, known) = self.at_its_batch(&graph, |batch| {
            ranges.compile(&graph, batch, Some(batch), self.format, preparation, |_| {
                Ok(())
            })
        })?;
        Ok((self.priced(model), known))
    }

    /// What `compile` gives for the wanted batch; by default that of the file, and for a file that takes any batch 1, or 2
    /// where 1 does not work: some models drop an axis of one sample.
    fn at_its_batch<T>(
        &self,
        graph: &Graph,
        compile: impl Fn(usize) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match (self.batch, graph.fixed_batch()) {
            (Some(batch), _) => compile(batch.get()),
            (None, Some(batch)) => compile(batch),
            (None, None) => compile(1).or_else(|failure| compile(2).map_err(|_| failure)),
        }
    }

    fn load(&self) -> Result<Graph, Failure> {
        let file = self.model.display().to_string();
        if !self.model.exists() {
            return Err(Failure::new(format!("{file}: there is no such file"))
                .help("check the path; it is relative to this folder"));
        }
        let mut graph = model::load_output(&self.model, self.output_name.as_deref())?;
        for Binding { name, size } in &self.bind {
            if !graph.bind(name, *size) {
                return Err(Failure::misuse(format!("{file} has no free dimension `{name}`"))
                    .help("the free dimensions of the input have names; the first is the batch, see --batch"));
            }
        }
        Ok(graph)
    }

    fn priced(&self, model: Model) -> PricedModel {
        let file = self.model.display().to_string();
        let steps = price(&model.plan);
        PricedModel { file, model, steps }
    }
}

impl PricedModel {
    /// Rounds and bytes of the whole plan.
    pub(crate) fn cost(&self) -> Cost {
        self.steps.iter().fold(Cost::FREE, |sum, step| {
            sum + Cost {
                rounds: step.rounds,
                bytes: step.bytes_sent_per_party,
            }
        })
    }

    /// Elements of all weights.
    pub(crate) fn parameters(&self) -> u64 {
        self.model.weights.iter().map(|w| w.len() as u64).sum()
    }

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

/// Every step of a plan with its price.
pub(crate) fn price(plan: &Plan) -> Vec<StepPrice> {
    let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
    let is_weight = |value: usize| plan.weights.iter().any(|port| port.value == value);
    let memory = live_elements(plan);
    plan.steps
        .iter()
        .zip(step_costs(plan))
        .zip(memory)
        .map(|((step, cost), live)| StepPrice {
            name: step.name.clone(),
            layer: step.layer.name(),
            shape: plan.shape(step.output).to_vec(),
            parameters: step
                .inputs
                .iter()
                .filter(|&&value| is_weight(value))
                .map(|&value| size(value))
                .sum(),
            multiply_accumulates: plan.multiply_accumulates(step),
            rounds: cost.rounds,
            bytes_sent_per_party: cost.bytes,
            // Each party holds two components of each element.
            memory_bytes: live * 2 * u64::from(plan.ring_bits / 8),
        })
        .collect()
}

/// Elements of all values that are held while each step runs: the weights always, others from the step that
/// makes them to the last that uses them.
fn live_elements(plan: &Plan) -> Vec<u64> {
    let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
    let mut last = vec![0; plan.shapes.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        for &value in step.inputs.iter().chain([&step.output]) {
            last[value] = index;
        }
    }
    for port in plan.outputs.iter().chain(&plan.weights) {
        last[port.value] = usize::MAX;
    }
    let given = plan.inputs.iter().chain(&plan.weights);
    let mut live: Vec<usize> = given.map(|port| port.value).collect();
    let mut held = Vec::with_capacity(plan.steps.len());
    for (index, step) in plan.steps.iter().enumerate() {
        live.push(step.output);
        held.push(live.iter().map(|&value| size(value)).sum());
        live.retain(|&value| last[value] > index);
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_nn::Options;

    #[test]
    fn memory_holds_the_weights_and_what_is_still_needed() {
        let graph = Graph::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").unwrap();
        let (plan, weights) = Plan::compile(&graph, &Options::ring(64)).unwrap();
        let weights: u64 = weights.iter().map(|w| w.len() as u64).sum();
        let live = live_elements(&plan);
        let size = |value: usize| plan.shape(value).iter().product::<usize>() as u64;
        // A chain: each step holds its operand and its output.
        for (step, live) in plan.steps.iter().zip(live) {
            let operands = step.inputs.iter().chain([&step.output]);
            let operands =
                operands.filter(|&&value| plan.weights.iter().all(|port| port.value != value));
            assert_eq!(live, weights + operands.map(|&v| size(v)).sum::<u64>());
        }
    }
}
