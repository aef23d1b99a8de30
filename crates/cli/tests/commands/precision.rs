//! Right or refused: answers in fixed point are those of the model, or nothing is written.

use crate::onnx;
use crate::world::World;
use ndarray::{Array1, Array2, Array4, ArrayD, s};
use ndarray_npy::{NpzWriter, read_npy, write_npy};
use std::fs;
use std::path::Path;

/// Where numbers are added, scaled or compared: two back ends.
const BACKENDS: [&str; 2] = ["fixed", "secure --link memory"];

/// A folder with the files of a case from the field.
fn case(name: &str) -> (World, ArrayD<f64>) {
    let world = World::new(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    fs::copy(folder.join(format!("{name}.onnx")), world.path("m.onnx")).unwrap();
    let x: ArrayD<f32> = read_npy(folder.join(format!("{name}.x.npy"))).unwrap();
    write_npy(world.path("in.npy"), &x).unwrap();
    let right: ArrayD<f32> = read_npy(folder.join(format!("{name}.right.npy"))).unwrap();
    (world, right.mapv(f64::from))
}

fn infer(backend: &str, more: &str) -> String {
    format!("infer --model m.onnx --input in.npy --output out.npy --backend {backend} {more}")
}

fn distance(world: &World, right: &ArrayD<f64>) -> f64 {
    let gaps = (world.answers().mapv(f64::from) - right).mapv(f64::abs);
    gaps.into_iter().fold(0.0, f64::max)
}

/// Check that a case is answered rightly by every back end.
fn right(name: &str, more: &str) {
    for backend in BACKENDS {
        let (world, right) = case(name);
        world.run(&infer(backend, more)).succeeded();
        let error = distance(&world, &right);
        assert!(error < 1e-3, "{name} {backend} {more}: off by {error}");
    }
}

#[test]
fn weights_that_vanish_are_refused_with_the_layer_and_what_helps() {
    for (name, step) in [
        ("small_weights", "Gemm"),
        ("credit_raw", "Gemm"),
        ("adult_scaler_logreg", "MatMul"),
    ] {
        let (world, _) = case(name);
        for backend in BACKENDS {
            for more in ["", "--check", "--calibrate in.npy"] {
                let words = ["precision is lost at step", "MatMul", "--public-scaling"];
                world.refused(&infer(backend, more), 1, &words);
            }
        }
        let told = world.run("inspect m.onnx --calibrate in.npy --json");
        assert_eq!(told.code, Some(1), "{name} {step}");
        assert!(
            told.error().contains("precision is lost"),
            "{}",
            told.error()
        );
    }
}

#[test]
fn scaling_that_is_public_is_the_clients_and_right() {
    for name in ["small_weights", "credit_raw", "adult_scaler_logreg"] {
        right(name, "--public-scaling");
        right(name, "--public-scaling --calibrate in.npy");
    }
    let world = World::new(1);
    world.refused(
        "infer --model digits.onnx --input x.npy --output out.npy --public-scaling --input-range 0,1",
        2,
        &["--public-scaling", "--input-range"],
    );
}

#[test]
fn models_of_features_of_very_different_size_are_right_or_refused() {
    let features = 6;
    for seed in 0..6 {
        let number = |index: usize| ((seed * 37 + index * 101 + 11) % 97) as f32 / 97.0;
        let size = |index: usize| 10_f32.powi((index as i32 + seed as i32) % 7);
        let mean: Vec<f32> = (0..features).map(|i| size(i) * number(i)).collect();
        let std: Vec<f32> = (0..features)
            .map(|i| size(i) * (0.5 + number(i + 9)))
            .collect();
        let weights: Vec<f32> = (0..features).map(|i| 2.0 * number(i + 31) - 1.0).collect();
        let small: Vec<f32> = weights.iter().zip(&std).map(|(w, s)| w / s).collect();
        let x = Array2::from_shape_fn((12, features), |(row, i)| {
            mean[i] + std[i] * (4.0 * number(row * 7 + i) - 2.0)
        });
        for model in [
            onnx::scored(Some((&mean, &std)), &weights),
            onnx::scored(None, &small),
        ] {
            let world = World::new(1);
            fs::write(world.path("m.onnx"), model).unwrap();
            write_npy(world.path("in.npy"), &x).unwrap();
            world.run(&infer("clear", "")).succeeded();
            let exact = world.answers().mapv(f64::from);
            fs::remove_file(world.path("out.npy")).unwrap();
            for more in ["", "--public-scaling"] {
                let ended = world.run(&infer("fixed", more));
                if ended.code == Some(0) {
                    let error = distance(&world, &exact);
                    assert!(error < 1e-3, "{seed} {more}: off by {error}");
                } else {
                    assert!(more.is_empty(), "{seed}: {}", ended.stderr);
                    assert!(
                        ended.stderr.contains("precision is lost"),
                        "{}",
                        ended.stderr
                    );
                    assert!(!world.path("out.npy").exists());
                }
            }
        }
    }
}

#[test]
fn tiny_rows_and_numbers_beyond_the_format_are_refused() {
    for name in [
        "rms",
        "layernorm_op",
        "l2norm_zero",
        "exp_over",
        "mlp_big_values",
    ] {
        let (world, _) = case(name);
        for backend in BACKENDS {
            for more in ["", "--check"] {
                world.refused(&infer(backend, more), 1, &["at step", "--no-check"]);
            }
        }
    }
}

#[test]
fn without_a_check_it_is_said() {
    let (world, right) = case("mlp_big_values");
    let told = world.run(&infer("fixed", "--no-check --json")).json();
    assert_eq!(told["unchecked"], true, "{told}");
    assert!(distance(&world, &right) > 1.0);
    let ended = world.run(&infer("fixed", "--no-check"));
    assert!(
        ended.stdout.contains("no answer was compared"),
        "{}",
        ended.stdout
    );
    fs::remove_file(world.path("out.npy")).unwrap();
    world.refused(&infer("fixed", "--no-check --check"), 2, &["--no-check"]);
}

#[test]
fn masks_of_minus_infinity_are_what_the_format_holds() {
    for name in [
        "causal_add_inf",
        "causal_add_fmin",
        "causal_add_1e4",
        "causal_add_1e9",
    ] {
        right(name, "");
        right(name, "--calibrate in.npy");
    }
}

#[test]
fn logits_far_below_the_largest_are_nothing_in_a_softmax() {
    for name in ["softmax_far_logits", "logsoftmax_far"] {
        right(name, "");
        right(name, "--calibrate in.npy");
    }
    // Every distance, those at which an exponent taken modulo 256 comes round again among them.
    let world = World::new(1);
    let rows = Array2::from_shape_fn((40, 3), |(row, column)| match column {
        0 => -(165.0 + 3.7 * row as f32),
        _ => column as f32,
    });
    write_npy(world.path("in.npy"), &rows).unwrap();
    fs::write(world.path("m.onnx"), onnx::chain(&[3], &["Softmax"], 3)).unwrap();
    world.run(&infer("clear", "")).succeeded();
    let exact = world.answers().mapv(f64::from);
    world.run(&infer("secure --link memory", "")).succeeded();
    assert!(distance(&world, &exact) < 1e-3);
}

#[test]
fn whatever_is_constant_is_computed_when_the_model_is_read() {
    for name in [
        "attention_old_exporter",
        "causal_where_1e4",
        "dq_weights_only",
        "if_const",
        "local_function",
        "multi_out_unused",
        "pad_negative",
        "pad_reflect",
    ] {
        right(name, "");
        let (world, _) = case(name);
        world.run("inspect m.onnx").succeeded();
    }
}

/// Ten trees each, trained by `LightGBM` and converted by hummingbird, in its three ways.
#[test]
fn trees_that_hummingbird_converted_are_right() {
    right("trees_gemm", "");
    right("trees_walked", "");
    right("trees_two_classes", "--output-name onnx::ArgMax_63");
    let (world, _) = case("trees_two_classes");
    let words = ["2 outputs", "`onnx::ArgMax_63`", "--output-name"];
    world.refused(&infer("fixed", ""), 1, &words);
}

#[test]
fn a_batch_that_the_file_fixes_is_the_batch() {
    right("squeeze_noaxes_batch", "");
    let (world, right) = case("squeeze_noaxes_batch");
    let told = world.run("inspect m.onnx --json").json();
    assert_eq!(told["batch"], right.shape()[0], "{told}");
}

#[test]
fn sizes_that_a_model_leaves_free_are_those_of_the_samples() {
    let world = World::new(1);
    fs::write(world.path("m.onnx"), onnx::mean()).unwrap();
    for [height, width] in [[5, 7], [2, 3]] {
        let x = Array4::from_shape_fn((3, 1, height, width), |(n, _, row, column)| {
            (n * 5 + row + column) as f32 / 4.0
        });
        write_npy(world.path("in.npy"), &x).unwrap();
        for backend in BACKENDS {
            world.run(&infer(backend, "")).succeeded();
            for (mean, picture) in world.answers().iter().zip(x.outer_iter()) {
                let error = (mean - picture.mean().unwrap()).abs();
                assert!(error < 1e-4, "{backend}: off by {error}");
            }
        }
    }
    let bound = "inspect m.onnx --bind height=5 --bind width=7";
    world.run(bound).succeeded();
    world.refused("inspect m.onnx", 1, &["height", "--bind"]);
}

#[test]
fn several_inputs_come_in_one_archive() {
    let world = World::new(1);
    fs::write(world.path("m.onnx"), onnx::difference()).unwrap();
    let left = Array2::from_shape_fn((5, 3), |(row, column)| (row * 3 + column) as f32 / 4.0);
    let right = Array2::from_shape_fn((5, 3), |(row, column)| (row + column * 2) as f32 / 3.0);
    let save = |file: &str, arrays: &[(&str, &Array2<f32>)]| {
        let mut archive = NpzWriter::new(fs::File::create(world.path(file)).unwrap());
        for (name, array) in arrays {
            archive.add_array(*name, *array).unwrap();
        }
        archive.finish().unwrap();
    };
    save("in.npz", &[("right", &right), ("left/in:0", &left)]);
    let exact = (&left - &right).mapv(|v| f64::from(v.max(0.0))).into_dyn();
    let infer = |input: &str, backend: &str| {
        format!("infer --model m.onnx --input {input} --output out.npy --backend {backend}")
    };
    for backend in [
        "clear",
        "fixed",
        "fixed --batch 2",
        "secure --link memory --calibrate in.npz",
    ] {
        world.run(&infer("in.npz", backend)).succeeded();
        assert!(distance(&world, &exact) < 1e-4, "{backend}");
    }
    fs::remove_file(world.path("out.npy")).unwrap();
    world.run("inspect m.onnx --calibrate in.npz").succeeded();
    write_npy(world.path("one.npy"), &left).unwrap();
    save("half.npz", &[("right", &right)]);
    save(
        "short.npz",
        &[
            ("right", &right),
            ("left/in:0", &left.slice(s![..4, ..]).to_owned()),
        ],
    );
    let names = ["`left/in:0`", "`right`"];
    world.refused(&infer("one.npy", "clear"), 1, &[names[0], names[1], ".npz"]);
    world.refused(&infer("half.npz", "clear"), 1, &["half.npz", "left/in:0"]);
    world.refused(
        &infer("short.npz", "clear"),
        1,
        &["4 samples", "5", names[1]],
    );
    let outside = Array2::<f32>::from_elem((5, 3), 1e14);
    save("far.npz", &[("right", &outside), ("left/in:0", &left)]);
    world.refused(&infer("far.npz", "fixed"), 1, &["far.npz", "outside"]);
}

#[test]
fn a_weight_that_is_no_number_is_named_by_every_command() {
    let (world, _) = case("nan_weight");
    for command in [
        infer("clear", ""),
        infer("fixed", ""),
        "inspect m.onnx".into(),
    ] {
        world.refused(&command, 1, &["`w`", "[1, 2]", "NaN"]);
    }
}

#[test]
fn a_single_score_is_one_of_two_classes() {
    let (world, right) = case("credit_raw");
    let labels: Array1<i64> = right.iter().map(|&p| i64::from(p > 0.5)).collect();
    write_npy(world.path("labels.npy"), &labels).unwrap();
    let told = world
        .run(&infer(
            "fixed",
            "--public-scaling --check --labels labels.npy --json",
        ))
        .json();
    assert_eq!(told["accuracy"], 1.0, "{told}");
    assert_eq!(told["label_agreement"], 1.0, "{told}");
    assert!(
        told["labels_by"].as_str().unwrap().contains("0.5"),
        "{told}"
    );
    // Other labels are other answers: agreement is not always all.
    write_npy(world.path("labels.npy"), &labels.mapv(|label| 1 - label)).unwrap();
    let told = world
        .run(&infer(
            "fixed",
            "--public-scaling --labels labels.npy --json",
        ))
        .json();
    assert_eq!(told["accuracy"], 0.0, "{told}");
}
