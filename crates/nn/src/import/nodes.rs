//! Nodes, with the functions of the file put in the place of their calls, and graphs inside nodes.

use super::order::ordered;
use super::proto::{AttributeProto, AttributeType, FunctionProto, GraphProto, NodeProto};
use super::{is_onnx, opset, tensor};
use crate::Problem;
use crate::defaults::{FOLDED_ELEMENTS, MAX_NODES, MAX_STRUCTURE_BYTES};
use crate::graph::{Attribute, Constant, Node, Subgraph};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Most functions that call each other.
const MAX_CALLS: usize = 16;

/// Reads the nodes of a file.
pub(super) struct Nodes<'f> {
    functions: HashMap<[&'f str; 3], &'f FunctionProto>,
    external: tensor::External<'f>,
    /// Nodes that may still be read.
    room: usize,
    /// Bytes of names that calls of functions may still make.
    bytes: usize,
    /// Elements of tensors that calls of functions may still repeat.
    elements: usize,
    /// Calls up to now: each has a number, so that its values have names of their own.
    calls: usize,
}

/// What is around a node: the file, or a call of a function.
pub(super) struct Around<'c> {
    opset: i64,
    call: Option<Call<'c>>,
}

/// A call of a function.
struct Call<'c> {
    /// What the names of its values and nodes begin with.
    prefix: String,
    /// Its inputs and outputs, by their names inside.
    values: HashMap<&'c str, String>,
    attributes: BTreeMap<String, Attribute>,
    depth: usize,
}

impl Around<'_> {
    /// The file itself.
    pub(super) fn file(opset: i64) -> Self {
        Self { opset, call: None }
    }

    /// The value that is called `name` here.
    fn value(&self, name: &str) -> String {
        match &self.call {
            Some(call) if !name.is_empty() => match call.values.get(name) {
                Some(outside) => outside.clone(),
                None => format!("{}{name}", call.prefix),
            },
            _ => name.to_owned(),
        }
    }
}

impl<'f> Nodes<'f> {
    /// A reader of nodes that may call `functions`; external data is looked for in `folder`.
    pub(super) fn new(
        functions: &'f [FunctionProto],
        folder: Option<&'f Path>,
    ) -> Result<Self, Problem> {
        let mut known = HashMap::new();
        for function in functions {
            let key = [&*function.domain, &*function.name, &*function.overload];
            if known.insert(key, function).is_some() {
                let value = format!("{}.{}", function.domain, function.name);
                let producers = "two functions".into();
                return Err(Problem::Duplicate { value, producers });
            }
        }
        Ok(Self {
            functions: known,
            external: tensor::External::new(folder),
            room: MAX_NODES,
            bytes: MAX_STRUCTURE_BYTES,
            elements: FOLDED_ELEMENTS,
            calls: 0,
        })
    }

    /// The stored tensors of a graph, under the names that they have there.
    pub(super) fn initializers(
        &mut self,
        graph: &GraphProto,
    ) -> Result<BTreeMap<String, Constant>, Problem> {
        if let Some(sparse) = graph.sparse_initializer.first() {
            let values = sparse.values.as_ref();
            return Err(Problem::Tensor {
                name: values.map(|v| v.name.clone()).unwrap_or_default(),
                problem: "sparse tensors are not read".into(),
            });
        }
        let mut initializers = BTreeMap::new();
        for stored in &graph.initializer {
            let constant = self.external.constant(stored, &stored.name)?;
            if initializers.insert(stored.name.clone(), constant).is_some() {
                let (value, producers) = (stored.name.clone(), "two initializers".into());
                return Err(Problem::Duplicate { value, producers });
            }
        }
        Ok(initializers)
    }

    /// The nodes of `protos`, in their order.
    pub(super) fn of(
        &mut self,
        protos: &'f [NodeProto],
        around: &Around<'_>,
    ) -> Result<Vec<Node>, Problem> {
        let mut nodes = Vec::with_capacity(protos.len());
        self.read(protos, around, &mut nodes)?;
        Ok(nodes)
    }

