//! Files in the forms in which people bring them.

use crate::build::{Build, array, distance, int, layers, random, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write as _;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use trefoil_nn::{Graph, Problem};

fn model() -> Build {
    Build::opset(17)
        .input("x", &[0, 2])
        .floats("w", &[2, 2], &[0.5, -1.0, 0.25, 2.0])
        .node("MatMul", &["x", "w"], "y", vec![])
        .output("y")
}

fn input_type(model: &mut Build, kind: DataType) {
    let input = model.graph().input[0].r#type.as_mut().unwrap();
    let pb::type_proto::Value::TensorType(tensor) = input.value.as_mut().unwrap();
    tensor.elem_type = kind as i32;
}

#[test]
fn gzipped_models_are_read() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&model().bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let graph = Graph::from_bytes(&packed, "model.onnx.gz").unwrap();
    assert_eq!(graph.nodes.len(), 1);
    let cut = Graph::from_bytes(&packed[..packed.len() / 2], "cut.onnx.gz").unwrap_err();
    assert!(cut.to_string().contains("gzip is damaged"), "{cut}");
}

#[test]
fn a_pointer_of_git_lfs_is_named_for_what_it_is() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n";
    let error = Graph::from_bytes(pointer, "model.onnx").unwrap_err();
    assert!(matches!(error.problem, Problem::LfsPointer), "{error}");
    assert!(error.to_string().contains("git lfs pull"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_of_external_data_stay_in_the_folder() {
    let [folder, elsewhere] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut model = model();
    let stored = &mut model.graph().initializer[0];
    stored.float_data.clear();
    stored.data_location = Some(1);
    stored.external_data = vec![pb::StringStringEntryProto {
        key: "location".into(),
        value: "weights.bin".into(),
    }];
    let path = folder.path().join("model.onnx");
    fs::write(&path, model.bytes()).unwrap();
    fs::write(elsewhere.path().join("secret"), [0; 16]).unwrap();
    let link = folder.path().join("weights.bin");
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), &link).unwrap();
    let error = Graph::load(&path).unwrap_err().to_string();
    assert!(error.contains("outside the model's folder"), "{error}");
    // A link within the folder is as good as a file.
    fs::remove_file(&link).unwrap();
    fs::write(folder.path().join("real.bin"), [0; 16]).unwrap();
    std::os::unix::fs::symlink("real.bin", &link).unwrap();
    Graph::load(&path).unwrap();
}

#[test]
fn weights_and_inputs_of_half_precision_are_numbers() {
    let x = array(&[1, 2], &[1.0, 3.0]);
    let expected = array(&[1, 2], &[1.25, 5.0]);
    // 0.5, -1, 0.25, 2.
    let halves: [u16; 4] = [0x3800, 0xbc00, 0x3400, 0x4000];
    let brains: [u16; 4] = [0x3f00, 0xbf80, 0x3e80, 0x4000];
    for (kind, words) in [(DataType::Float16, halves), (DataType::Bfloat16, brains)] {
        let mut model = model();
        input_type(&mut model, kind);
        let stored = &mut model.graph().initializer[0];
        stored.data_type = kind as i32;
        stored.float_data.clear();
        stored.raw_data = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        assert!(distance(&model.clear(std::slice::from_ref(&x)), &expected) < 1e-12);
    }
}

#[test]
fn integers_and_truth_values_are_inputs() {
    let mut model = Build::opset(17)
        .input("x", &[1, 2])
        .node("Cast", &["x"], "f", vec![int("to", 1)])
        .floats("w", &[2, 2], &[0.5, -1.0, 0.25, 2.0])
        .node("MatMul", &["f", "w"], "y", vec![])
        .output("y");
    for kind in [DataType::Int64, DataType::Uint8, DataType::Bool] {
        input_type(&mut model, kind);
        let y = model.clear(&[array(&[1, 2], &[1.0, 0.0])]);
        assert!(distance(&y, &array(&[1, 2], &[0.5, -1.0])) < 1e-12);
    }
    // A cast that changes nothing is no layer.
    input_type(&mut model, DataType::Int32);
    assert_eq!(layers(&model.compile(None).unwrap().0), ["MatMul"]);
}

