//! From a graph to a plan and its weights.

use crate::graph::{Attribute, Dimension, Element, Graph, GraphInput, Node};
use crate::operators::layer_graph::LayerGraph;
use crate::operators::{Bits, Numbers, Reader, constants, find, reason, supported_operators};
use crate::plan::{Options, Plan, Port, Step, Weights, check_format};
use crate::scaling::{self, Scaling};
use crate::shape::elements;
use crate::value::Kind;
use crate::value::ValueId;
use crate::{ModelError, Problem, passes};
use ndarray::ArrayD;
use std::collections::{HashMap, HashSet};
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

fn finish(network: LayerGraph, name: &str, batch: usize, options: &Options) -> (Plan, Weights) {
    let (plan, tensors) = emit(&network, name, batch, options);
    // With the network gone the tensors have one owner, and are moved, not copied.
    drop(network);
    let tensors = tensors.into_iter().map(Arc::unwrap_or_clone).collect();
    let weights = Weights::new(&plan, tensors);
    (plan, weights)
}

impl Graph {
    /// The batch that the model is made for; none if any will do, or if nothing counts samples.
    pub fn fixed_batch(&self) -> Option<usize> {
        match own_batch(&self.inputs) {
            Batch::Fixed(batch) => Some(batch),
            Batch::Free | Batch::None => None,
        }
    }
}

/// Read all nodes into layers, with shapes for `batch` pictures.
fn network(graph: &Graph, batch: Option<usize>) -> Result<(LayerGraph, usize), Problem> {
    let stored = graph
        .initializers
        .values()
        .map(|c| c.shape().iter().product::<usize>())
        .sum();
    let mut network = LayerGraph::new(stored);
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

    let needed = needed(graph);
    let mut values = Scope::default();
    for input in &graph.inputs {
        let batched = own != Batch::None;
        let shape = input_shape(input, batched.then_some(batch))?;
        let id = network.input(&input.name, shape, batched);
        let typed = typed(&mut network, input, id);
        let id = typed.map_err(|problem| input_problem(input, problem))?;
        values.known.insert(&input.name, id);
    }
    for (name, constant) in &graph.initializers {
        if needed.names.contains(name.as_str()) {
            let id = network.constant(name, constant.to_f64(), constant.element());
            values.known.insert(name, id);
        }
    }
    let mut reading = Reading {
        network,
        batches: (made_for, batch),
    };
    let nodes = graph.nodes.iter().zip(&needed.nodes);
    let nodes = nodes.filter(|&(_, &needed)| needed).map(|(node, _)| node);
    reading.nodes(nodes, &mut values)?;
    for name in &graph.outputs {
        let mut id = values.find(name)?.ok_or_else(|| Problem::Dangling {
            user: "the graph's output".into(),
            value: name.clone(),
        })?;
        elements(reading.network.shape(id)).map_err(|problem| Problem::Tensor {
            name: name.clone(),
            problem,
        })?;
        if reading.network.kind(id) == Kind::Bit {
            // Truth values are given out as 0 and 1.
            let numbers = reading.network.layer(name, Numbers {}.into(), &[id]);
            id = numbers.map_err(|problem| Problem::Tensor {
                name: name.clone(),
                problem,
            })?;
        }
        reading.network.outputs.push((name.clone(), id));
    }
    Ok((reading.network, batch))
}

/// What the outputs of a graph need.
struct Needed<'g> {
    /// Whether each node is.
    nodes: Vec<bool>,
    /// The names of all values that are.
    names: HashSet<&'g str>,
}

fn needed(graph: &Graph) -> Needed<'_> {
    let mut names: HashSet<&str> = graph.outputs.iter().map(String::as_str).collect();
    let mut nodes = vec![false; graph.nodes.len()];
    for (node, needed) in graph.nodes.iter().zip(&mut nodes).rev() {
        if node.outputs.iter().any(|name| names.contains(&**name)) {
            *needed = true;
            names.extend(node.uses());
        }
    }
    Needed { nodes, names }
}

/// An input as what its elements are in the model: users give numbers.
fn typed(network: &mut LayerGraph, input: &GraphInput, id: ValueId) -> Result<ValueId, String> {
    match input.element {
        Element::Float => Ok(id),
        Element::Integer => {
            let typed = network.retyped(&input.name, id, Element::Integer)?;
            network.values[typed].whole = true;
            Ok(typed)
        }
        Element::Boolean => network.layer(&input.name, Bits {}.into(), &[id]),
    }
}

fn input_problem(input: &GraphInput, problem: String) -> Problem {
    Problem::Input {
        name: input.name.clone(),
        problem,
    }
}

/// The values that nodes can name.
#[derive(Default)]
struct Scope<'g, 's> {
    known: HashMap<&'g str, ValueId>,
    /// Further outputs that are not computed, with their nodes.
    not_computed: HashMap<&'g str, &'g Node>,
    /// What is around a graph inside a node.
    around: Option<&'s Scope<'g, 's>>,
}

