//! One encrypted server: from a model's file to decrypted answers, and what is refused on the way.

use crate::onnx::scored;
use crate::world::World;
use ndarray::{Array1, Array2, ArrayD, Axis};
use ndarray_npy::write_npy;
use serde_json::Value;
use std::fs;

const WEIGHTS: [f32; 3] = [1.5, -2.0, 0.7];

/// A model of three numbers to a probability, and samples for it in `s.npy` with their labels in `l.npy`.
fn world() -> World {
    let world = World::new(1);
    fs::write(world.path("score.onnx"), scored(None, &WEIGHTS)).unwrap();
    let samples = samples();
    write_npy(world.path("s.npy"), &samples).unwrap();
    write_npy(world.path("faint.npy"), &samples.mapv(|x| x / 8.0)).unwrap();
    let truth: Array1<i64> = samples.map_axis(Axis(1), |row| i64::from(dot(&row.to_vec()) > 0.0));
    write_npy(world.path("l.npy"), &truth).unwrap();
    world
}

fn samples() -> Array2<f32> {
    Array2::from_shape_fn((40, 3), |(at, feature)| {
        ((at * 7 + feature * 13) % 40) as f32 / 40.0
    })
}

fn dot(x: &[f32]) -> f32 {
    x.iter().zip(WEIGHTS).map(|(x, w)| x * w).sum()
}

/// `trefoil he compile` to files of this name.
fn compile(name: &str, more: &str) -> String {
    format!("he compile score.onnx --plan {name}.plan --program {name}.program {more}")
}

fn keygen(name: &str, keys: &str) -> String {
    format!("he keygen --plan {name}.plan --secret {keys}.secret --evaluation {keys}.evaluation")
}

const ENCRYPT: &str = "he encrypt --plan a.plan --secret a.secret --input s.npy --output query";
const INFER: &str =
    "he infer --program a.program --evaluation a.evaluation --input query --output answer";
const DECRYPT: &str =
    "he decrypt --plan a.plan --secret a.secret --input answer --output out.npy --labels l.npy";

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn answers_of_one_encrypted_server_are_those_of_the_polynomial_network() {
    let world = world();
    let line = compile("a", "--calibrate s.npy --labels l.npy --degree 3 --json");
    let report = world.run(&line).json();
    assert!(number(&report["security_bits"]) >= 128.0, "{report}");
    assert_eq!(report["depth"], 2);
    let comparison = &report["comparison"];
    for accuracy in ["accuracy_original", "accuracy_polynomials"] {
        assert!(number(&comparison[accuracy]) > 0.9, "{comparison}");
    }
    world.run(&keygen("a", "a")).succeeded();
    world.run(ENCRYPT).succeeded();
    let said = world.run(INFER);
    said.succeeded();
    assert!(said.stdout.contains("of memory at most"), "{}", said.stdout);
    let decrypted = world.run(&format!("{DECRYPT} --json")).json();
    assert_eq!(decrypted["samples"], 40);
    assert_eq!(decrypted["accuracy"], comparison["accuracy_integers"]);

    // The polynomial of the report, on the model's only sum.
    let coefficients = report["activations"][0]["coefficients"].as_array().unwrap();
    let polynomial = |x: f32| {
        let all = coefficients.iter().rev().map(number);
        all.fold(0.0, |value, c| value * f64::from(x) + c)
    };
    let answers: ArrayD<f32> = world.answers();
    let allowed = number(&comparison["max_abs_error"]) + 1e-5;
    assert!(allowed < 0.05, "{comparison}");
    for (sample, answer) in samples().outer_iter().zip(answers.iter()) {
        let expected = polynomial(dot(&sample.to_vec()));
        assert!((f64::from(*answer) - expected).abs() <= allowed);
    }
    // What was foreseen is what was written.
    for (file, field) in [
        ("a.evaluation", "evaluation_key_bytes"),
        ("query", "query_bytes"),
        ("answer", "answer_bytes"),
    ] {
        let written = fs::metadata(world.path(file)).unwrap().len() as f64;
        let foreseen = number(&report[field]);
        assert!(
            (written / foreseen - 1.0).abs() < 0.01,
            "{file}: {written} {foreseen}"
        );
    }
}