#[test]
fn integers_of_users_are_not_divided() {
    let mut model = Build::opset(17)
        .input("x", &[1, 2])
        .ints("c", &[2])
        .node("Div", &["x", "c"], "y", vec![])
        .output("y");
    input_type(&mut model, DataType::Int64);
    assert!(model.refusal().contains("cast them to FLOAT"));
}

#[test]
fn one_of_several_outputs_is_kept_without_what_it_does_not_need() {
    let model = model()
        .node("NonMaxSuppression", &["y"], "boxes", vec![])
        .output("boxes");
    let mut graph = model.read().unwrap();
    assert_eq!(graph.keep_output("z").unwrap_err(), "y`, `boxes");
    graph.keep_output("y").unwrap();
    let options = trefoil_nn::Options::default();
    let (plan, _) = trefoil_nn::Plan::compile(&graph, &options).unwrap();
    assert_eq!(layers(&plan), ["MatMul"]);
}

#[test]
fn free_sizes_are_those_of_the_samples_or_stated() {
    let model = Build::opset(17)
        .input("x", &[0, 1, 0, 0])
        .random("w", &[1, 1, 3, 3])
        .node("Conv", &["x", "w"], "y", vec![])
        .output("y");
    assert!(model.refusal().contains("--bind N=SIZE"));
    let options = trefoil_nn::Options::default();
    let mut graph = model.read().unwrap();
    graph.bind_samples(0, &[5, 1, 6, 6]);
    let (plan, _) = trefoil_nn::Plan::compile(&graph, &options).unwrap();
    assert_eq!(plan.shape(plan.outputs[0].value), [1, 1, 4, 4]);
    let mut graph = model.read().unwrap();
    assert!(!graph.bind("H", 7) && graph.bind("N", 7));
    let (plan, _) = trefoil_nn::Plan::compile(&graph, &options).unwrap();
    assert_eq!(plan.shape(plan.outputs[0].value), [1, 1, 5, 5]);
}

#[test]
fn what_constants_alone_give_is_computed_while_compiling() {
    // A causal mask as exporters compute it, from sizes.
    let model = Build::opset(17)
        .input("x", &[1, 3])
        .node("Shape", &["x"], "s", vec![int("start", 1)])
        .ints("sq", &[0])
        .node("Squeeze", &["s", "sq"], "n", vec![])
        .ints("zero", &[0])
        .ints("one", &[1])
        .node("Squeeze", &["zero"], "from", vec![])
        .node("Squeeze", &["one"], "step", vec![])
        .node("Range", &["from", "n", "step"], "r", vec![])
        .ints("column", &[1])
        .node("Unsqueeze", &["r", "column"], "c", vec![])
        .node("Less", &["c", "r"], "above", vec![])
        .node("Not", &["above"], "kept", vec![])
        .node("Cast", &["kept"], "mask", vec![int("to", 1)])
        .ints("axis", &[1])
        .node("CumSum", &["mask", "axis"], "sum", vec![])
        .node("Trilu", &["sum"], "t", vec![int("upper", 0)])
        .node("MatMul", &["x", "t"], "y", vec![])
        .output("y");
    let (plan, _) = model.compile(None).unwrap();
    assert_eq!(layers(&plan), ["MatMul"]);
    let y = model.clear(&[array(&[1, 3], &[1.0, 10.0, 100.0])]);
    assert_eq!(y, array(&[1, 3], &[111.0, 220.0, 300.0]));
}

#[test]
fn slices_go_backwards() {
    let model = Build::opset(13)
        .input("x", &[2, 5])
        .ints("start", &[-1])
        .ints("end", &[i64::MIN + 1])
        .ints("axis", &[1])
        .ints("step", &[-2])
        .node("Slice", &["x", "start", "end", "axis", "step"], "y", vec![])
        .output("y");
    let x = random(&[2, 5], 3);
    let y = model.clear(std::slice::from_ref(&x));
    assert_eq!(y.shape(), [2, 3]);
    assert!((y[[1, 0]] - x[[1, 4]]).abs() + (y[[0, 2]] - x[[0, 0]]).abs() < 1e-12);
}

