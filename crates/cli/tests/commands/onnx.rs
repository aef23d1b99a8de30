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