    fn read(
        &mut self,
        protos: &'f [NodeProto],
        around: &Around<'_>,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Problem> {
        for (index, proto) in protos.iter().enumerate() {
            let key = [&*proto.domain, &*proto.op_type, &*proto.overload];
            let node = self.node(index, proto, around)?;
            if let Some(&function) = self.functions.get(&key) {
                self.call(function, &node, around, nodes)?;
                continue;
            }
            self.room = self
                .room
                .checked_sub(1)
                .ok_or_else(|| Problem::NotOnnx(format!("more than {MAX_NODES} nodes")))?;
            nodes.push(node);
        }
        Ok(())
    }

    /// Put the nodes of a function in the place of a node that calls it.
    fn call(
        &mut self,
        function: &'f FunctionProto,
        node: &Node,
        around: &Around<'_>,
        nodes: &mut Vec<Node>,
    ) -> Result<(), Problem> {
        let refuse = |problem: String| Problem::Node {
            node: node.name.clone(),
            operator: node.operator.clone(),
            opset: node.opset,
            problem,
        };
        let depth = around.call.as_ref().map_or(0, |call| call.depth) + 1;
        if depth > MAX_CALLS {
            return Err(refuse(format!(
                "more than {MAX_CALLS} functions that call each other"
            )));
        }
        let (inputs, outputs) = (&node.inputs, &node.outputs);
        if inputs.len() > function.input.len() || outputs.len() > function.output.len() {
            return Err(refuse(format!(
                "{} inputs and {} outputs of a function that has {} and {}",
                inputs.len(),
                outputs.len(),
                function.input.len(),
                function.output.len()
            )));
        }
        self.calls += 1;
        let prefix = format!("{}#{}/", node.name, self.calls);
        let mut values = HashMap::new();
        for (index, name) in function.input.iter().enumerate() {
            // One that is left out stays so.
            values.insert(&**name, inputs.get(index).cloned().unwrap_or_default());
        }
        for (name, outside) in function.output.iter().zip(outputs) {
            if values.contains_key(&**name) {
                return Err(refuse(format!("its input `{name}` is its output as well")));
            }
            if !outside.is_empty() {
                values.insert(name, outside.clone());
            }
        }
        let mut attributes = node.attributes.clone();
        for default in &function.attribute_proto {
            if !attributes.contains_key(&default.name) {
                let value = self.attribute(default, &node.name, &Around::file(node.opset))?;
                attributes.extend(value.map(|value| (default.name.clone(), value)));
            }
        }
        let own = function.opset_import.iter().any(|o| is_onnx(&o.domain));
        let opset = if own {
            opset(&function.opset_import)?
        } else {
            around.opset
        };
        let call = Some(Call {
            prefix,
            values,
            attributes,
            depth,
        });
        self.read(&function.node, &Around { opset, call }, nodes)
    }

    fn node(
        &mut self,
        index: usize,
        proto: &'f NodeProto,
        around: &Around<'_>,
    ) -> Result<Node, Problem> {
        let name = [Some(&proto.name), proto.output.first()]
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .map_or_else(|| format!("#{index}"), Clone::clone);
        let name = match &around.call {
            Some(call) => format!("{}{name}", call.prefix),
            None => name,
        };
        let operator = if is_onnx(&proto.domain) {
            proto.op_type.clone()
        } else {
            format!("{}.{}", proto.domain, proto.op_type)
        };
        let mut attributes = BTreeMap::new();
        for attribute in &proto.attribute {
            let value = self.attribute(attribute, &name, around)?;
            attributes.extend(value.map(|value| (attribute.name.clone(), value)));
        }
        let named = |names: &[String]| names.iter().map(|name| around.value(name)).collect();
        let (inputs, outputs): (Vec<String>, Vec<String>) =
            (named(&proto.input), named(&proto.output));
        if around.call.is_some() {
            let names = inputs.iter().chain(&outputs).chain([&name, &operator]);
            let bytes = names
                .map(|name| name.len() + size_of::<String>())
                .sum::<usize>();
            self.repeated(bytes + size_of::<Node>(), &attributes)?;
        }
        Ok(Node {
            name,
            operator,
            inputs,
            outputs,
            attributes,
            opset: around.opset,
        })
    }

