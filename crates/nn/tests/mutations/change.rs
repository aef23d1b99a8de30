//! Ways to damage a model.

use std::collections::BTreeSet;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto};
use trefoil_testkit::Coins;

/// Change a few bytes: replaced, flipped, removed, inserted, repeated, cut.
pub(crate) fn damage_bytes(bytes: &mut Vec<u8>, coins: &mut Coins) {
    for _ in 0..=coins.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = coins.below(bytes.len());
        match coins.below(8) {
            0 => bytes[at] = coins.word() as u8,
            1 => bytes[at] ^= 1 << coins.below(8),
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, coins.word() as u8),
            // The largest number of a length or a size.
            4 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
            5 => bytes[at] = *coins.one_of(&[0, 1, 0x7f, 0x80, 0xff]),
            6 => {
                let end = bytes.len().min(at + 1 + coins.below(64));
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
}

/// Change a few parts of a model, which stays a well-formed file.
pub(crate) fn damage_model(model: &mut ModelProto, coins: &mut Coins) {
    for _ in 0..=coins.below(3) {
        if coins.below(40) == 0 {
            if let Some(opset) = coins.one_of_mut(&mut model.opset_import) {
                opset.version = *coins.one_of(&[0, 1, 6, 7, 9, 11, 13, 18, 22, 23, i64::MIN]);
            }
            continue;
        }
        let Some(graph) = &mut model.graph else {
            return;
        };
        match coins.below(10) {
            0..5 => damage_node(graph, coins),
            5..7 => {
                if let Some(tensor) = coins.one_of_mut(&mut graph.initializer) {
                    damage_tensor(tensor, coins);
                }
            }
            7 => damage_graph(graph, coins),
            8 => damage_input(graph, coins),
            _ => rewire(graph, coins),
        }
    }
}

fn damage_node(graph: &mut GraphProto, coins: &mut Coins) {
    let operators: Vec<String> = graph.node.iter().map(|n| n.op_type.clone()).collect();
    let Some(node) = coins.one_of_mut(&mut graph.node) else {
        return;
    };
    match coins.below(6) {
        0 => node.op_type.clone_from(coins.one_of(&operators)),
        1 => {
            node.op_type = (*coins.one_of(&["Conv", "Gather", "Slice", "Expand", "Pad"])).into();
        }
        2 if !node.attribute.is_empty() => {
            let at = coins.below(node.attribute.len());
            node.attribute.remove(at);
        }
        3 => add_attribute(node, coins),
        _ => {
            if let Some(attribute) = coins.one_of_mut(&mut node.attribute) {
                damage_attribute(attribute, coins);
            }
        }
    }
}

fn add_attribute(node: &mut NodeProto, coins: &mut Coins) {
    const NAMES: [&str; 12] = [
        "axis",
        "axes",
        "perm",
        "pads",
        "strides",
        "dilations",
        "group",
        "kernel_shape",
        "ceil_mode",
        "keepdims",
        "alpha",
        "size",
    ];
    let values = (0..coins.below(6)).map(|_| integer(coins)).collect();
    let kind = *coins.one_of(&[
        AttributeType::Int,
        AttributeType::Ints,
        AttributeType::Float,
    ]);
    node.attribute.push(AttributeProto {
        name: (*coins.one_of(&NAMES)).into(),
        r#type: kind as i32,
        i: integer(coins),
        f: number(coins),
        ints: values,
        ..AttributeProto::default()
    });
}

fn damage_attribute(attribute: &mut AttributeProto, coins: &mut Coins) {
    match coins.below(7) {
        0 => attribute.i = integer(coins),
        1 => attribute.f = number(coins),
        2 => attribute.r#type = coins.below(16) as i32,
        3 => {
            let value = integer(coins);
            attribute.ints.push(value);
        }
        4 => drop(attribute.ints.pop()),
        5 => {
            if let Some(tensor) = &mut attribute.t {
                damage_tensor(tensor, coins);
            }
        }
        _ => {
            let value = integer(coins);
            if let Some(number) = coins.one_of_mut(&mut attribute.ints) {
                *number = value;
            }
        }
    }
}

fn damage_tensor(tensor: &mut TensorProto, coins: &mut Coins) {
    let value = integer(coins);
    match coins.below(7) {
        0 => tensor.dims.push(value),
        1 => drop(tensor.dims.pop()),
        2 => tensor.data_type = coins.below(24) as i32,
        3 => {
            let number = number(coins);
            if let Some(old) = coins.one_of_mut(&mut tensor.float_data) {
                *old = number;
            }
        }
        4 => {
            if let Some(old) = coins.one_of_mut(&mut tensor.int64_data) {
                *old = value;
            }
        }
        5 => tensor.raw_data = vec![coins.word() as u8; coins.below(64)],
        _ => {
            if let Some(size) = coins.one_of_mut(&mut tensor.dims) {
                *size = value;
            }
        }
    }
}

fn damage_graph(graph: &mut GraphProto, coins: &mut Coins) {
    let at = coins.below(graph.node.len());
    match coins.below(6) {
        0 if !graph.node.is_empty() => drop(graph.node.remove(at)),
        1 if !graph.node.is_empty() => {
            let node = graph.node[at].clone();
            graph.node.push(node);
        }
        2 => {
            let other = coins.below(graph.node.len());
            graph.node.swap(at, other);
        }
        3 => drop(graph.output.pop()),
        4 => {
            let other = coins.below(graph.initializer.len());
            let name = graph.initializer.first().map(|t| t.name.clone());
            if let (Some(tensor), Some(name)) = (graph.initializer.get_mut(other), name) {
                tensor.name = name;
            }
        }
        _ => {
            // An intermediate value as a result.
            let name = graph.node.get(at).and_then(|node| node.output.first());
            if let (Some(name), Some(output)) = (name.cloned(), graph.output.first_mut()) {
                output.name = name;
            }
        }
    }
}

fn damage_input(graph: &mut GraphProto, coins: &mut Coins) {
    use tract_onnx::pb::tensor_shape_proto::dimension::Value;
    let value = integer(coins);
    let Some(kind) = coins
        .one_of_mut(&mut graph.input)
        .and_then(|i| i.r#type.as_mut())
    else {
        return;
    };
    let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) = &mut kind.value else {
        return;
    };
    match (coins.below(5), &mut tensor.shape) {
        (0, _) => tensor.elem_type = coins.below(20) as i32,
        (1, shape) => *shape = None,
        (2, Some(shape)) => drop(shape.dim.pop()),
        (_, Some(shape)) => {
            if let Some(dim) = coins.one_of_mut(&mut shape.dim) {
                dim.value = Some(Value::DimValue(value));
            }
        }
        _ => {}
    }
}

/// Let a node use another value, or none.
fn rewire(graph: &mut GraphProto, coins: &mut Coins) {
    let made = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().cloned());
    let stored = graph.initializer.iter().map(|tensor| tensor.name.clone());
    let given = graph.input.iter().map(|input| input.name.clone());
    let names: BTreeSet<String> = made.chain(stored).chain(given).collect();
    let names: Vec<String> = names.into_iter().collect();
    let name = coins.one_of(&names).clone();
    let Some(node) = coins.one_of_mut(&mut graph.node) else {
        return;
    };
    match coins.below(5) {
        0 => node.input.push(name),
        1 => drop(node.input.pop()),
        2 => {
            if let Some(output) = coins.one_of_mut(&mut node.output) {
                *output = name;
            }
        }
        choice => {
            if let Some(input) = coins.one_of_mut(&mut node.input) {
                *input = if choice == 3 { name } else { String::new() };
            }
        }
    }
}

/// Small numbers mostly, and the ones that overflow something.
fn integer(coins: &mut Coins) -> i64 {
    const EDGES: [i64; 14] = [
        0,
        -1,
        i64::MIN,
        i64::MAX,
        i64::MAX - 1,
        1 << 62,
        1 << 32,
        (1 << 32) - 1,
        1 << 31,
        1 << 30,
        1 << 24,
        1 << 16,
        -(1 << 31),
        4096,
    ];
    if coins.below(2) == 0 {
        *coins.one_of(&EDGES)
    } else {
        coins.below(9) as i64 - 3
    }
}

/// The same of fractions.
fn number(coins: &mut Coins) -> f32 {
    const EDGES: [f32; 8] = [
        0.0,
        -0.0,
        1.0,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    if coins.below(2) == 0 {
        *coins.one_of(&EDGES)
    } else {
        coins.below(2000) as f32 / 100.0 - 10.0
    }
}
