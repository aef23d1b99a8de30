//! `trefoil attack` on outputs whose leak is known.

use crate::world::World;
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::write_npy;
use serde_json::Value;
use std::fs;

/// Records on each side.
const RECORDS: usize = 200;

/// Members are sure of their label, non-members half as often right and less sure.
fn world() -> World {
    let world = World::new(1);
    for (prefix, shift) in [("", 0), ("s", 7)] {
        for (side, top) in [("m", 0.95), ("n", 0.75)] {
            let mut confidences = Array2::<f32>::zeros((RECORDS, 3));
            let mut labels = Array1::<u8>::zeros(RECORDS);
            for (record, mut row) in confidences.rows_mut().into_iter().enumerate() {
                let place = record + shift;
                let predicted = place % 3;
                let wiggle = (place * 37 % 100) as f32 / 1000.0;
                row.fill(f32::midpoint(1.0 - top, wiggle));
                row[predicted] = top - wiggle;
                let wrong = side == "n" && place % 2 == 0;
                labels[record] = ((predicted + usize::from(wrong)) % 3) as u8;
            }
            let logits = confidences.mapv(|p| p.ln() + 3.0);
            write_npy(world.path(&format!("{prefix}{side}.npy")), &confidences).unwrap();
            write_npy(world.path(&format!("{prefix}{side}l.npy")), &labels).unwrap();
            write_npy(world.path(&format!("{prefix}{side}z.npy")), &logits).unwrap();
            let models = Array3::from_shape_fn((4, RECORDS, 3), |(model, record, class)| {
                let p = confidences[[record, class]];
                0.7 * p + 0.3 * [0.3, 0.34, 0.36][(class + model) % 3]
            });
            write_npy(world.path(&format!("{prefix}{side}r.npy")), &models).unwrap();
        }
    }
    world
}

const TARGET: &str = "attack --members m.npy --non-members n.npy --seed 1";
const LABELS: &str = "--labels ml.npy nl.npy";
const SHADOW: &str = "--shadow-members sm.npy --shadow-nonmembers sn.npy";
const SHADOW_LABELS: &str = "--shadow-labels sml.npy snl.npy --network-epochs 20";

