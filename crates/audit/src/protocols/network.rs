//! The executor of plans, on a small convolutional network.

use crate::world::{Inputs, Secret};
use crate::{AuditError, Entry, Random};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use trefoil_mpc::Party;
use trefoil_nn::graph::{Attribute, Constant, Dimension, Element, GraphInput, Node};
use trefoil_nn::{Graph, ModelError, Options, Plan, Secure, run};
use trefoil_ring::Z64;

/// Pictures of a batch: packed bits of a row fill whole bytes.
const BATCH: usize = 8;

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Node {
    Node {
        name: output.to_owned(),
        operator: operator.to_owned(),
        inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
        outputs: vec![output.to_owned()],
        attributes: attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
        opset: 13,
    }
}

/// A convolution, a rectifier, the maximum of windows, a dense layer and a sigmoid.
fn graph() -> Graph {
    let stored = [
        ("filters", vec![2, 1, 3, 3]),
        ("offsets", vec![2]),
        ("dense", vec![8, 3]),
        ("bias", vec![3]),
    ];
    // The plan does not depend on weights, and the audit chooses its own: any will do.
    let ones = |shape: &Vec<usize>| Constant::Float(ArrayD::ones(shape.clone()));
    let initializers: BTreeMap<String, Constant> = stored
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), ones(shape)))
        .collect();
    let input = GraphInput {
        name: "pictures".to_owned(),
        shape: [BATCH, 1, 4, 4].map(Dimension::Fixed).to_vec(),
        element: Element::Float,
    };
    Graph {
        file: "small network".to_owned(),
        name: "small network".to_owned(),
        opset: 13,
        inputs: vec![input],
        outputs: vec!["answers".to_owned()],
        nodes: vec![
            node(
                "Conv",
                &["pictures", "filters", "offsets"],
                "maps",
                &[("pads", Attribute::Ints(vec![1; 4]))],
            ),
            node("Relu", &["maps"], "rectified", &[]),
            node(
                "MaxPool",
                &["rectified"],
                "pooled",
                &[
                    ("kernel_shape", Attribute::Ints(vec![2, 2])),
                    ("strides", Attribute::Ints(vec![2, 2])),
                ],
            ),
            node("Flatten", &["pooled"], "flat", &[]),
            node("Gemm", &["flat", "dense", "bias"], "scores", &[]),
            node("Sigmoid", &["scores"], "answers", &[]),
        ],
        initializers,
    }
}

pub(super) fn entries() -> Result<Vec<Entry>, AuditError> {
    let refused = |error: ModelError| AuditError::Model {
        model: "small network".to_owned(),
        problem: error.problem.to_string(),
    };
    let (plan, _) = Plan::compile(&graph(), &Options::default()).map_err(refused)?;
    let shapes: Vec<Vec<usize>> = plan
        .weights
        .iter()
        .chain(&plan.inputs)
        .map(|port| plan.shape(port.value).to_vec())
        .collect();
    let format = plan.format();
    // Weights and pictures are secret: random ones, and those with the other sign.
    let secrets = move |random: &mut Random| {
        let one = |shape: &Vec<usize>| {
            let len = shape.iter().product();
            let values: Vec<f64> = (0..len).map(|_| random.real(-2.0, 2.0)).collect();
            (shape.clone(), values)
        };
        let some: Vec<(Vec<usize>, Vec<f64>)> = shapes.iter().map(one).collect();
        [1.0, -1.0].map(|sign| -> Secret<Z64> {
            let encoded = some.iter().map(|(shape, values)| {
                let values = values.iter().map(|v| format.encode(sign * v)).collect();
                (shape.clone(), values)
            });
            encoded.collect()
        })
    };
    // As a session of the service runs its batches: one behind the other, with a branch each. All at the same inputs, so that
    // whatever came again would be seen.
    let session = |batches: usize| {
        let plan = plan.clone();
        async move |p: &Party, x: &Inputs<Z64>| {
            let (weights, inputs) = x.shares.split_at(plan.weights.len());
            for _ in 0..batches {
                let backend = Secure::<Z64>::new(p.fork(), plan.format());
                run(&plan, &backend, weights, inputs.to_vec(), &mut ()).await?;
                p.merge(&[backend.party()]);
            }
            Ok(())
        }
    };
    let covers = &["trefoil_nn::run"];
    Ok(vec![
        Entry::new::<Z64>(
            "network: conv, relu, max-pool, dense, sigmoid",
            covers,
            secrets.clone(),
            session(1),
        ),
        Entry::wide::<Z64>("network, three batches", covers, secrets, session(3)),
    ])
}
