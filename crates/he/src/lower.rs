//! From a plan to the three operations that encryption has: affine maps, functions of one number, products.

use crate::affine::Affine;
use crate::poly::Function;
use crate::{Activation, HeError};
use ndarray::{ArrayD, IxDyn};
use std::convert::Infallible;
use trefoil_nn::{Clear, Graph, Layer, Options, Plan, Step, Value, ready};

/// What a node of a network computes from values that were made before. Value 0 is the input; node `k` makes value `k + 1`.
#[derive(Clone, Debug)]
pub(crate) enum Operation<W, C, F> {
    /// An affine map of the inputs, one behind the other.
    Affine(Affine<W, C>),
    /// A function, element by element.
    Function(F),
    /// The products of two inputs, element by element.
    Product,
}

/// A node of a network: see [`Operation`].
#[derive(Clone, Debug)]
pub(crate) struct Node<O> {
    /// The model's node.
    pub(crate) name: String,
    /// Its layer.
    pub(crate) layer: String,
    /// What it computes.
    pub(crate) operation: O,
    /// From which values.
    pub(crate) inputs: Vec<usize>,
}

/// A model in floats.
pub(crate) struct Lowered {
    pub(crate) name: String,
    pub(crate) input_shape: Vec<usize>,
    pub(crate) output_shape: Vec<usize>,
    pub(crate) nodes: Vec<Node<Operation<f64, f64, Function>>>,
    /// The value that is the result.
    pub(crate) output: usize,
}

/// What is known of a plan's value while it is lowered.
enum Known {
    /// Its elements: it depends on weights alone.
    Constant(ArrayD<f64>),
    /// It is made from the input.
    Secret { value: usize, shape: Vec<usize> },
}

/// Lower `graph` for one sample.
pub(crate) fn lower(graph: &Graph) -> Result<Lowered, HeError> {
    let options = Options {
        batch: Some(1),
        ..Options::default()
    };
    let model = |error: &dyn std::fmt::Display| HeError::Model(error.to_string());
    let (plan, weights) = Plan::compile(graph, &options).map_err(|error| model(&error))?;
    let ([input], [output]) = (plan.inputs.as_slice(), plan.outputs.as_slice()) else {
        return Err(HeError::Model(format!(
            "it has {} inputs and {} outputs; one of each is supported",
            plan.inputs.len(),
            plan.outputs.len()
        )));
    };
    let mut known: Vec<Option<Known>> = plan.shapes.iter().map(|_| None).collect();
    for (port, tensor) in plan.weights.iter().zip(weights.iter()) {
        known[port.value] = Some(Known::Constant(tensor.clone()));
    }
    let input_shape = plan.shape(input.value).to_vec();
    known[input.value] = Some(Known::Secret {
        value: 0,
        shape: input_shape.clone(),
    });
    let mut nodes = Vec::new();
    for step in &plan.steps {
        let operands: Vec<&Known> = step
            .inputs
            .iter()
            .filter_map(|&id| known[id].as_ref())
            .collect();
        let made = lower_step(step, &operands, plan.shape(step.output), &mut nodes)?;
        known[step.output] = Some(made);
    }
    let Some(Known::Secret { value, shape }) = known[output.value].take() else {
        return Err(HeError::Model(
            "its output does not depend on its input".into(),
        ));
    };
    let name = plan.name.clone();
    Ok(Lowered {
        name,
        input_shape,
        output_shape: shape,
        nodes,
        output: value,
    })
}

fn lower_step(
    step: &Step,
    operands: &[&Known],
    shape: &[usize],
    nodes: &mut Vec<Node<Operation<f64, f64, Function>>>,
) -> Result<Known, HeError> {
    let secrets: Vec<usize> = operands
        .iter()
        .filter_map(|known| match known {
            Known::Secret { value, .. } => Some(*value),
            Known::Constant(_) => None,
        })
        .collect();
    if secrets.is_empty() {
        let constants: Vec<ArrayD<f64>> = operands.iter().map(|known| zeros(known)).collect();
        return Ok(Known::Constant(evaluate(step, &constants)?));
    }
    let shape = shape.to_vec();
    let operation = match kind(&step.layer, secrets.len(), operands, &shape) {
        Kind::Affine => Operation::Affine(probe(step, operands, shape.iter().product())?),
        Kind::Function(function) => Operation::Function(function),
        Kind::Product => Operation::Product,
        Kind::None(reason) => {
            return Err(HeError::Unsupported {
                node: step.name.clone(),
                layer: step.layer.name().to_owned(),
                reason: reason.to_owned(),
            });
        }
    };
    // A mere change of shape makes no new value.
    if let (Operation::Affine(map), [value]) = (&operation, secrets.as_slice())
        && is_identity(map)
    {
        return Ok(Known::Secret {
            value: *value,
            shape,
        });
    }
    nodes.push(Node {
        name: step.name.clone(),
        layer: step.layer.name().to_owned(),
        operation,
        inputs: secrets,
    });
    Ok(Known::Secret {
        value: nodes.len(),
        shape,
    })
}