impl Scope<'_, '_> {
    /// The value that is called `name`.
    ///
    /// # Errors
    /// If it is an output that its node does not compute.
    fn find(&self, name: &str) -> Result<Option<ValueId>, Problem> {
        let mut scope = self;
        loop {
            if let Some(&node) = scope.not_computed.get(name) {
                return Err(second_output(node));
            }
            match (scope.known.get(name), scope.around) {
                (Some(&id), _) => return Ok(Some(id)),
                (None, Some(around)) => scope = around,
                (None, None) => return Ok(None),
            }
        }
    }
}

/// Nodes becoming layers.
struct Reading {
    network: LayerGraph,
    /// The batch that the model was made for, and the one that it is compiled for.
    batches: (usize, usize),
}

impl Reading {
    fn nodes<'g>(
        &mut self,
        nodes: impl Iterator<Item = &'g Node>,
        scope: &mut Scope<'g, '_>,
    ) -> Result<(), Problem> {
        for node in nodes {
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for name in &node.inputs {
                inputs.push(if name.is_empty() {
                    None
                } else {
                    scope.find(name)?
                });
            }
            let outputs = if node.operator == "If" {
                self.branch(node, &inputs, scope)?
            } else {
                self.node(node, inputs)?
            };
            let others = node.outputs.iter().skip(outputs.len());
            let others = others.filter(|name| !name.is_empty());
            scope
                .not_computed
                .extend(others.map(|name| (&**name, node)));
            for (name, id) in node.outputs.iter().zip(outputs) {
                scope.known.insert(name, id);
            }
        }
        Ok(())
    }

    /// The outputs of a node.
    fn node(&mut self, node: &Node, inputs: Vec<Option<ValueId>>) -> Result<Vec<ValueId>, Problem> {
        let refuse = |problem| refusal(node, problem);
        // Of constants alone, more operators are known than on shares.
        let constant = |id: &ValueId| self.network.constant_of(*id).is_some();
        let fold = inputs.iter().flatten().all(constant);
        let fold = constants::find(&node.operator).filter(|_| fold);
        let Some(read) = fold.or_else(|| find(&node.operator)) else {
            let supported = supported_operators().collect::<Vec<_>>().join(", ");
            let reason = reason(&node.operator)
                .or_else(|| constants::find(&node.operator).map(|_| constants::REASON));
            return Err(Problem::UnsupportedOperator {
                reason,
                node: node.name.clone(),
                operator: node.operator.clone(),
                opset: node.opset,
                supported,
            });
        };
        let mut reader = Reader::new(node, self.batches, inputs, &mut self.network);
        read(&mut reader).map_err(refuse)
    }

    /// The outputs of an `If`, whose condition must be constant: those of the branch that is taken.
    fn branch<'g>(
        &mut self,
        node: &'g Node,
        inputs: &[Option<ValueId>],
        scope: &Scope<'g, '_>,
    ) -> Result<Vec<ValueId>, Problem> {
        let refuse = |problem: &str| refusal(node, problem.to_owned());
        let condition = inputs.first().copied().flatten();
        let condition = condition.ok_or_else(|| refuse("its condition is missing"))?;
        let constant = self.network.constant_of(condition);
        let taken = match constant.map(|array| (array.len(), array.first().copied())) {
            Some((1, Some(value))) => value != 0.0,
            Some(_) => return Err(refuse("its condition is not one truth value")),
            None => {
                return Err(refuse(
                    "its condition depends on the model's inputs: what is computed must not depend on secret values; \
                     Where computes both and chooses",
                ));
            }
        };
        let name = if taken { "then_branch" } else { "else_branch" };
        let Some(Attribute::Graph(graph)) = node.attributes.get(name) else {
            return Err(refuse(&format!("it has no {name}")));
        };
        let mut inner = Scope {
            around: Some(scope),
            ..Scope::default()
        };
        for (name, constant) in &graph.initializers {
            let constant = self
                .network
                .constant(name, constant.to_f64(), constant.element());
            inner.known.insert(name, constant);
        }
        self.nodes(graph.nodes.iter(), &mut inner)?;
        let mut outputs = Vec::with_capacity(graph.outputs.len());
        for name in &graph.outputs {
            let found = inner.find(name)?;
            outputs.push(found.ok_or_else(|| Problem::Dangling {
                user: format!("the branch of node `{}`", node.name),
                value: name.clone(),
            })?);
        }
        Ok(outputs)
    }
}

/// A node that cannot be compiled.
fn refusal(node: &Node, problem: String) -> Problem {
    Problem::Node {
        node: node.name.clone(),
        operator: node.operator.clone(),
        opset: node.opset,
        problem,
    }
}

/// The refusal of a node whose further outputs are used.
fn second_output(node: &Node) -> Problem {
    let problem = "the graph uses a further output of it, which it does not compute here";
    refusal(node, problem.into())
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
                    "dimension {axis} (`{name}`) is free; only the batch may be, so state its size with --bind {name}=SIZE, or export with fixed sizes"
                )));
            }
        });
    }
    elements(&shape).map_err(refuse)?;
    Ok(shape)
}

/// Number the values that are used: inputs, then weights, then what the steps make.
fn emit(
    network: &LayerGraph,
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
            plan.kinds.push(network.kind(id));
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