    /// Account for a node that a function repeats.
    fn repeated(
        &mut self,
        bytes: usize,
        attributes: &BTreeMap<String, Attribute>,
    ) -> Result<(), Problem> {
        let elements = attributes.values().map(|attribute| match attribute {
            Attribute::Tensor(tensor) => tensor.shape().iter().product(),
            Attribute::Ints(values) => values.len(),
            Attribute::Floats(values) => values.len(),
            Attribute::Text(text) => text.len(),
            _ => 0,
        });
        let left = [
            self.bytes.checked_sub(bytes),
            self.elements.checked_sub(elements.sum()),
        ];
        let [Some(bytes), Some(elements)] = left else {
            return Err(Problem::NotOnnx(
                "its functions become too large where they are called".into(),
            ));
        };
        (self.bytes, self.elements) = (bytes, elements);
        Ok(())
    }

    /// The value of an attribute; none if it takes that of a function's attribute which is not given.
    fn attribute(
        &mut self,
        attribute: &'f AttributeProto,
        node: &str,
        around: &Around<'_>,
    ) -> Result<Option<Attribute>, Problem> {
        if !attribute.ref_attr_name.is_empty() {
            let call = around.call.as_ref();
            return Ok(call
                .and_then(|call| call.attributes.get(&attribute.ref_attr_name))
                .cloned());
        }
        Ok(Some(match AttributeType::try_from(attribute.r#type) {
            Ok(AttributeType::Int) => Attribute::Int(attribute.i),
            Ok(AttributeType::Float) => Attribute::Float(attribute.f),
            Ok(AttributeType::String) => {
                Attribute::Text(String::from_utf8_lossy(&attribute.s).into_owned())
            }
            Ok(AttributeType::Ints) => Attribute::Ints(attribute.ints.clone()),
            Ok(AttributeType::Floats) => Attribute::Floats(attribute.floats.clone()),
            Ok(AttributeType::Tensor) => match &attribute.t {
                Some(stored) => Attribute::Tensor(self.external.constant(stored, node)?),
                None => Attribute::Other,
            },
            Ok(AttributeType::Graph) => match &attribute.g {
                Some(graph) => Attribute::Graph(self.subgraph(graph, around)?),
                None => Attribute::Other,
            },
            _ => Attribute::Other,
        }))
    }

    /// A graph inside a node.
    fn subgraph(
        &mut self,
        graph: &'f GraphProto,
        around: &Around<'_>,
    ) -> Result<Subgraph, Problem> {
        let stored = self.initializers(graph)?;
        let initializers: BTreeMap<String, Constant> = stored
            .into_iter()
            .map(|(name, constant)| (around.value(&name), constant))
            .collect();
        let nodes = self.of(&graph.node, around)?;
        let named = |name: &str| around.value(name);
        let inputs: Vec<String> = graph.input.iter().map(|input| named(&input.name)).collect();
        let outputs: Vec<String> = graph
            .output
            .iter()
            .map(|output| named(&output.name))
            .collect();
        let given = inputs.iter().map(String::as_str);
        let given = given.filter(|name| !initializers.contains_key(*name));
        let (nodes, outside) = ordered(nodes, given, &initializers, &outputs)?;
        let captured: BTreeSet<String> = outside.into_iter().map(|use_| use_.value).collect();
        Ok(Subgraph {
            nodes,
            initializers,
            outputs,
            captured: captured.into_iter().collect(),
        })
    }
}
