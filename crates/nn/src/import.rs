//! Reading ONNX files.

mod proto;
mod scan;
mod tensor;

use crate::defaults::{FIRST_OPSET, LAST_OPSET, MAX_FILE_BYTES, MAX_NODES, MAX_RANK};
use crate::graph::{Attribute, Constant, Dimension, Graph, GraphInput, Node};
use crate::{ModelError, Problem};
use prost::Message as _;
use prost::bytes::Bytes;
use proto::{AttributeType, DataType, DimensionValue};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

impl Graph {
    /// Read the ONNX file at `path`, and the external data files that it names beside itself.
    ///
    /// # Errors
    /// If a file is missing or too large, if the bytes are not an ONNX model, or if its graph is
    /// not well formed. Operators are looked at when a plan is compiled.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let read = || {
            let bytes = read_limited(path, MAX_FILE_BYTES)?;
            Self::parse(bytes.into(), &file, path.parent())
        };
        read().map_err(|problem| problem.of(&file))
    }

    /// Read a model from memory; `file` is its name in messages. External data is refused.
    ///
    /// # Errors
    /// As [`Graph::load`].
    pub fn from_bytes(bytes: &[u8], file: &str) -> Result<Self, ModelError> {
        Self::parse(Bytes::copy_from_slice(bytes), file, None).map_err(|problem| problem.of(file))
    }

    fn parse(bytes: Bytes, file: &str, folder: Option<&Path>) -> Result<Self, Problem> {
        scan::check(&bytes)?;
        let model = proto::ModelProto::decode(bytes)
            .map_err(|error| Problem::NotOnnx(error.to_string()))?;
        let opset = opset(&model)?;
        let graph = model
            .graph
            .ok_or_else(|| Problem::NotOnnx("it has no graph".into()))?;
        if graph.node.len() > MAX_NODES {
            return Err(Problem::NotOnnx(format!("{} nodes", graph.node.len())));
        }
        if let Some(sparse) = graph.sparse_initializer.first() {
            let name = sparse
                .values
                .as_ref()
                .map(|v| v.name.clone())
                .unwrap_or_default();
            return Err(Problem::Tensor {
                name,
                problem: "sparse tensors are not read".into(),
            });
        }

        let mut external = tensor::External::new(folder);
        let mut initializers = BTreeMap::new();
        for stored in &graph.initializer {
            let constant = external.constant(stored, &stored.name)?;
            if initializers.insert(stored.name.clone(), constant).is_some() {
                let (value, producers) = (stored.name.clone(), "two initializers".into());
                return Err(Problem::Duplicate { value, producers });
            }
        }
        let mut inputs = Vec::new();
        for input in &graph.input {
            if !initializers.contains_key(&input.name) {
                inputs.push(graph_input(input)?);
            }
        }
        let mut nodes = Vec::with_capacity(graph.node.len());
        for (index, node) in graph.node.iter().enumerate() {
            nodes.push(graph_node(index, node, &mut external)?);
        }
        let outputs: Vec<String> = graph.output.into_iter().map(|o| o.name).collect();
        if outputs.is_empty() {
            return Err(Problem::NotOnnx("its graph has no output".into()));
        }
        let nodes = ordered(nodes, &inputs, &initializers, &outputs)?;
        let (file, name) = (file.to_owned(), graph.name);
        Ok(Self {
            file,
            name,
            opset,
            inputs,
            outputs,
            nodes,
            initializers,
        })
    }
}

/// The bytes of a file of at most `limit` bytes.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, Problem> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        let kind = std::io::ErrorKind::IsADirectory;
        return Err(Problem::Read(std::io::Error::new(kind, "it is a folder")));
    }
    if metadata.len() > limit {
        return Err(Problem::TooLarge {
            bytes: metadata.len(),
            limit,
        });
    }
    let mut bytes = Vec::new();
    // A pipe has no length beforehand.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Problem::TooLarge {
            bytes: bytes.len() as u64,
            limit,
        });
    }
    Ok(bytes)
}

fn opset(model: &proto::ModelProto) -> Result<i64, Problem> {
    let own = model
        .opset_import
        .iter()
        .find(|import| is_onnx(&import.domain));
    let Some(own) = own else {
        return Err(Problem::NotOnnx(
            "it does not say which operator set it uses".into(),
        ));
    };
    if !(FIRST_OPSET..=LAST_OPSET).contains(&own.version) {
        let (opset, first, last) = (own.version, FIRST_OPSET, LAST_OPSET);
        return Err(Problem::Opset { opset, first, last });
    }
    Ok(own.version)
}

