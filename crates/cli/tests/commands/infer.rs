//! Answers on every back end and over every link.

use crate::world::World;
use ndarray::{ArrayD, Axis, s};
use ndarray_npy::{read_npy, write_npy};
use serde_json::Value;

/// Pictures of every test here.
const PICTURES: usize = 8;

/// Run on eight pictures and check what every back end must give.
fn answers(arguments: &str, largest_error: f64) -> (World, Value) {
    let world = World::new(PICTURES);
    let told = world
        .infer(&format!("{arguments} --check --labels y.npy --json"))
        .json();
    assert_eq!(told["label_agreement"], 1.0, "{told}");
    assert!(told["accuracy"].as_f64().unwrap() >= 0.875, "{told}");
    let (mean, max) = (
        &told["mean_abs_error"],
        told["max_abs_error"].as_f64().unwrap(),
    );
    assert!(
        mean.as_f64().unwrap() <= max && max <= largest_error,
        "{told}"
    );
    assert!(told["wall_s"].as_f64().unwrap() > 0.0, "{told}");
    assert!(told["setup_s"].as_f64().unwrap() >= 0.0, "{told}");
    assert_eq!(told["samples"], PICTURES, "{told}");
    assert!(!told["phases"].as_array().unwrap().is_empty(), "{told}");
    assert_eq!(world.answers().shape(), [PICTURES, 10]);
    assert_eq!(world.files(), ["digits.onnx", "out.npy", "x.npy", "y.npy"]);
    (world, told)
}

/// What three parties must tell besides.
fn secure(arguments: &str) -> Value {
    let (_, told) = answers(arguments, 1e-3);
    assert!(told["rounds"].as_u64().unwrap() > 0, "{told}");
    let sent = told["bytes_sent_per_party"].as_array().unwrap();
    assert_eq!(sent.len(), 3, "{told}");
    assert!(
        sent.iter().all(|bytes| bytes.as_u64().unwrap() > 0),
        "{told}"
    );
    told
}

#[test]
fn in_the_clear_there_is_no_error() {
    let (_, told) = answers("--backend clear", 0.0);
    assert_eq!(told["rounds"], 0);
    assert_eq!(told["ring"], Value::Null);
}

#[test]
fn in_fixed_point_the_error_is_that_of_the_format() {
    let (_, told) = answers("--backend fixed", 1e-3);
    assert_eq!(
        (&told["ring"], &told["fraction_bits"]),
        (&64.into(), &20.into())
    );
    let (_, told) = answers("--backend fixed --ring 32 --fraction-bits 11", 0.5);
    assert_eq!(
        (&told["ring"], &told["fraction_bits"]),
        (&32.into(), &11.into())
    );
}

#[test]
fn three_parties_agree_over_every_link_with_the_same_rounds_and_bytes() {
    let runs = ["memory", "tcp", "tls"].map(|link| {
        let told = secure(&format!("--link {link}"));
        assert_eq!(told["link"], link);
        told
    });
    for told in &runs[1..] {
        for exact in ["rounds", "bytes_sent_per_party"] {
            assert_eq!(told[exact], runs[0][exact], "{exact}");
        }
    }
}

#[test]
fn tls_and_three_processes_are_the_default() {
    assert_eq!(secure("")["link"], "tls");
}

#[test]
fn an_emulated_network_is_as_slow_as_it_should_be() {
    let told = secure("--link memory --network 5,1000");
    let rounds = told["rounds"].as_f64().unwrap();
    // Party 0's messages may run ahead, so that not every round waits for a message; most do.
    assert!(
        told["wall_s"].as_f64().unwrap() > 0.005 * rounds / 2.0,
        "{told}"
    );
    assert_eq!(told["network"], "5 ms one way, 1000 Mbit/s");
}

#[test]
fn batches_do_not_change_the_answers() {
    let world = World::new(PICTURES);
    world.infer("--backend fixed").succeeded();
    let whole = world.answers();
    let told = world.infer("--backend fixed --batch 3 --json").json();
    assert_eq!(told["batch"], 3);
    let gap = (&whole - &world.answers()).mapv(f32::abs);
    assert!(gap.iter().all(|&gap| gap < 1e-3), "{gap}");
    let told = world.infer("--link memory --batch 3 --check --json").json();
    assert_eq!(told["label_agreement"], 1.0, "{told}");
    assert_eq!(world.answers().shape(), [PICTURES, 10]);
}

#[test]
fn a_single_picture_may_lack_the_first_axis() {
    let world = World::new(2);
    world.infer("--backend clear").succeeded();
    let both = world.answers();
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    write_npy(world.path("x.npy"), &pictures.index_axis(Axis(0), 1)).unwrap();
    world.infer("--backend clear").succeeded();
    assert_eq!(world.answers().shape(), [1, 10]);
    assert_eq!(world.answers(), both.slice(s![1..2, ..]).into_dyn());
}

#[test]
fn without_json_there_is_a_summary_and_nothing_on_standard_error() {
    let world = World::new(PICTURES);
    let ended = world.infer("--link memory --check --labels y.npy --timings");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    for word in [
        "phase",
        "rounds",
        "8 samples",
        "labels agree",
        "accuracy: ",
        "its administrator can see everything",
        "out.npy",
    ] {
        assert!(
            ended.stdout.contains(word),
            "no `{word}` in {}",
            ended.stdout
        );
    }
}
