//! `trefoil attack` on files as people have them: tables, flags of membership, names of classes, the layout of `LiRA`'s
//! authors; and on files that look wrong.

use crate::world::{Ended, World};
use ndarray::{Array1, Array2, Array3, Axis};
use ndarray_npy::{NpzWriter, write_npy};
use serde_json::Value;
use std::fmt::Write;
use std::fs::{self, File};

/// Records, the first half of them members.
const RECORDS: usize = 80;
const NAMES: [&str; 3] = ["cat", "dog", "eel"];

/// Members are sure of their label; a quarter of the non-members' labels are others. Every record differs.
fn outputs() -> (Array2<f64>, Array1<i64>) {
    let mut confidences = Array2::zeros((RECORDS, 3));
    let mut labels = Array1::zeros(RECORDS);
    for (record, mut row) in confidences.rows_mut().into_iter().enumerate() {
        let class = record % 3;
        let member = record < RECORDS / 2;
        let top = if member { 0.9 } else { 0.7 } - record as f64 / 1000.0;
        row.fill((1.0 - top) / 2.0);
        row[class] = top;
        let wrong = !member && record % 4 == 0;
        labels[record] = ((class + usize::from(wrong)) % 3) as i64;
    }
    (confidences, labels)
}

fn csv(header: &str, member: impl Fn(usize) -> bool, label: impl Fn(i64) -> String) -> String {
    let (confidences, labels) = outputs();
    let mut text = format!("\u{feff}{header}\n");
    for (record, row) in confidences.outer_iter().enumerate() {
        let (label, member) = (label(labels[record]), u8::from(member(record)));
        writeln!(text, "{},{},{},{label},{member}", row[0], row[1], row[2]).unwrap();
    }
    text
}

fn is_member(record: usize) -> bool {
    record < RECORDS / 2
}