fn is_onnx(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

fn graph_input(input: &proto::ValueInfoProto) -> Result<GraphInput, Problem> {
    let refuse = |problem: &str| Problem::Input {
        name: input.name.clone(),
        problem: problem.into(),
    };
    let Some(tensor) = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return Err(refuse("it is not a tensor"));
    };
    match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Float | DataType::Double) => {}
        Ok(other) => {
            let kind = other.as_str_name();
            return Err(refuse(&format!(
                "it holds {kind}; inputs must be FLOAT or DOUBLE"
            )));
        }
        Err(_) => return Err(refuse("its element type is unknown")),
    }
    let Some(shape) = &tensor.shape else {
        return Err(refuse(
            "it has no shape; export the model with a known input shape",
        ));
    };
    if shape.dim.len() > MAX_RANK {
        return Err(refuse(&format!(
            "it has {} axes, more than {MAX_RANK}",
            shape.dim.len()
        )));
    }
    let dimension = |dim: &proto::DimensionProto| match &dim.value {
        Some(DimensionValue::DimValue(size)) if *size > 0 => usize::try_from(*size)
            .map(Dimension::Fixed)
            .map_err(|_| refuse(&format!("a dimension of size {size}"))),
        // Some exporters write 0 or -1 for a size that is not known.
        Some(DimensionValue::DimValue(_)) | None => Ok(Dimension::Free(String::new())),
        Some(DimensionValue::DimParam(name)) => Ok(Dimension::Free(name.clone())),
    };
    let shape = shape.dim.iter().map(dimension).collect::<Result<_, _>>()?;
    Ok(GraphInput {
        name: input.name.clone(),
        shape,
    })
}

fn graph_node(
    index: usize,
    node: &proto::NodeProto,
    external: &mut tensor::External<'_>,
) -> Result<Node, Problem> {
    let name = [Some(&node.name), node.output.first()]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
        .map_or_else(|| format!("#{index}"), Clone::clone);
    let operator = if is_onnx(&node.domain) {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    };
    let mut attributes = BTreeMap::new();
    for attribute in &node.attribute {
        let value = attribute_value(attribute, &name, external)?;
        attributes.insert(attribute.name.clone(), value);
    }
    let (inputs, outputs) = (node.input.clone(), node.output.clone());
    Ok(Node {
        name,
        operator,
        inputs,
        outputs,
        attributes,
    })
}

fn attribute_value(
    attribute: &proto::AttributeProto,
    node: &str,
    external: &mut tensor::External<'_>,
) -> Result<Attribute, Problem> {
    Ok(match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::Int) => Attribute::Int(attribute.i),
        Ok(AttributeType::Float) => Attribute::Float(attribute.f),
        Ok(AttributeType::String) => {
            Attribute::Text(String::from_utf8_lossy(&attribute.s).into_owned())
        }
        Ok(AttributeType::Ints) => Attribute::Ints(attribute.ints.clone()),
        Ok(AttributeType::Floats) => Attribute::Floats(attribute.floats.clone()),
        Ok(AttributeType::Tensor) => match &attribute.t {
            Some(stored) => Attribute::Tensor(external.constant(stored, node)?),
            None => Attribute::Other,
        },
        _ => Attribute::Other,
    })
}

/// The nodes in an order in which they can be evaluated (the file's own order, where that is one).
fn ordered(
    nodes: Vec<Node>,
    inputs: &[GraphInput],
    initializers: &BTreeMap<String, Constant>,
    outputs: &[String],
) -> Result<Vec<Node>, Problem> {
    let mut producer: HashMap<&str, usize> = HashMap::new();
    let mut given: HashSet<&str> = initializers.keys().map(String::as_str).collect();
    for input in inputs {
        if !given.insert(&input.name) {
            let (value, producers) = (input.name.clone(), "two inputs".into());
            return Err(Problem::Duplicate { value, producers });
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        for value in node.outputs.iter().filter(|value| !value.is_empty()) {
            let earlier = producer.insert(value, index);
            if earlier.is_some() || given.contains(value.as_str()) {
                let first = earlier.map_or("an input or initializer", |i| &nodes[i].name);
                let producers = format!("{first} and {}", node.name);
                return Err(Problem::Duplicate {
                    value: value.clone(),
                    producers,
                });
            }
        }
    }
    for value in outputs {
        if !producer.contains_key(value.as_str()) && !given.contains(value.as_str()) {
            let (user, value) = ("the graph's output".into(), value.clone());
            return Err(Problem::Dangling { user, value });
        }
    }

    let mut waiting = vec![0_usize; nodes.len()];
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for value in node.inputs.iter().filter(|value| !value.is_empty()) {
            if let Some(&from) = producer.get(value.as_str()) {
                waiting[index] += 1;
                users[from].push(index);
            } else if !given.contains(value.as_str()) {
                let user = format!("node `{}` ({})", node.name, node.operator);
                return Err(Problem::Dangling {
                    user,
                    value: value.clone(),
                });
            }
        }
    }
    let mut order = Vec::with_capacity(nodes.len());
    // Smallest first: the file's own order stays, where it is one.
    let mut ready: BTreeSet<usize> = (0..nodes.len()).filter(|&i| waiting[i] == 0).collect();
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &user in &users[index] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    if let Some(index) = waiting.iter().position(|&count| count > 0) {
        let (node, operator) = (nodes[index].name.clone(), nodes[index].operator.clone());
        return Err(Problem::Cyclic { node, operator });
    }
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order
        .into_iter()
        .filter_map(|index| slots[index].take())
        .collect())
}