fn json(world: &World, arguments: &str) -> Value {
    let ended = world.run(&format!("--json {arguments}"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn names(value: &Value, list: &str) -> Vec<String> {
    let attacks = value[list].as_array().unwrap().iter();
    attacks
        .map(|a| a["attack"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn more_evidence_allows_more_attacks() {
    let world = world();
    let bare = json(&world, TARGET);
    assert_eq!(names(&bare, "attacks"), ["entr", "top"]);
    assert!(bare["attacks"][0]["balanced_accuracy"].is_null());
    assert!(bare["label_only_floor"].is_null());
    assert!(names(&bare, "skipped").contains(&"conf".to_owned()));

    let full = json(
        &world,
        &format!(
            "{TARGET} {LABELS} {SHADOW} {SHADOW_LABELS} --references mr.npy nr.npy \
             --shadow-references smr.npy snr.npy --population sn.npy snr.npy snl.npy"
        ),
    );
    let ran = names(&full, "attacks");
    for attack in [
        "NN-M",
        "correctness",
        "conf",
        "entr",
        "Mentr",
        "top",
        "LiRA",
        "LiRA-fixed",
        "RMIA",
        "trees",
        "forest",
    ] {
        assert!(ran.contains(&attack.to_owned()), "{attack}: {ran:?}");
    }
    assert_eq!(full["label_only_floor"], 0.75);
    let by_name = |name: &str| {
        let attacks = full["attacks"].as_array().unwrap();
        attacks
            .iter()
            .find(|a| a["attack"] == name)
            .unwrap()
            .clone()
    };
    // Confidences of members are at least .851 and of non-members at most .75.
    let conf = by_name("conf");
    assert_eq!(conf["balanced_accuracy"]["value"], 1.0);
    assert_eq!(conf["auc"]["value"], 1.0);
    for learner in ["trees", "forest"] {
        assert_eq!(by_name(learner)["balanced_accuracy"]["value"], 1.0);
    }
    assert_eq!(by_name("correctness")["balanced_accuracy"]["value"], 0.75);
    assert_eq!(conf["rates"][0]["resolved"], true);
    assert_eq!(conf["rates"][1]["resolved"], false);
    assert_eq!(full["files"]["m.npy"].as_str().unwrap().len(), 64);
    assert!(names(&full, "skipped").contains(&"LiRA-online".to_owned()));

    let logits = TARGET.replace(".npy", "z.npy");
    let logits = json(&world, &format!("{logits} --logits"));
    let auc = |value: &Value| value["attacks"][1]["auc"]["value"].as_f64().unwrap();
    assert!((auc(&logits) - auc(&bare)).abs() < 1e-3);
}

#[test]
fn a_table_for_people_and_a_report_in_one_file() {
    let world = world();
    let all = format!("{TARGET} {LABELS} {SHADOW} {SHADOW_LABELS}");
    let ended = world.run(&format!("{all} --name shop --html page.html --report out"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for words in [
        "200 members, 200 non-members of 3 classes",
        "labels right: 100.0 % of the members, 50.0 % of the non-members",
        "balanced accuracy %",
        "label-only floor: 75.0 %",
        "above the label-only floor of 75.0 %",
        "LiRA, LiRA-fixed, LiRA-online, LiRA-online-fixed, RMIA, RMIA-tuned, ranked: needs reference models",
    ] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    let page = fs::read_to_string(world.path("page.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2);
    assert!(page.contains("Membership inference against shop"));
    assert_eq!(
        fs::read_to_string(world.path("out/report.html")).unwrap(),
        page
    );
    let report = fs::read(world.path("out/report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["data"]["results"]["seed"], 1);
    assert_eq!(
        json(&world, &all)["attacks"],
        report["data"]["results"]["attacks"]
    );
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let world = world();
    write_npy(
        world.path("wide.npy"),
        &Array2::<f32>::from_elem((9, 4), 0.25),
    )
    .unwrap();
    write_npy(world.path("flat.npy"), &Array1::<f32>::zeros(9)).unwrap();
    write_npy(world.path("none.npy"), &Array2::<f32>::zeros((0, 3))).unwrap();
    write_npy(world.path("high.npy"), &Array1::<u8>::from_elem(RECORDS, 3)).unwrap();
    let mut nan = Array2::<f32>::from_elem((5, 3), 0.3);
    nan[[4, 1]] = f32::NAN;
    write_npy(world.path("nan.npy"), &nan).unwrap();
    fs::write(world.path("text.npy"), "no array").unwrap();
    let before = world.files();
    let target = |n: &str| format!("attack --members m.npy --nonmembers {n} --html page.html");
    for (arguments, code, words) in [
        (target("gone.npy"), 1, &["gone.npy", "check the path"][..]),
        (target("text.npy"), 1, &["text.npy", "not an .npy file"]),
        (target("flat.npy"), 1, &["flat.npy", "(records, classes)"]),
        (target("none.npy"), 1, &["none.npy", "0 records"]),
        (target("nan.npy"), 1, &["nan.npy", "[4, 1] is NaN"]),
        (target("wide.npy"), 1, &["4 classes", "have 3"]),
        (
            target("nz.npy"),
            1,
            &["nz.npy", "no confidence", "--logits"],
        ),
        (
            format!("{TARGET} --labels nl.npy high.npy"),
            1,
            &["label 3", "high.npy", "from 0"],
        ),
        (
            format!("{TARGET} --labels ml.npy m.npy"),
            1,
            &["m.npy", "one-hot"],
        ),
        (format!("{TARGET} --labels ml.npy"), 2, &["--labels"]),
        (
            format!("{TARGET} --shadow-members sm.npy"),
            2,
            &["--shadow-non-members"],
        ),
        (
            format!("{TARGET} {LABELS} --references mr.npy snl.npy"),
            1,
            &["snl.npy", "models"],
        ),
        (
            format!("{TARGET} {LABELS} --html gone/page.html"),
            1,
            &["gone/page.html"],
        ),
        (
            format!("{TARGET} {LABELS} --html /dev/null"),
            1,
            &["/dev/null", "not a regular file"],
        ),
    ] {
        world.refused(&arguments, code, words);
    }
    assert_eq!(world.files(), before);
}
