//! Small ONNX models made of protobuf messages.

use ndarray::{ArrayD, IxDyn};
use prost::Message as _;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
use trefoil_nn::{Clear, Graph, ModelError, Options, Plan, ready, run};

/// A model under construction.
#[derive(Clone)]
pub(crate) struct Build {
    pub(crate) proto: pb::ModelProto,
    seed: u64,
}

impl Build {
    /// An empty model of this operator set.
    pub(crate) fn opset(version: i64) -> Self {
        let opset = pb::OperatorSetIdProto {
            version,
            ..Default::default()
        };
        let graph = Some(pb::GraphProto {
            name: "test".into(),
            ..Default::default()
        });
        let proto = pb::ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph,
            ..Default::default()
        };
        Self { proto, seed: 1 }
    }

    pub(crate) fn graph(&mut self) -> &mut pb::GraphProto {
        self.proto.graph.as_mut().unwrap()
    }

    /// An input; a dimension of 0 is free.
    pub(crate) fn input(mut self, name: &str, shape: &[i64]) -> Self {
        let dim = shape.iter().map(|&size| Dimension {
            denotation: String::new(),
            value: Some(if size == 0 {
                Value::DimParam("N".into())
            } else {
                Value::DimValue(size)
            }),
        });
        let tensor = pb::type_proto::Tensor {
            elem_type: DataType::Float as i32,
            shape: Some(pb::TensorShapeProto { dim: dim.collect() }),
        };
        let kind = pb::TypeProto {
            denotation: String::new(),
            value: Some(pb::type_proto::Value::TensorType(tensor)),
        };
        let (name, r#type) = (name.into(), Some(kind));
        let value = pb::ValueInfoProto {
            name,
            r#type,
            doc_string: String::new(),
        };
        self.graph().input.push(value);
        self
    }

    /// A stored tensor of random numbers in (-1, 1).
    pub(crate) fn random(mut self, name: &str, shape: &[i64]) -> Self {
        self.seed += 1;
        let values = random(
            &shape.iter().map(|&s| s as usize).collect::<Vec<_>>(),
            self.seed,
        );
        self.floats(
            name,
            shape,
            &values.iter().map(|&v| v as f32).collect::<Vec<_>>(),
        )
    }

    /// A stored tensor.
    pub(crate) fn floats(mut self, name: &str, shape: &[i64], values: &[f32]) -> Self {
        let tensor = pb::TensorProto {
            name: name.into(),
            dims: shape.to_vec(),
            data_type: DataType::Float as i32,
            float_data: values.to_vec(),
            ..Default::default()
        };
        self.graph().initializer.push(tensor);
        self
    }

    /// A stored list of integers.
    pub(crate) fn ints(mut self, name: &str, values: &[i64]) -> Self {
        let tensor = pb::TensorProto {
            name: name.into(),
            dims: vec![values.len() as i64],
            data_type: DataType::Int64 as i32,
            int64_data: values.to_vec(),
            ..Default::default()
        };
        self.graph().initializer.push(tensor);
        self
    }

    /// A node with one output, which is also its name.
    pub(crate) fn node(
        self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<pb::AttributeProto>,
    ) -> Self {
        self.split(operator, inputs, &[output], attribute)
    }

    /// A node with these outputs, named by the first.
    pub(crate) fn split(
        mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attribute: Vec<pb::AttributeProto>,
    ) -> Self {
        let node = pb::NodeProto {
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: outputs.iter().map(|&name| name.into()).collect(),
            name: outputs[0].into(),
            op_type: operator.into(),
            attribute,
            ..Default::default()
        };
        self.graph().node.push(node);
        self
    }

    /// Name an output.
    pub(crate) fn output(mut self, name: &str) -> Self {
        let value = pb::ValueInfoProto {
            name: name.into(),
            ..Default::default()
        };
        self.graph().output.push(value);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    pub(crate) fn read(&self) -> Result<Graph, ModelError> {
        Graph::from_bytes(&self.bytes(), "test.onnx")
    }

    /// The plan and weights at `batch`.
    pub(crate) fn compile(
        &self,
        batch: Option<usize>,
    ) -> Result<(Plan, Vec<ArrayD<f64>>), ModelError> {
        let options = Options {
            batch,
            ..Options::default()
        };
        let (plan, weights) = Plan::compile(&self.read()?, &options)?;
        Ok((plan, weights.to_clear()))
    }

    /// The message with which the model is refused.
    pub(crate) fn refusal(&self) -> String {
        match self.compile(None) {
            Ok(_) => panic!("the model is accepted"),
            Err(error) => error.to_string(),
        }
    }

    /// The only output in the clear.
    pub(crate) fn clear(&self, inputs: &[ArrayD<f64>]) -> ArrayD<f64> {
        let (plan, weights) = self.compile(None).unwrap_or_else(|error| panic!("{error}"));
        clear(&plan, &weights, inputs)
    }
}

/// The only output of a plan in the clear.
pub(crate) fn clear(plan: &Plan, weights: &[ArrayD<f64>], inputs: &[ArrayD<f64>]) -> ArrayD<f64> {
    plan.check().unwrap();
    ready(run(plan, &Clear, weights, inputs.to_vec(), &mut ()))
        .unwrap()
        .remove(0)
}

/// The names of a plan's layers.
pub(crate) fn layers(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.layer.name()).collect()
}

/// Numbers in (-1, 1), the same for the same seed.
pub(crate) fn random(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Single precision, so that the reference computes with the very same numbers.
        f64::from((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
    })
}

/// An array of these numbers.
pub(crate) fn array(shape: &[usize], values: &[f64]) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap()
}

/// The largest difference.
pub(crate) fn distance(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

fn attribute(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.into(),
        r#type: kind as i32,
        ..Default::default()
    }
}

pub(crate) fn int(name: &str, i: i64) -> pb::AttributeProto {
    pb::AttributeProto {
        i,
        ..attribute(name, AttributeType::Int)
    }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        ints: ints.to_vec(),
        ..attribute(name, AttributeType::Ints)
    }
}

pub(crate) fn float(name: &str, f: f32) -> pb::AttributeProto {
    pb::AttributeProto {
        f,
        ..attribute(name, AttributeType::Float)
    }
}

pub(crate) fn text(name: &str, text: &str) -> pb::AttributeProto {
    pb::AttributeProto {
        s: text.as_bytes().to_vec(),
        ..attribute(name, AttributeType::String)
    }
}

/// A tensor of one integer.
pub(crate) fn integer_tensor(name: &str, value: i64) -> pb::AttributeProto {
    let tensor = pb::TensorProto {
        dims: vec![1],
        data_type: DataType::Int64 as i32,
        int64_data: vec![value],
        ..Default::default()
    };
    pb::AttributeProto {
        t: Some(tensor),
        ..attribute(name, AttributeType::Tensor)
    }
}

pub(crate) fn tensor(name: &str, shape: &[i64], values: &[f32]) -> pb::AttributeProto {
    let tensor = pb::TensorProto {
        dims: shape.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        ..Default::default()
    };
    pb::AttributeProto {
        t: Some(tensor),
        ..attribute(name, AttributeType::Tensor)
    }
}
