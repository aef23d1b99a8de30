//! Labels that are not what they should be: a figure that follows from them is never printed without a word.

use crate::world::World;
use ndarray::{Array1, Array2, ArrayD, Axis};
use ndarray_npy::{read_npy, write_npy};
use serde_json::Value;

const RECORDS: usize = 120;

/// Digits and their labels.
fn world() -> (World, Vec<u8>) {
    let world = World::new(RECORDS);
    let labels: Array1<u8> = read_npy(world.path("y.npy")).unwrap();
    (world, labels.to_vec())
}

/// What a run on the clear back end tells about labels.
fn told(world: &World, labels: &[u8]) -> Value {
    write_npy(world.path("labels.npy"), &Array1::from(labels.to_vec())).unwrap();
    world
        .infer("--backend clear --labels labels.npy --json")
        .json()
}

#[test]
fn the_right_labels_are_not_doubted() {
    let (world, labels) = world();
    assert_eq!(told(&world, &labels)["labels_doubt"], Value::Null);
}

#[test]
fn labels_counted_from_one_are_told() {
    let (world, labels) = world();
    let moved: Vec<u8> = labels.iter().map(|label| label + 1).collect();
    write_npy(world.path("moved.npy"), &Array1::from(moved)).unwrap();
    world.refused(
        "infer --model digits.onnx --input x.npy --output out.npy --backend clear --labels moved.npy",
        1,
        &["counted from 1", "subtract 1", "none is 0"],
    );
    // Without the last class no number is too large, and still it is told.
    let kept: Vec<usize> = (0..RECORDS).filter(|&i| labels[i] < 9).collect();
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    write_npy(world.path("x.npy"), &pictures.select(Axis(0), &kept)).unwrap();
    let moved: Vec<u8> = kept.iter().map(|&i| labels[i] + 1).collect();
    let told = told(&world, &moved);
    let doubt = told["labels_doubt"].as_str().unwrap();
    assert!(doubt.contains("counted from 1"), "{doubt}");
    let said = world.infer("--backend clear --labels labels.npy").stdout;
    assert!(
        said.contains("warning: the labels: they look counted from 1"),
        "{said}"
    );
}

#[test]
fn labels_of_other_records_or_in_another_order_are_told() {
    let (world, labels) = world();
    let mut others = labels.clone();
    others.rotate_left(7);
    let doubt = told(&world, &others)["labels_doubt"].to_string();
    assert!(
        doubt.contains("these records' labels, in this order?"),
        "{doubt}"
    );
    let renamed: Vec<u8> = labels.iter().map(|label| (label * 3 + 1) % 10).collect();
    let doubt = told(&world, &renamed)["labels_doubt"].to_string();
    assert!(
        doubt.contains("another order than the model's classes"),
        "{doubt}"
    );
}

#[test]
fn an_attack_tells_labels_that_are_not_the_records() {
    let (world, _) = world();
    let rows = Array2::from_shape_fn(
        (60, 3),
        |(row, class)| {
            if class == row * row % 3 { 0.8_f32 } else { 0.1 }
        },
    );
    write_npy(world.path("c.npy"), &rows).unwrap();
    let save = |name: &str, label: &dyn Fn(usize) -> u8| {
        let labels: Array1<u8> = (0..60).map(label).collect();
        write_npy(world.path(name), &labels).unwrap();
    };
    save("right.npy", &|row| (row * row % 3) as u8);
    save("moved.npy", &|row| (row * row % 3) as u8 + 1);
    save("three.npy", &|row| (row % 3) as u8 + 1);
    save("others.npy", &|row| u8::from(row % 30 < 20));
    let attack = "attack --members c.npy --nonmembers c.npy --network-epochs 0 --labels right.npy";
    // Other warnings are of scores: these records tie.
    let warnings = |labels: &str| -> String {
        let told = world.run(&format!("{attack} {labels} --json")).json();
        let all = told["warnings"].as_array().unwrap().iter();
        let texts = all.map(|warning| warning.as_str().unwrap());
        texts.filter(|text| text.contains("label")).collect()
    };
    assert_eq!(warnings("right.npy"), "");
    assert!(warnings("moved.npy").contains("counted from 1"));
    assert!(warnings("others.npy").contains("in this order?"));
    let words = ["three.npy", "label 3", "subtract 1"];
    world.refused(&format!("{attack} three.npy"), 1, &words);
}
