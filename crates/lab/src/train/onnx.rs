//! Trained networks as ONNX files, which `trefoil infer` and every ONNX runtime read.

mod messages;

use super::architecture::Layer;
use super::network::Network;
use super::pass::EPSILON;
use crate::LabError;
use messages::{Attribute, Dimension, Graph, Model, Node, OperatorSet, Tensor, ValueInfo};
use prost::Message;

/// The operator set: old enough for all readers, new enough for all layers.
const OPERATOR_SET: i64 = 13;
/// The file format that goes with it.
const FORMAT: i64 = 8;

/// The network as an ONNX model, from a batch of any size named `input` to `logits` (examples ×
/// outputs).
///
/// # Errors
/// If the device cannot hand over the numbers.
pub fn to_onnx(network: &Network) -> Result<Vec<u8>, LabError> {
    let architecture = network.architecture();
    let mut writer = Writer {
        network,
        numbers: network.numbers()?.into_iter().map(|(p, n)| (p.shape.clone(), n)).collect(),
        running: network.running()?,
        next_parameter: 0,
        next_running: 0,
        nodes: Vec::new(),
        tensors: Vec::new(),
    };
    let last = writer.layers(&architecture.layers, "input".to_owned());
    // The last node's output gets the name that users see.
    if let Some(node) = writer.nodes.iter_mut().find(|node| node.output[0] == last) {
        node.output[0] = "logits".to_owned();
    }
    let mut input = vec![Dimension::named("batch")];
    input.extend(architecture.input.iter().map(|&size| Dimension::fixed(size)));
    let output = vec![Dimension::named("batch"), Dimension::fixed(architecture.outputs()?)];
    let model = Model {
        ir_version: FORMAT,
        producer_name: "trefoil".to_owned(),
        graph: Some(Graph {
            node: writer.nodes,
            name: architecture.name.clone(),
            initializer: writer.tensors,
            input: vec![ValueInfo::floats("input", input)],
            output: vec![ValueInfo::floats("logits", output)],
        }),
        opset_import: vec![OperatorSet {
            domain: String::new(),
            version: OPERATOR_SET,
        }],
    };
    Ok(model.encode_to_vec())
}

struct Writer<'a> {
    network: &'a Network,
    numbers: Vec<(Vec<usize>, Vec<f32>)>,
    running: Vec<(Vec<f32>, Vec<f32>)>,
    next_parameter: usize,
    next_running: usize,
    nodes: Vec<Node>,
    tensors: Vec<Tensor>,
}

impl Writer<'_> {
    fn layers(&mut self, layers: &[Layer], mut value: String) -> String {
        for layer in layers {
            value = self.layer(layer, value);
        }
        value
    }

    /// Write a layer; the name of what comes out.
    fn layer(&mut self, layer: &Layer, input: String) -> String {
        match layer {
            Layer::Linear { .. } => {
                let (weight, bias) = (self.parameter(), self.parameter());
                self.node("Gemm", vec![input, weight, bias], Vec::new())
            }
            &Layer::Conv {
                kernel,
                stride,
                padding,
                bias,
                ..
            } => {
                let mut inputs = vec![input, self.parameter()];
                if bias {
                    inputs.push(self.parameter());
                }
                let attributes = vec![
                    Attribute::integers("kernel_shape", &[kernel; 2]),
                    Attribute::integers("strides", &[stride; 2]),
                    Attribute::integers("pads", &[padding; 4]),
                ];
                self.node("Conv", inputs, attributes)
            }
            Layer::BatchNorm => {
                let (scale, shift) = (self.parameter(), self.parameter());
                let index = self.next_running;
                self.next_running += 1;
                let (mean, variance) = std::mem::take(&mut self.running[index]);
                let mean = self.tensor(format!("running.{index}.mean"), vec![mean.len()], &mean);
                let shape = vec![variance.len()];
                let variance = self.tensor(format!("running.{index}.variance"), shape, &variance);
                let inputs = vec![input, scale, shift, mean, variance];
                let epsilon = Attribute::number("epsilon", EPSILON as f32);
                self.node("BatchNormalization", inputs, vec![epsilon])
            }
            Layer::Relu => self.node("Relu", vec![input], Vec::new()),
            &(Layer::MaxPool { size } | Layer::AveragePool { size }) => {
                let attributes = vec![
                    Attribute::integers("kernel_shape", &[size; 2]),
                    Attribute::integers("strides", &[size; 2]),
                ];
                let kind = if matches!(layer, Layer::MaxPool { .. }) {
                    "MaxPool"
                } else {
                    "AveragePool"
                };
                self.node(kind, vec![input], attributes)
            }
            Layer::GlobalAveragePool => {
                let pooled = self.node("GlobalAveragePool", vec![input], Vec::new());
                self.node("Flatten", vec![pooled], Vec::new())
            }
            Layer::Flatten => self.node("Flatten", vec![input], Vec::new()),
            Layer::Residual { body, shortcut } => {
                let long = self.layers(body, input.clone());
                let short = self.layers(shortcut, input);
                self.node("Add", vec![long, short], Vec::new())
            }
        }
    }

    fn node(&mut self, kind: &str, input: Vec<String>, attribute: Vec<Attribute>) -> String {
        let name = format!("{}_{}", kind.to_lowercase(), self.nodes.len());
        self.nodes.push(Node {
            input,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: kind.to_owned(),
            attribute,
        });
        name
    }

    /// The next parameter's name.
    fn parameter(&mut self) -> String {
        let index = self.next_parameter;
        self.next_parameter += 1;
        let (shape, numbers) = std::mem::take(&mut self.numbers[index]);
        let name = self.network.specification[index].name.clone();
        self.tensor(name, shape, &numbers)
    }

    fn tensor(&mut self, name: String, shape: Vec<usize>, numbers: &[f32]) -> String {
        self.tensors.push(Tensor::floats(&name, &shape, numbers));
        name
    }
}
