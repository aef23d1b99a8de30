//! From a graph to a plan and its weights.

use crate::graph::{Dimension, Graph, GraphInput, Node};
use crate::network::{Network, ValueId};
use crate::operators::{Reader, find, reason, supported_operators};
use crate::plan::{Options, Plan, Port, Step, Weights, check_format};
use crate::scaling::{self, Scaling};
use crate::shape::elements;
use crate::{ModelError, Problem, passes};
use ndarray::ArrayD;
use std::collections::HashMap;
use std::sync::Arc;

impl Plan {
    /// Compile a model for a batch and a number format.
    ///
    /// The architecture (operators, attributes, shapes, names) becomes the public plan, the numbers
    /// become the weights. Which plan results never depends on the value of a weight.
    ///
    /// # Errors
    /// If an operator, or a use of one, is not supported, if shapes do not fit, or if the model
    /// cannot run at the wanted batch: with the node's name and what to do.
    pub fn compile(graph: &Graph, options: &Options) -> Result<(Self, Weights), ModelError> {
        let compile = || {
            check_format(options.ring_bits, options.fraction_bits).map_err(Problem::Options)?;
            let (mut network, batch) = network(graph, options.batch)?;
            passes::optimise(&mut network);
            Ok(finish(network, &graph.name, batch, options))
        };
        compile().map_err(|problem: Problem| problem.of(&graph.file))
    }

    /// [`Plan::compile`] of what is behind the scaling at the model's input, and that scaling: leading products and sums
    /// with constants, and a power of two for each feature whose weights in the first layer are small. The plan takes
    /// scaled inputs. No scaling if the model does not begin so.
    ///
    /// Which layers are taken depends on the architecture alone.
    ///
    /// # Errors
    /// As [`Plan::compile`].
    pub fn compile_scaled(
        graph: &Graph,
        options: &Options,
    ) -> Result<(Self, Weights, Option<Scaling>), ModelError> {
        let compile = || {
            check_format(options.ring_bits, options.fraction_bits).map_err(Problem::Options)?;
            let (mut network, batch) = network(graph, options.batch)?;
            let mut scaling = scaling::take(&mut network);
            passes::optimise(&mut network);
            if let Some(scaling) = &mut scaling {
                scaling::balance(&mut network, scaling).map_err(Problem::Options)?;
            }
            let scaling = scaling.filter(|scaling| !scaling.nodes.is_empty());
            let scaling = scaling.map(|network| {
                let (plan, weights) = finish(network, "scaling", batch, options);
                Scaling { plan, weights }
            });
            let (plan, weights) = finish(network, &graph.name, batch, options);
            Ok((plan, weights, scaling))
        };
        compile().map_err(|problem: Problem| problem.of(&graph.file))
    }
}

fn finish(network: Network, name: &str, batch: usize, options: &Options) -> (Plan, Weights) {
    let (plan, tensors) = emit(&network, name, batch, options);
    // With the network gone the tensors have one owner, and are moved, not copied.
    drop(network);
    let tensors = tensors.into_iter().map(Arc::unwrap_or_clone).collect();
    let weights = Weights::new(&plan, tensors);
    (plan, weights)
}

/// Read all nodes into layers, with shapes for `batch` pictures.
fn network(graph: &Graph, batch: Option<usize>) -> Result<(Network, usize), Problem> {
    let stored = graph
        .initializers
        .values()
        .map(|c| c.shape().iter().product::<usize>())
        .sum();
    let mut network = Network::new(stored);
    let own = own_batch(&graph.inputs);
    let (made_for, batch) = match (own, batch) {
        (_, Some(0)) => return Err(Problem::Options("a batch of 0 pictures".into())),
        (Batch::None, Some(batch)) if batch != 1 => {
            return Err(Problem::Options(format!(
                "a batch of {batch} pictures: the first dimensions of the model's inputs differ, so it has no batch"
            )));
        }
        (Batch::None, _) => (1, 1),
        (Batch::Free, batch) => (batch.unwrap_or(1), batch.unwrap_or(1)),
        (Batch::Fixed(own), batch) => (own, batch.unwrap_or(own)),
    };
    network.rebatched = made_for != batch;

    let mut values: HashMap<&str, ValueId> = HashMap::new();
    let mut not_computed: HashMap<&str, &Node> = HashMap::new();
    for input in &graph.inputs {
        let batched = own != Batch::None;
        let shape = input_shape(input, batched.then_some(batch))?;
        values.insert(&input.name, network.input(&input.name, shape, batched));
    }
    for (name, constant) in &graph.initializers {
        let id = network.constant(name, constant.to_f64(), constant.is_integer());
        values.insert(name, id);
    }
    for node in &graph.nodes {
        let opset = graph.opset;
        let (name, operator) = (node.name.clone(), node.operator.clone());
        let Some(read) = find(&node.operator) else {
            let supported = supported_operators().collect::<Vec<_>>().join(", ");
            return Err(Problem::UnsupportedOperator {
                reason: reason(&node.operator),
                node: name,
                operator,
                opset,
                supported,
            });
        };
        if let Some(used) = node
            .inputs
            .iter()
            .find_map(|name| not_computed.get(&**name))
        {
            return Err(second_output(used, opset));
        }
        let inputs = node
            .inputs
            .iter()
            .map(|name| values.get(name.as_str()).copied())
            .collect();
        let batches = (made_for, batch);
        let mut reader = Reader::new(node, opset, batches, inputs, &mut network);
        let refuse = |problem| Problem::Node {
            node: name,
            operator,
            opset,
            problem,
        };
        let outputs = read(&mut reader).map_err(refuse)?;
        let others = node.outputs.iter().skip(outputs.len());
        not_computed.extend(
            others
                .filter(|name| !name.is_empty())
                .map(|name| (&**name, node)),
        );
        for (name, id) in node.outputs.iter().zip(outputs) {
            values.insert(name, id);
        }
    }
    for name in &graph.outputs {
        if let Some(node) = not_computed.get(&**name) {
            return Err(second_output(node, graph.opset));
        }
        let Some(&id) = values.get(name.as_str()) else {
            let (user, value) = ("the graph's output".into(), name.clone());
            return Err(Problem::Dangling { user, value });
        };
        if network.values[id].integer {
            let problem = "it holds integers; results must be FLOAT or DOUBLE".into();
            return Err(Problem::Tensor {
                name: name.clone(),
                problem,
            });
        }
        network.outputs.push((name.clone(), id));
    }
    Ok((network, batch))
}