#[test]
fn what_does_not_belong_together_is_refused_and_leaves_nothing() {
    let world = world();
    world.run(&compile("a", "--calibrate s.npy")).succeeded();
    world
        .run(&compile("b", "--calibrate s.npy --weight-bits 6"))
        .succeeded();
    for (plan, keys) in [("a", "a"), ("a", "other"), ("b", "b")] {
        world.run(&keygen(plan, keys)).succeeded();
    }
    world.run(ENCRYPT).succeeded();
    // The wrong key, on either side; a secret one for the server.
    let wrong = INFER.replace("a.evaluation", "other.evaluation");
    world.refused(&wrong, 1, &["query does not belong here", "made with key"]);
    let secret = INFER.replace("a.evaluation", "a.secret");
    world.refused(&secret, 1, &["it holds secret key"]);
    world.run(INFER).succeeded();
    let wrong = DECRYPT.replace("a.secret", "other.secret");
    world.refused(&wrong, 1, &["answer does not belong here", "made with key"]);
    // A foreign plan.
    let foreign = DECRYPT.replace("a.plan", "b.plan");
    world.refused(&foreign, 1, &["does not belong here", "one compilation"]);
    let foreign = INFER
        .replace("a.program", "b.program")
        .replace("answer", "none");
    world.refused(&foreign, 1, &["query does not belong here"]);
    // A truncated ciphertext, and an altered one.
    let whole = fs::read(world.path("answer")).unwrap();
    fs::write(world.path("answer"), &whole[..whole.len() - 100]).unwrap();
    world.refused(
        DECRYPT,
        1,
        &["no usable answer", "truncated", "copy the file"],
    );
    let mut altered = whole.clone();
    altered[whole.len() / 2] ^= 1;
    fs::write(world.path("answer"), &altered).unwrap();
    world.refused(DECRYPT, 1, &["no usable answer", "altered"]);
    // Nothing takes the place of a file.
    world.refused(ENCRYPT, 1, &["query after --output is there already"]);
    world.refused(&keygen("a", "a"), 1, &["a.secret", "never replaced"]);
    world.refused(&compile("a", "--calibrate s.npy"), 1, &["a.plan"]);
}

#[test]
fn models_and_samples_that_do_not_fit_are_refused_by_name() {
    let world = world();
    let faint = compile("a", "--calibrate faint.npy --widen 1");
    world.run(&faint).succeeded();
    world.run(&keygen("a", "a")).succeeded();
    let words = ["sample 0 leads to", "outside the interval", "calibrate"];
    let outside = ENCRYPT.replace("s.npy", "outside.npy");
    write_npy(
        world.path("outside.npy"),
        &ndarray::array![[1.0_f32, 0.0, 1.0]],
    )
    .unwrap();
    world.refused(&outside, 1, &words[..2]);
    let range = ENCRYPT.replace("s.npy", "large.npy");
    write_npy(world.path("large.npy"), &Array2::from_elem((1, 3), 1.5_f32)).unwrap();
    world.refused(&range, 1, &["outside the declared range"]);
    // A layer that encryption does not have, and values that no parameters hold.
    let pooled = "he compile digits.onnx --calibrate x.npy --plan p --program q";
    world.refused(pooled, 1, &["MaxPool", "average pooling"]);
    let wide = compile(
        "w",
        "--calibrate s.npy --degree 7 --weight-bits 16 --input-bits 16",
    );
    world.refused(&wide, 1, &["bits", "--weight-bits"]);
    // Misuse.
    for degree in ["1", "8"] {
        world.refused(
            &compile("m", &format!("--calibrate s.npy --degree {degree}")),
            2,
            &["--degree"],
        );
    }
    let twice = "he keygen --plan a.plan --secret k --evaluation k";
    world.refused(twice, 2, &["--secret", "--evaluation"]);
}
