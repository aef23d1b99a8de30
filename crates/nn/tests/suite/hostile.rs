//! Files that are damaged, incomplete or made to hurt.

use crate::build::{Build, int, ints, random};
use prost::Message as _;
use std::fs;
use tract_onnx::pb::{StringStringEntryProto, tensor_proto::DataType};
use trefoil_nn::{Clear, Graph, Options, Plan, Problem, ready, run};

fn model() -> Build {
    Build::opset(13)
        .input("x", &[1, 2, 5, 5])
        .random("w", &[4, 2, 3, 3])
        .random("b", &[4])
        .random("d", &[3, 4])
        .ints("s", &[1, -1])
        .node(
            "Conv",
            &["x", "w", "b"],
            "c",
            vec![ints("pads", &[1; 4]), ints("strides", &[2, 2])],
        )
        .node("Relu", &["c"], "r", vec![])
        .node("MaxPool", &["r"], "m", vec![ints("kernel_shape", &[3, 3])])
        .node("Reshape", &["m", "s"], "f", vec![])
        .node("Gemm", &["f", "d"], "g", vec![int("transB", 1)])
        .node("Softmax", &["g"], "y", vec![int("axis", 1)])
        .output("y")
}

#[test]
fn mutated_files_never_panic() {
    let bytes = model().bytes();
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize
    };
    let (mut read, mut compiled) = (0, 0);
    for _ in 0..20_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=next() % 4 {
            if damaged.is_empty() {
                break;
            }
            let at = next() % damaged.len();
            match next() % 5 {
                0 => damaged[at] = next() as u8,
                1 => damaged[at] ^= 1 << (next() % 8),
                2 => {
                    damaged.remove(at);
                }
                3 => damaged.insert(at, next() as u8),
                _ => damaged.truncate(at.max(1)),
            }
        }
        let Ok(graph) = Graph::from_bytes(&damaged, "damaged.onnx") else {
            continue;
        };
        read += 1;
        let Ok((plan, weights)) = Plan::compile(&graph, &Options::default()) else {
            continue;
        };
        plan.check().unwrap();
        let work: u64 = plan
            .steps
            .iter()
            .map(|step| plan.multiply_accumulates(step))
            .sum();
        let elements: usize = plan
            .shapes
            .iter()
            .map(|s| s.iter().product::<usize>())
            .sum();
        if work < 1 << 20 && elements < 1 << 20 {
            let inputs = plan
                .inputs
                .iter()
                .map(|p| random(plan.shape(p.value), 1))
                .collect();
            ready(run(&plan, &Clear, &weights.to_clear(), inputs, &mut ())).unwrap();
            compiled += 1;
        }
    }
    println!("of 20,000 mutations {read} were read, {compiled} compiled and run");
    assert!(read > 100 && compiled > 100);
}

#[test]
fn missing_and_foreign_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.onnx");
    let error = Graph::load(&missing).unwrap_err().to_string();
    assert!(
        error.contains("none.onnx") && error.contains("cannot read"),
        "{error}"
    );
    let error = Graph::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("folder"), "{error}");
    for bytes in [&b"this is a text, not a model"[..], b"", &[0xff; 100]] {
        let path = folder.path().join("text.onnx");
        fs::write(&path, bytes).unwrap();
        let error = Graph::load(&path).unwrap_err().to_string();
        assert!(
            error.contains("text.onnx") && error.contains("not an ONNX model"),
            "{error}"
        );
    }
    let path = folder.path().join("cut.onnx");
    let bytes = model().bytes();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Graph::load(&path).is_err());
}