#[test]
fn equality_of_rounded_numbers_is_refused_with_the_reason() {
    let model = Build::opset(17)
        .input("x", &[1, 2])
        .floats("c", &[], &[0.5])
        .node("Equal", &["x", "c"], "b", vec![])
        .node("Cast", &["b"], "y", vec![int("to", 1)])
        .output("y");
    assert!(model.refusal().contains("rounding would decide"));
}

#[test]
fn an_if_of_what_users_give_is_refused_with_the_reason() {
    let model = Build::opset(17)
        .input("x", &[1])
        .floats("c", &[], &[0.5])
        .node("Less", &["x", "c"], "b", vec![])
        .node("If", &["b"], "y", vec![])
        .output("y");
    assert!(model.refusal().contains("must not depend on secret values"));
}

/// A model whose function `loc.f` has these nodes.
fn with_function(name: &str, nodes: Vec<pb::NodeProto>) -> Build {
    let mut model = Build::opset(17).input("x", &[1, 2]).output("y");
    model.graph().node.push(call(name, "x", "y"));
    model.proto.functions.push(pb::FunctionProto {
        name: Some(name.into()),
        domain: Some("loc".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: nodes,
        ..Default::default()
    });
    model
}

fn call(name: &str, input: &str, output: &str) -> pb::NodeProto {
    pb::NodeProto {
        input: vec![input.into()],
        output: vec![output.into()],
        op_type: name.into(),
        domain: "loc".into(),
        ..Default::default()
    }
}

#[test]
fn functions_that_call_themselves_or_grow_without_end_are_refused() {
    let endless = with_function("f", vec![call("f", "a", "b")]);
    assert!(endless.refusal().contains("functions that call each other"));
    // Two calls in each: 2^16 nodes at the end are fine, of hundreds there would be too many.
    let many = |calls: usize| {
        let mut nodes = Vec::new();
        for index in 0..calls {
            let next = if index + 1 == calls {
                "b".to_owned()
            } else {
                format!("v{index}")
            };
            let from = if index == 0 {
                "a".to_owned()
            } else {
                format!("v{}", index - 1)
            };
            nodes.push(call("f", &from, &next));
        }
        with_function("f", nodes)
    };
    let refusal = many(300).read().unwrap_err().to_string();
    assert!(
        refusal.contains("too large where they are called") || refusal.contains("call each other"),
        "{refusal}"
    );
}

#[test]
fn graphs_inside_each_other_have_a_limit() {
    // Attribute g (6) of a node's attribute (5) of a graph's node (1), again and again.
    let mut bytes = Vec::new();
    for _ in 0..20_000 {
        for tag in [6_u8, 5, 1] {
            let mut outer = vec![tag << 3 | 2];
            let mut len = bytes.len();
            loop {
                let byte = (len & 127) as u8;
                len >>= 7;
                outer.push(if len == 0 { byte } else { byte | 128 });
                if len == 0 {
                    break;
                }
            }
            outer.extend(&bytes);
            bytes = outer;
        }
        if bytes.len() > 100_000 {
            break;
        }
    }
    // The operator set: field 8, its version in field 2.
    let mut model = vec![8 << 3 | 2, 2, 2 << 3, 17, 7 << 3 | 2];
    let mut len = bytes.len();
    while len > 127 {
        model.push((len & 127) as u8 | 128);
        len >>= 7;
    }
    model.push(len as u8);
    model.extend(bytes);
    let error = Graph::from_bytes(&model, "deep.onnx")
        .unwrap_err()
        .to_string();
    assert!(error.contains("inside each other"), "{error}");
}

#[test]
fn empty_results_are_refused() {
    let model = Build::opset(17)
        .input("x", &[1, 2])
        .ints("shape", &[0])
        .node("ConstantOfShape", &["shape"], "y", vec![])
        .output("y");
    assert!(model.refusal().contains("empty tensor"));
    let pads = Build::opset(13)
        .input("x", &[1, 2])
        .ints("p", &[0, -1, 0, -1])
        .node("Pad", &["x", "p"], "y", vec![])
        .output("y");
    assert!(pads.refusal().contains("node `y`"));
    let reflected = Build::opset(13)
        .input("x", &[1, 2])
        .ints("p", &[0, 2, 0, 0])
        .node("Pad", &["x", "p"], "y", vec![text("mode", "reflect")])
        .output("y");
    assert!(reflected.refusal().contains("reflects 2 elements"));
}