fn json(world: &World, arguments: &str) -> Value {
    let ended = ended(world, &format!("--json attack {arguments} --seed 1"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn ended(world: &World, arguments: &str) -> Ended {
    world.run(arguments)
}

fn auc(value: &Value, attack: &str) -> f64 {
    let attacks = value["attacks"].as_array().unwrap().iter();
    let mut found = attacks.filter(|a| a["attack"] == attack);
    found.next().unwrap()["auc"]["value"].as_f64().unwrap()
}

fn warned(value: &Value, what: &str) -> bool {
    let warnings = value["warnings"].as_array().unwrap().iter();
    warnings
        .filter_map(Value::as_str)
        .any(|text| text.contains(what))
}

#[test]
fn a_table_with_labels_and_membership_says_what_two_arrays_and_two_files_of_labels_say() {
    let world = World::new(1);
    let (confidences, labels) = outputs();
    let half = RECORDS / 2;
    let (m, n) = confidences.view().split_at(Axis(0), half);
    write_npy(world.path("m.npy"), &m).unwrap();
    write_npy(world.path("n.npy"), &n).unwrap();
    let (ml, nl) = labels.view().split_at(Axis(0), half);
    write_npy(world.path("ml.npy"), &ml).unwrap();
    write_npy(world.path("nl.npy"), &nl).unwrap();
    let arrays = json(
        &world,
        "--members m.npy --nonmembers n.npy --labels ml.npy nl.npy",
    );
    let numbers = csv("p0,p1,p2,label,member", is_member, |label| {
        label.to_string()
    });
    fs::write(world.path("all.csv"), numbers).unwrap();
    let table = json(&world, "--outputs all.csv");
    assert_eq!(table["attacks"], arrays["attacks"]);
    // Names of classes: in the header's order, or their own.
    let name = |label: i64| NAMES[label as usize].to_owned();
    let named = csv("cat,dog,eel,y,is_member", is_member, name);
    fs::write(world.path("named.csv"), named).unwrap();
    let named = json(&world, "--outputs named.csv");
    assert_eq!(named["attacks"], arrays["attacks"]);
    assert!(warned(&named, "0 cat, 1 dog, 2 eel"));
    // Flags, and arrays of an archive by their names.
    let mut archive = NpzWriter::new(File::create(world.path("all.npz")).unwrap());
    archive.add_array("softmax", &confidences).unwrap();
    archive.add_array("other", &labels).unwrap();
    archive.add_array("Y", &labels).unwrap();
    let flags: Array1<bool> = (0..RECORDS).map(is_member).collect();
    archive.add_array("seen", &flags).unwrap();
    archive.finish().unwrap();
    let keys = json(
        &world,
        "--outputs all.npz:softmax --membership all.npz:seen --labels all.npz",
    );
    assert_eq!(keys["attacks"], arrays["attacks"]);
}

#[test]
fn the_score_of_each_record_is_written_with_its_verdict() {
    let world = World::new(1);
    let text = csv("p0,p1,p2,label,member", is_member, |label| {
        label.to_string()
    });
    fs::write(world.path("all.csv"), text).unwrap();
    let all = "--outputs all.csv --shadow-outputs all.csv --network-epochs 0";
    json(&world, &format!("{all} --scores scores.csv"));
    let scores = fs::read_to_string(world.path("scores.csv")).unwrap();
    let mut lines = scores.lines();
    let header = "record,side,label,predicted,attack,score,verdict";
    assert_eq!(lines.next(), Some(header));
    let conf: Vec<&str> = lines.filter(|line| line.contains(",conf,")).collect();
    assert_eq!(conf.len(), RECORDS);
    assert_eq!(conf[1], "1,member,1,1,conf,0.899,member");
    let last: Vec<&str> = conf[RECORDS - 1].split(',').collect();
    assert_eq!(
        (last[0], last[1], last[6]),
        ("79", "non-member", "non-member")
    );
    // Never in the place of what is read.
    let refused = ended(&world, "attack --outputs all.csv --scores all.csv");
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("overwritten"), "{}", refused.stderr);
}

#[test]
fn one_number_a_record_is_the_probability_of_class_1() {
    let world = World::new(1);
    let two: Array2<f64> = Array2::from_shape_fn((40, 2), |(record, class)| {
        let p = 0.05 + record as f64 / 44.0;
        if class == 1 { p } else { 1.0 - p }
    });
    let labels: Array1<u8> = (0..40).map(|record| u8::from(record > 17)).collect();
    write_npy(world.path("labels.npy"), &labels).unwrap();
    write_npy(world.path("two.npy"), &two).unwrap();
    write_npy(world.path("one.npy"), &two.slice(ndarray::s![.., 1..])).unwrap();
    let run = |name: &str| {
        json(
            &world,
            &format!("--members {name} --nonmembers {name} --labels labels.npy labels.npy"),
        )
    };
    let (one, both) = (run("one.npy"), run("two.npy"));
    assert_eq!(one["attacks"], both["attacks"]);
    assert!(warned(&one, "a probability of class 1"));
}

#[test]
fn what_looks_wrong_about_labels_and_sides_is_told() {
    let world = World::new(1);
    let write = |name: &str, member: fn(usize) -> bool, label: fn(i64) -> String| {
        let text = csv("p0,p1,p2,label,member", member, label);
        fs::write(world.path(name), text).unwrap();
    };
    write("good.csv", is_member, |label| label.to_string());
    write(
        "swapped.csv",
        |record| !is_member(record),
        |label| label.to_string(),
    );
    write("one.csv", is_member, |label| (label + 1).to_string());
    let good = json(&world, "--outputs good.csv");
    assert!(
        !warned(&good, "swapped") && !warned(&good, "look"),
        "{good}"
    );
    let swapped = json(&world, "--outputs swapped.csv");
    assert!(warned(&swapped, "the two look swapped"), "{swapped}");
    assert!(warned(&swapped, "members lower scores"), "{swapped}");
    // The floor is turned round with the thresholds.
    assert_eq!(swapped["label_only_floor"], good["label_only_floor"]);
    let refused = ended(&world, "attack --outputs one.csv");
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("subtract 1"), "{}", refused.stderr);
}

#[test]
fn the_layout_of_liras_authors_is_read_and_records_without_out_models_are_left_out() {
    let world = World::new(1);
    let models = 6;
    let folder = world.path("lira");
    fs::create_dir(&folder).unwrap();
    let keep = Array2::from_shape_fn((models, RECORDS), |(model, record)| {
        record < 2 || (record * 7 + model * 3 + record / 9) % 2 == 0
    });
    let logits = Array3::from_shape_fn((models, RECORDS, 3), |(model, record, class)| {
        let own = if record % 3 == class { 2.0 } else { 0.0 };
        let seen = if keep[[model, record]] { 1.5 } else { 1.0 };
        (own * seen + ((model * 31 + record * 17 + class * 7) % 13) as f64 / 40.0) as f32
    });
    let labels: Array1<i64> = (0..RECORDS).map(|record| (record % 3) as i64).collect();
    write_npy(folder.join("keep.npy"), &keep).unwrap();
    write_npy(folder.join("logits.npy"), &logits).unwrap();
    write_npy(folder.join("y_train.npy"), &labels).unwrap();
    let found = json(&world, "--lira lira --network-epochs 0");
    assert!(
        warned(&found, "2 members and 0 non-members are left out"),
        "{found}"
    );
    let records = &found["records"];
    let total = records["members"].as_u64().unwrap() + records["nonmembers"].as_u64().unwrap();
    assert_eq!(total, RECORDS as u64 - 2);
    assert!(auc(&found, "LiRA-fixed") > 0.9);
    let refused = ended(&world, "attack --lira lira --lira-target 6");
    assert!(
        refused.stderr.contains("models 0 to 5"),
        "{}",
        refused.stderr
    );
}