#[test]
fn graphs_that_are_not_well_formed_are_refused() {
    let base = || Build::opset(13).input("x", &[1, 4]);
    let cyclic = base()
        .node("Add", &["x", "b"], "a", vec![])
        .node("Relu", &["a"], "b", vec![])
        .output("b");
    assert!(cyclic.refusal().contains("cycle"), "{}", cyclic.refusal());
    let dangling = base()
        .node("Add", &["x", "nowhere"], "y", vec![])
        .output("y");
    let message = dangling.refusal();
    assert!(
        message.contains("node `y` (Add)") && message.contains("`nowhere`"),
        "{message}"
    );
    let no_result = base().node("Relu", &["x"], "y", vec![]).output("z");
    assert!(no_result.refusal().contains("`z`"));
    let twice = base()
        .node("Relu", &["x"], "y", vec![])
        .node("Tanh", &["x"], "y", vec![])
        .output("y");
    assert!(twice.refusal().contains("produced twice"));
    let no_output = base().node("Relu", &["x"], "y", vec![]);
    assert!(no_output.refusal().contains("no output"));
}

#[test]
fn nodes_may_come_in_any_order() {
    let model = Build::opset(13)
        .input("x", &[1, 4])
        .node("Tanh", &["r"], "y", vec![])
        .node("Relu", &["x"], "r", vec![])
        .output("y");
    let (plan, _) = model.compile(None).unwrap();
    assert_eq!(crate::build::layers(&plan), ["Relu", "Tanh"]);
}

#[test]
fn unsupported_operators_are_named_with_what_is_supported() {
    let model = Build::opset(17)
        .input("x", &[1, 4])
        .node("LSTM", &["x"], "y", vec![])
        .output("y");
    let message = model.refusal();
    for part in [
        "test.onnx",
        "node `y`",
        "LSTM",
        "operator set 17",
        "Conv, ",
        "Transpose",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let mut foreign = Build::opset(17)
        .input("x", &[1, 4])
        .node("Relu", &["x"], "y", vec![])
        .output("y");
    foreign.graph().node[0].domain = "com.example".into();
    assert!(foreign.refusal().contains("com.example.Relu"));
    let old = Build::opset(3).input("x", &[1, 4]).output("x");
    assert!(old.refusal().contains("operator set 3"));
}

#[test]
fn misused_operators_are_refused() {
    let picture = || Build::opset(13).input("x", &[1, 4, 5, 5]);
    let conv = |weights: &[i64], attributes: Vec<_>| {
        picture()
            .random("w", weights)
            .node("Conv", &["x", "w"], "y", attributes)
            .output("y")
    };
    let refused = [
        conv(&[3, 5, 3, 3], vec![]),
        conv(&[3, 4, 9, 9], vec![]),
        conv(&[3, 4, 3, 3], vec![int("group", 2)]),
        conv(&[3, 4, 3, 3], vec![int("group", 0)]),
        conv(&[3, 4, 3, 3], vec![ints("strides", &[0, 1])]),
        conv(&[3, 4, 3, 3], vec![ints("strides", &[i64::MAX, 1])]),
        conv(&[3, 4, 3, 3], vec![ints("pads", &[-1, 0, 0, 0])]),
        conv(&[3, 4, 3, 3], vec![ints("dilations", &[1 << 24, 1 << 24])]),
        conv(&[3, 4, 3], vec![]),
        picture()
            .node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[9, 9])])
            .output("y"),
        picture()
            .node(
                "MaxPool",
                &["x"],
                "y",
                vec![ints("kernel_shape", &[2, 2]), ints("pads", &[3; 4])],
            )
            .output("y"),
        picture()
            .node("Transpose", &["x"], "y", vec![ints("perm", &[0, 1, 1, 2])])
            .output("y"),
        picture()
            .ints("s", &[7, 7])
            .node("Reshape", &["x", "s"], "y", vec![])
            .output("y"),
        picture()
            .ints("s", &[-1, -1])
            .node("Reshape", &["x", "s"], "y", vec![])
            .output("y"),
        picture()
            .node("Reshape", &["x", "x"], "y", vec![])
            .output("y"),
        picture()
            .node("Softmax", &["x"], "y", vec![int("axis", 9)])
            .output("y"),
        picture()
            .node("Softmax", &["x"], "y", vec![int("axis", i64::MIN)])
            .output("y"),
        picture()
            .random("c", &[3])
            .node("Add", &["x", "c"], "y", vec![])
            .output("y"),
        picture()
            .floats("c", &[], &[0.0])
            .node("Div", &["x", "c"], "y", vec![])
            .output("y"),
        picture()
            .ints("c", &[5])
            .node("Add", &["x", "c"], "y", vec![])
            .output("y"),
        picture().node("Add", &["x"], "y", vec![]).output("y"),
        picture().node("Relu", &[], "y", vec![]).output("y"),
    ];
    for (index, model) in refused.into_iter().enumerate() {
        let message = model.refusal();
        assert!(message.contains("node `y`"), "{index}: {message}");
    }
}