enum Kind {
    Affine,
    Function(Function),
    Product,
    None(&'static str),
}

fn kind(layer: &Layer, secrets: usize, operands: &[&Known], shape: &[usize]) -> Kind {
    let all_whole = operands.iter().all(|known| match known {
        Known::Secret { shape: own, .. } => own == shape,
        Known::Constant(_) => false,
    });
    match layer {
        Layer::Add(_)
        | Layer::Sub(_)
        | Layer::Concat(_)
        | Layer::Reshape(_)
        | Layer::Transpose(_)
        | Layer::Slice(_)
        | Layer::Pad(_)
        | Layer::Expand(_)
        | Layer::Scale(_)
        | Layer::Offset(_)
        | Layer::ReduceSum(_)
        | Layer::AveragePool(_) => Kind::Affine,
        Layer::Conv(_) | Layer::MatMul(_) | Layer::BatchMatMul(_) | Layer::Mul(_)
            if secrets == 1 =>
        {
            Kind::Affine
        }
        Layer::Mul(_) if all_whole => Kind::Product,
        Layer::Mul(_) => Kind::None("products of two encrypted tensors need the same shape"),
        Layer::Conv(_) | Layer::MatMul(_) | Layer::BatchMatMul(_) => {
            Kind::None("one of its operands must be a constant")
        }
        Layer::Relu(_) => Kind::Function(Function::Relu),
        Layer::Sigmoid(_) => Kind::Function(Function::Sigmoid),
        Layer::Tanh(_) => Kind::Function(Function::Tanh),
        Layer::Erf(_) => Kind::Function(Function::Erf),
        Layer::MaxPool(_) => Kind::None(
            "a maximum is no polynomial of low degree; train the model with average pooling or strides instead",
        ),
        Layer::Softmax(_) | Layer::LogSoftmax(_) => Kind::None(
            "it divides by a sum that only the owner can see; let the model's output be the logits, and apply it after decryption",
        ),
        _ => Kind::None(
            "sums, products, convolutions, average pooling, moves of elements and ReLU, Sigmoid, Tanh and Erf are supported",
        ),
    }
}

/// The matrix of a layer that is affine in its secret operands: its value at 0, and at each unit vector. What the layer means is what
/// the clear back end computes, so that no layer is described twice.
fn probe(step: &Step, operands: &[&Known], outputs: usize) -> Result<Affine<f64, f64>, HeError> {
    let mut tensors: Vec<ArrayD<f64>> = operands.iter().map(|known| zeros(known)).collect();
    let constants: Vec<f64> = evaluate(step, &tensors)?.iter().copied().collect();
    let mut rows = vec![Vec::new(); outputs];
    let mut column = 0;
    for (at, known) in operands.iter().enumerate() {
        if matches!(known, Known::Constant(_)) {
            continue;
        }
        for element in 0..tensors[at].len() {
            set(&mut tensors[at], element, 1.0);
            let values = evaluate(step, &tensors)?;
            for ((row, &value), &constant) in rows.iter_mut().zip(values.iter()).zip(&constants) {
                if value.to_bits() != constant.to_bits() {
                    row.push((column, value - constant));
                }
            }
            set(&mut tensors[at], element, 0.0);
            column += 1;
        }
    }
    Ok(Affine {
        columns: column as usize,
        rows,
        constants,
    })
}

fn set(tensor: &mut ArrayD<f64>, element: usize, value: f64) {
    if let Some(slot) = tensor.as_slice_mut().and_then(|all| all.get_mut(element)) {
        *slot = value;
    }
}

/// A constant, or 0 in the place of a secret.
fn zeros(known: &Known) -> ArrayD<f64> {
    match known {
        Known::Constant(tensor) => tensor.clone(),
        Known::Secret { shape, .. } => ArrayD::zeros(IxDyn(shape)),
    }
}

/// A layer in the clear.
fn evaluate(step: &Step, operands: &[ArrayD<f64>]) -> Result<ArrayD<f64>, HeError> {
    let given: Vec<_> = operands
        .iter()
        .map(trefoil_nn::Given::<Clear>::Number)
        .collect();
    let made: Result<Value<Clear>, Infallible> = ready(step.layer.evaluate(&Clear, &given));
    match made {
        Ok(Value::Number(tensor)) => Ok(tensor),
        Ok(Value::Bit(_)) => Err(HeError::Unsupported {
            node: step.name.clone(),
            layer: step.layer.name().to_owned(),
            reason: "truth values are not supported".into(),
        }),
    }
}

fn is_identity(map: &Affine<f64, f64>) -> bool {
    let own = |(at, row): (usize, &Vec<(u32, f64)>)| matches!(row.as_slice(), [(column, weight)] if *column as usize == at && weight.to_bits() == 1_f64.to_bits());
    map.rows.len() == map.columns
        && map.constants.iter().all(|&c| c == 0.0)
        && map.rows.iter().enumerate().all(own)
}

impl Lowered {
    /// Run the nodes on floats, with `activation` in the place of each function.
    pub(crate) fn run(&self, x: &[f64], activations: &[Option<Activation>]) -> Vec<f64> {
        let mut values = vec![x.to_vec()];
        for (node, activation) in self.nodes.iter().zip(activations) {
            let made = Self::step(node, activation.as_ref(), &values);
            values.push(made);
        }
        values.swap_remove(self.output)
    }

    /// One node on the values before it.
    pub(crate) fn step(
        node: &Node<Operation<f64, f64, Function>>,
        activation: Option<&Activation>,
        values: &[Vec<f64>],
    ) -> Vec<f64> {
        let first = &values[node.inputs[0]];
        match (&node.operation, activation) {
            (Operation::Affine(map), _) => {
                let x: Vec<f64> = node
                    .inputs
                    .iter()
                    .flat_map(|&id| values[id].iter().copied())
                    .collect();
                map.apply(&x)
            }
            (Operation::Function(_), Some(activation)) => first
                .iter()
                .map(|&x| activation.fit.polynomial.at(x))
                .collect(),
            (Operation::Function(function), None) => {
                first.iter().map(|&x| function.at(x)).collect()
            }
            (Operation::Product, _) => {
                let second = &values[node.inputs[1]];
                first.iter().zip(second).map(|(x, y)| x * y).collect()
            }
        }
    }
}
