//! Small ONNX files, written field by field (the message definitions are those of onnx.proto).

/// A field that holds bytes: text, or a message.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// A field that holds a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A value that goes in or out: floats of this shape, the first axis free.
fn value(name: &str, sizes: &[u8]) -> Vec<u8> {
    let mut shape = field(1, &field(2, b"N"));
    for &size in sizes {
        shape.extend(field(1, &number(1, size)));
    }
    let tensor = [number(1, 1), field(2, &shape)].concat();
    let kind = field(1, &tensor);
    [field(1, name.as_bytes()), field(2, &kind)].concat()
}

/// A model of `x` [N, sizes…] that goes through `operators`, none of which needs anything else, to `y` [N, outputs].
pub(crate) fn chain(sizes: &[u8], operators: &[&str], outputs: u8) -> Vec<u8> {
    let mut graph = field(2, b"test");
    for (index, operator) in operators.iter().enumerate() {
        let from = if index == 0 {
            "x".to_owned()
        } else {
            format!("v{index}")
        };
        let to = if index + 1 == operators.len() {
            "y".to_owned()
        } else {
            format!("v{}", index + 1)
        };
        let node = [
            field(1, from.as_bytes()),
            field(2, to.as_bytes()),
            field(4, operator.as_bytes()),
        ];
        graph.extend(field(1, &node.concat()));
    }
    graph.extend(field(11, &value("x", sizes)));
    graph.extend(field(12, &value("y", &[outputs])));
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}

/// A stored tensor of floats.
fn tensor(name: &str, shape: &[u8], values: &[f32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = shape.iter().flat_map(|&size| number(1, size)).collect();
    bytes.extend(number(2, 1));
    bytes.extend(field(8, name.as_bytes()));
    let raw: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    bytes.extend(field(9, &raw));
    bytes
}

/// A model of `x` [N, features] to `y` [N, 1]: less `mean` and by `std` if they are given, times `weights`, through a
/// sigmoid.
pub(crate) fn scored(scaler: Option<(&[f32], &[f32])>, weights: &[f32]) -> Vec<u8> {
    let features = weights.len() as u8;
    let mut stored = vec![tensor("w", &[features, 1], weights)];
    let mut nodes: Vec<[&str; 4]> = Vec::new();
    let mut last = "x";
    if let Some((mean, std)) = scaler {
        stored.push(tensor("mean", &[features], mean));
        stored.push(tensor("std", &[features], std));
        nodes.push(["Sub", "x", "mean", "centred"]);
        nodes.push(["Div", "centred", "std", "scaled"]);
        last = "scaled";
    }
    nodes.push(["MatMul", last, "w", "logit"]);
    nodes.push(["Sigmoid", "logit", "", "y"]);
    let mut graph = field(2, b"test");
    for [operator, first, second, output] in nodes {
        let mut node = field(1, first.as_bytes());
        if !second.is_empty() {
            node.extend(field(1, second.as_bytes()));
        }
        node.extend(field(2, output.as_bytes()));
        node.extend(field(3, output.as_bytes()));
        node.extend(field(4, operator.as_bytes()));
        graph.extend(field(1, &node));
    }
    for tensor in stored {
        graph.extend(field(5, &tensor));
    }
    graph.extend(field(11, &value("x", &[features])));
    graph.extend(field(12, &value("y", &[1])));
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}

/// A model of two inputs, `left/in:0` and `right` [N, 3], to `y`, the first less the second, negative ones made 0.
pub(crate) fn difference() -> Vec<u8> {
    let mut graph = field(2, b"test");
    for (inputs, output, operator) in [
        (&["left/in:0", "right"][..], "d", "Sub"),
        (&["d"], "y", "Relu"),
    ] {
        let mut node: Vec<u8> = inputs
            .iter()
            .flat_map(|name| field(1, name.as_bytes()))
            .collect();
        node.extend(field(2, output.as_bytes()));
        node.extend(field(4, operator.as_bytes()));
        graph.extend(field(1, &node));
    }
    graph.extend(field(11, &value("left/in:0", &[3])));
    graph.extend(field(11, &value("right", &[3])));
    graph.extend(field(12, &value("y", &[3])));
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}

/// A model of pictures `x` [N, 1, height, width] of any size to their means `y` [N, 1, 1, 1].
pub(crate) fn mean() -> Vec<u8> {
    let named = |name: &str| field(1, &field(2, name.as_bytes()));
    let one = || field(1, &number(1, 1));
    let shaped = |name: &str, shape: Vec<u8>| {
        let tensor = [number(1, 1), field(2, &shape)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let node = [
        field(1, b"x"),
        field(2, b"y"),
        field(4, b"GlobalAveragePool"),
    ];
    let pictures = [named("N"), one(), named("height"), named("width")].concat();
    let graph = [
        field(2, b"test"),
        field(1, &node.concat()),
        field(11, &shaped("x", pictures)),
        field(12, &shaped("y", [named("N"), one(), one(), one()].concat())),
    ];
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph.concat()), field(8, &opset)].concat()
}