#[test]
fn tensors_that_contradict_themselves_are_refused() {
    let change = |change: &dyn Fn(&mut tract_onnx::pb::TensorProto)| {
        let mut model = model();
        change(&mut model.graph().initializer[0]);
        model.refusal()
    };
    assert!(change(&|t| t.dims = vec![1 << 40, 1 << 40]).contains("tensor `w`"));
    assert!(change(&|t| t.dims = vec![-4, 2, 3, 3]).contains("shape"));
    assert!(change(&|t| t.dims = vec![4, 2, 3, 4]).contains("72 elements"));
    assert!(change(&|t| t.dims = vec![1; 99]).contains("axes"));
    assert!(change(&|t| t.data_type = DataType::String as i32).contains("STRING"));
    assert!(change(&|t| t.data_type = 77).contains("77"));
    assert!(change(&|t| t.raw_data = vec![0; 3]).contains("multiple of 4"));
    let mut integers = model();
    let tract_onnx::pb::type_proto::Value::TensorType(kind) = integers.graph().input[0]
        .r#type
        .as_mut()
        .unwrap()
        .value
        .as_mut()
        .unwrap();
    kind.elem_type = DataType::Complex64 as i32;
    assert!(integers.refusal().contains("COMPLEX64"));
}

#[test]
fn external_data_is_read_from_beside_the_model_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let entry = |key: &str, value: &str| StringStringEntryProto {
        key: key.into(),
        value: value.into(),
    };
    let write = |location: &str, offset: &str, length: &str| {
        let mut model = model();
        let stored = &mut model.graph().initializer[0];
        stored.data_location = Some(1);
        stored.external_data = vec![
            entry("location", location),
            entry("offset", offset),
            entry("length", length),
        ];
        stored.float_data.clear();
        fs::write(&path, model.proto.encode_to_vec()).unwrap();
        Graph::load(&path).map_err(|error| error.to_string())
    };
    let values = random(&[4, 2, 3, 3], 2);
    let mut bytes = vec![9; 8];
    bytes.extend(values.iter().flat_map(|&v| (v as f32).to_le_bytes()));
    fs::write(folder.path().join("w.bin"), bytes).unwrap();
    let graph = write("w.bin", "8", "288").unwrap();
    assert_eq!(graph.initializers["w"].to_f64(), values);
    for (location, offset, length) in [
        ("none.bin", "0", "288"),
        ("w.bin", "16", "288"),
        ("w.bin", "18446744073709551615", "288"),
        ("w.bin", "minus one", "288"),
        ("w.bin", "8", "284"),
        ("../w.bin", "8", "288"),
        ("/etc/passwd", "0", "288"),
    ] {
        let error = write(location, offset, length).unwrap_err();
        assert!(error.contains("model.onnx: tensor `w`"), "{error}");
    }
    let problem = Graph::from_bytes(&fs::read(&path).unwrap(), "memory")
        .unwrap_err()
        .problem;
    assert!(matches!(problem, Problem::Tensor { .. }));
}

#[test]
fn small_files_cannot_fold_into_large_constants() {
    let mut model = Build::opset(13)
        .input("x", &[1, 1])
        .random("c0", &[1, 1 << 12])
        .random("d", &[1 << 12, 1]);
    model = model.node("Add", &["c0", "d"], "big0", vec![]);
    for i in 0..8 {
        model = model.node(
            "Add",
            &[&format!("big{i}"), "d"],
            &format!("big{}", i + 1),
            vec![],
        );
    }
    let message = model
        .node("Add", &["x", "big8"], "y", vec![])
        .output("y")
        .refusal();
    assert!(message.contains("folding"), "{message}");
}