/// The refusal of a node whose further outputs are used.
fn second_output(node: &Node, opset: i64) -> Problem {
    let (name, operator) = (node.name.clone(), node.operator.clone());
    Problem::Node {
        node: name,
        operator,
        opset,
        problem: "the graph uses a further output of it, which it does not compute here".into(),
    }
}

/// What the first dimensions of a model's inputs say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Batch {
    /// Any number of pictures.
    Free,
    /// This number.
    Fixed(usize),
    /// They differ, or there are none: nothing counts pictures.
    None,
}

fn own_batch(inputs: &[GraphInput]) -> Batch {
    let mut batch = Batch::Free;
    for input in inputs {
        batch = match (batch, input.shape.first()) {
            (batch, Some(Dimension::Free(_))) => batch,
            (Batch::Free, Some(&Dimension::Fixed(size))) => Batch::Fixed(size),
            (Batch::Fixed(own), Some(&Dimension::Fixed(size))) if own == size => batch,
            _ => return Batch::None,
        };
    }
    batch
}

/// The shape of an input, whose first dimension is the batch if there is one.
fn input_shape(input: &GraphInput, batch: Option<usize>) -> Result<Vec<usize>, Problem> {
    let refuse = |problem: String| Problem::Input {
        name: input.name.clone(),
        problem,
    };
    let mut shape = Vec::with_capacity(input.shape.len());
    for (axis, dimension) in input.shape.iter().enumerate() {
        shape.push(match (dimension, batch) {
            (_, Some(batch)) if axis == 0 => batch,
            (Dimension::Fixed(size), _) => *size,
            (Dimension::Free(name), _) => {
                return Err(refuse(format!(
                    "dimension {axis} (`{name}`) is free; only the batch may be, so export with fixed picture sizes"
                )));
            }
        });
    }
    elements(&shape).map_err(refuse)?;
    Ok(shape)
}

/// Number the values that are used: inputs, then weights, then what the steps make.
fn emit(
    network: &Network,
    name: &str,
    batch: usize,
    options: &Options,
) -> (Plan, Vec<Arc<ArrayD<f64>>>) {
    let mut plan = Plan::empty(name, batch, options);
    let mut ids: HashMap<ValueId, ValueId> = HashMap::new();
    let mut number = |id: ValueId, plan: &mut Plan| {
        let shape = &network.values[id].shape;
        *ids.entry(id).or_insert_with(|| {
            plan.shapes.push(shape.clone());
            plan.shapes.len() - 1
        })
    };
    for &id in &network.inputs {
        let value = number(id, &mut plan);
        plan.inputs.push(Port {
            name: network.values[id].name.clone(),
            value,
        });
    }
    let mut tensors = Vec::new();
    let operands = network.nodes.iter().flat_map(|node| &node.inputs);
    for &id in operands.chain(network.outputs.iter().map(|(_, id)| id)) {
        let before = plan.shapes.len();
        if let Some(constant) = network.constant_of(id) {
            let value = number(id, &mut plan);
            if value == before {
                plan.weights.push(Port {
                    name: network.values[id].name.clone(),
                    value,
                });
                tensors.push(constant.clone());
            }
        }
    }
    for node in &network.nodes {
        let inputs = node
            .inputs
            .iter()
            .map(|&id| number(id, &mut plan))
            .collect();
        let output = number(node.output, &mut plan);
        let (name, layer) = (node.name.clone(), node.layer.clone());
        plan.steps.push(Step {
            name,
            layer,
            inputs,
            output,
        });
    }
    for (name, id) in &network.outputs {
        let value = number(*id, &mut plan);
        plan.outputs.push(Port {
            name: name.clone(),
            value,
        });
    }
    (plan, tensors)
}
