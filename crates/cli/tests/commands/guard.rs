//! `trefoil guard` from a model's answers to guarded ones, and `trefoil infer --guard`.

use crate::onnx;
use crate::world::World;
use ndarray::{Array1, Array2};
use ndarray_npy::{NpzReader, NpzWriter, read_npy, write_npy};
use std::fs;
use std::path::{Path, PathBuf};

/// Records on each side.
const RECORDS: usize = 120;

/// Logits of a model that is sure of its members and less sure of others, in `classes` classes, and
/// the confidences that follow from them, as `.npz` archives: `zm`, `zn`, `sm`, `sn`.
fn world(classes: usize) -> World {
    let world = World::new(8);
    for (side, lead) in [("m", 6.0), ("n", 2.0)] {
        let logits = Array2::from_shape_fn((RECORDS, classes), |(record, class)| {
            let wiggle = f64::from((record * 31 + class * 17) as u32 % 100) / 50.0 - 1.0;
            let top = if record % classes == class { lead } else { 0.0 };
            (top + wiggle) as f32
        });
        archive_of(&world, &format!("z{side}.npz"), &logits);
        archive_of(&world, &format!("s{side}.npz"), &softmax(&logits));
        write_npy(world.path(&format!("z{side}.npy")), &logits).unwrap();
    }
    world
}

fn softmax(logits: &Array2<f32>) -> Array2<f32> {
    let mut rows = logits.mapv(f32::exp);
    for mut row in rows.rows_mut() {
        let sum = row.sum();
        row /= sum;
    }
    rows
}

fn archive_of(world: &World, name: &str, rows: &Array2<f32>) {
    let mut archive = NpzWriter::new(fs::File::create(world.path(name)).unwrap());
    archive.add_array("rows", rows).unwrap();
    archive.finish().unwrap();
}

const TRAIN: &str = "guard train --seed 0 --members sm.npz --non-members sn.npz --output g.safetensors \
                     --hidden 16,8 --epochs 60 --rate 0.05";
const TUNE: &str = "guard tune --seed 0 --guard g.safetensors --members zm.npz --non-members zn.npz \
                    --output tuned.safetensors --inner 4,8 --beta 0.3,0.6 --epochs 20";

#[test]
fn a_guard_is_trained_tuned_and_applied() {
    let world = world(4);
    let trained = world.run(&format!("{TRAIN} --json")).json();
    assert!(
        trained["balanced_accuracy"].as_f64().unwrap() >= 0.85,
        "{trained}"
    );

    let tuned = world.run(&format!("{TUNE} --json")).json();
    assert_eq!(tuned["cells"].as_array().unwrap().len(), 4);
    let reached = tuned["chosen"]["accuracy"].as_f64().unwrap();
    assert!(
        reached < tuned["unguarded"].as_f64().unwrap() - 0.1,
        "{tuned}"
    );
    let picture = fs::read(world.path("guard-tune/grid.png")).unwrap();
    assert_eq!(&picture[1..4], b"PNG");
    assert!(
        fs::read_to_string(world.path("guard-tune/grid.svg"))
            .unwrap()
            .contains("<svg")
    );

    for backend in ["clear", "fixed", "secure"] {
        let applied = world
            .run(&format!(
                "guard apply --guard tuned.safetensors --input zm.npy --output out.npy --check --json --backend {backend}"
            ))
            .json();
        assert_eq!(applied["labels_kept"], RECORDS, "{backend}: {applied}");
        assert!(
            applied["changed"].as_u64().unwrap() > 20,
            "{backend}: {applied}"
        );
        let answers: Array2<f32> = read_npy(world.path("out.npy")).unwrap();
        assert_eq!(answers.dim(), (RECORDS, 4));
        for row in answers.rows() {
            assert!((row.sum() - 1.0).abs() < 1.0 / 1024.0, "{backend}: {row}");
        }
    }
}

#[test]
fn tuning_goes_on_where_it_stopped() {
    let world = world(4);
    world.run(TRAIN).succeeded();
    let first = world.run(&format!("{TUNE} --json")).json();
    let folder = world.path("guard-tune");
    let cells = || -> Vec<_> {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap());
        let mut cells: Vec<_> = entries
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with("grid"))
            .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
            .collect();
        cells.sort();
        cells
    };
    let before = cells();
    assert_eq!(before.len(), 4);
    // An interruption: one pair is missing, one is cut.
    fs::remove_file(&before[1].0).unwrap();
    fs::write(&before[2].0, "{\"inner\": 4").unwrap();
    let second = world.run(&format!("{TUNE} --json")).json();
    assert_eq!(first, second);
    let after = cells();
    assert_eq!(before[0], after[0]);
    assert_eq!(before[3], after[3]);
    assert!(before[2].1 < after[2].1);
}

#[test]
fn inference_is_guarded() {
    let world = world(10);
    world
        .run(&TRAIN.replace("--epochs 60", "--epochs 30"))
        .succeeded();
    world.infer("--backend clear").succeeded();
    let logits = world.answers();
    for backend in ["fixed", "secure"] {
        let arguments = format!("--backend {backend} --guard g.safetensors --check --json");
        let ended = world.infer(&arguments).json();
        assert_eq!(ended["label_agreement"], 1.0, "{ended}");
        let answers = world.answers();
        assert_eq!(answers.shape(), logits.shape());
        for (answer, logits) in answers.rows().into_iter().zip(logits.rows()) {
            assert!((answer.sum() - 1.0).abs() < 1.0 / 1024.0, "{answer}");
            let label = |row: ndarray::ArrayView1<'_, f32>| {
                (0..row.len())
                    .max_by(|&x, &y| row[x].total_cmp(&row[y]))
                    .unwrap()
            };
            assert_eq!(label(answer), label(logits));
        }
    }
    world.refused(
        "infer --model digits.onnx --input x.npy --output new.npy --guard x.npy",
        1,
        &["x.npy", "trefoil guard train"],
    );
}

const TABLE: &str = "guard train --method table --non-members sn.npz --output t.safetensors";

/// The classes of a row, the largest value first.
fn order(row: &ndarray::ArrayView1<'_, f32>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&i, &j| row[j].total_cmp(&row[i]));
    order
}

#[test]
fn a_table_guard_is_trained_and_applied() {
    let world = world(4);
    let trained = world.run(&format!("{TABLE} --json")).json();
    assert_eq!(trained["method"], "table");
    assert_eq!(trained["non_members"], RECORDS);
    assert_eq!(trained["scarce_labels"], serde_json::json!([]));
    let logits: Array2<f32> = read_npy(world.path("zm.npy")).unwrap();
    let mut first: Option<Array2<f32>> = None;
    for backend in ["clear", "fixed", "secure", "fixed --ring 32"] {
        let applied = world
            .run(&format!(
                "guard apply --guard t.safetensors --input zm.npy --output out.npy --check --json --backend {backend}"
            ))
            .json();
        assert_eq!(applied["method"], "table", "{applied}");
        assert_eq!(applied["labels_kept"], RECORDS, "{backend}: {applied}");
        assert_eq!(applied["max_abs_error"], 0.0, "{backend}: {applied}");
        let answers: Array2<f32> = read_npy(world.path("out.npy")).unwrap();
        for (answer, logits) in answers.rows().into_iter().zip(logits.rows()) {
            assert_eq!(
                answer.sum().to_bits(),
                1.0_f32.to_bits(),
                "{backend}: {answer}"
            );
            assert_eq!(
                order(&answer),
                order(&logits),
                "{backend}: {answer} of {logits}"
            );
        }
        if !backend.contains("32") {
            let first = first.get_or_insert_with(|| answers.clone());
            assert_eq!(answers, *first, "{backend}");
        }
    }
    // How sure the model was no longer shows: as many answers as there are orders, at most.
    let answers = first.unwrap();
    let mut sorted: Vec<Vec<u32>> = answers
        .rows()
        .into_iter()
        .map(|row| {
            let by_rank = order(&row).into_iter().map(|class| row[class].to_bits());
            [vec![order(&row)[0] as u32], by_rank.collect()].concat()
        })
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), 4, "one row of values for each label");
}

#[test]
fn inference_is_guarded_by_a_table() {
    let world = world(10);
    let trained = world.run(TABLE);
    trained.succeeded();
    let said = &trained.stdout;
    assert!(said.contains("table of 10 labels"), "{said}");
    world.infer("--backend clear").succeeded();
    let logits = world.answers();
    let mut first = None;
    for backend in ["clear", "fixed", "secure"] {
        let arguments = format!("--backend {backend} --guard t.safetensors --check --json");
        let ended = world.infer(&arguments).json();
        assert_eq!(ended["label_agreement"], 1.0, "{ended}");
        let answers = world.answers();
        for (answer, logits) in answers.rows().into_iter().zip(logits.rows()) {
            assert_eq!(answer.sum().to_bits(), 1.0_f32.to_bits(), "{answer}");
            assert_eq!(order(&answer), order(&logits), "{answer} of {logits}");
        }
        assert_eq!(answers, *first.get_or_insert_with(|| answers.clone()));
    }
}

#[test]
fn what_does_not_apply_to_a_table_is_refused() {
    let world = world(4);
    world.run(TABLE).succeeded();
    for option in ["--members sm.npz", "--hidden 8", "--epochs 3", "--beta 0.5"] {
        let arguments = format!("{} {option}", TABLE.replace("t.safe", "new.safe"));
        let name = option.split(' ').next().unwrap();
        world.refused(&arguments, 2, &[name, "--method table"]);
        assert!(!world.path("new.safetensors").exists());
    }
    world.refused(
        &TUNE.replace("g.safetensors", "t.safetensors"),
        1,
        &["t.safetensors", "no steps to tune"],
    );
    assert!(!world.path("guard-tune").exists());
    world.refused(&TRAIN.replace("--members sm.npz ", ""), 2, &["--members"]);
    world.refused(
        &TABLE
            .replace("sn.npz", "zn.npz")
            .replace("t.safe", "new.safe"),
        1,
        &["zn.npz", "no confidence vector"],
    );
    // Fewer records of a label than hide each other are said.
    let few: Array2<f32> = read_npy(world.path("zn.npy")).unwrap();
    archive_of(
        &world,
        "few.npz",
        &softmax(&few.slice(ndarray::s![..30, ..]).to_owned()),
    );
    let trained = world.run(&TABLE.replace("sn.npz", "few.npz"));
    trained.succeeded();
    let said = &trained.stdout;
    assert!(said.contains("mean over all labels"), "{said}");
    archive_of(
        &world,
        "none.npz",
        &softmax(&few.slice(ndarray::s![..9, ..]).to_owned()),
    );
    world.refused(
        &TABLE.replace("sn.npz", "none.npz"),
        1,
        &["none.npz", "take 10 or more"],
    );
}

#[test]
fn the_bench_measures_both_guards() {
    let world = World::new(1);
    let measured = world
        .run("bench --only guard --link memory --classes 3 --steps 1x2 --hidden 4 --fast-only --repeat 1 --json")
        .json();
    let rows = measured["guard"].as_array().unwrap();
    let rounds = |name: &str| {
        let row = rows.iter().find(|row| row["variant"] == name).unwrap();
        row["rounds"].as_u64().unwrap()
    };
    assert!(rounds("Table") <= 16, "{measured}");
    assert!(rounds("Fast") > rounds("Table"), "{measured}");
}

#[test]
fn mistakes_are_explained() {
    let world = world(4);
    world.run(TRAIN).succeeded();
    let apply = "guard apply --guard g.safetensors --output out.npy --backend fixed";
    let logits: Array2<f32> = read_npy(world.path("zm.npy")).unwrap();
    let mut wrong = logits.clone();
    wrong[[7, 2]] = f32::NAN;
    write_npy(world.path("nan.npy"), &wrong).unwrap();
    wrong[[7, 2]] = 1e6;
    write_npy(world.path("large.npy"), &wrong).unwrap();
    write_npy(world.path("flat.npy"), &Array1::<f32>::zeros(4)).unwrap();
    write_npy(world.path("none.npy"), &Array2::<f32>::zeros((0, 4))).unwrap();
    write_npy(world.path("wide.npy"), &Array2::<f32>::zeros((3, 5))).unwrap();
    let whole = fs::read(world.path("g.safetensors")).unwrap();
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(world.path("changed.safetensors"), &changed).unwrap();
    fs::write(world.path("cut.safetensors"), &whole[..whole.len() / 2]).unwrap();
    for (arguments, words) in [
        ("--input nan.npy", &["nan.npy", "row 7", "NaN"][..]),
        ("--input large.npy", &["large.npy", "row 7", "1000000"]),
        (
            "--input flat.npy",
            &["flat.npy", "2 classes", "guards 4", "one row a query"],
        ),
        ("--input none.npy", &["none.npy", "no rows"]),
        ("--input wide.npy", &["5", "4"]),
        (
            "--input zm.npy --ring 32",
            &["10", "take 14 to 24 fraction bits"],
        ),
        ("--input gone.npy", &["gone.npy"]),
    ] {
        world.refused(&format!("{apply} {arguments}"), 1, words);
    }
    for guard in ["changed", "cut", "gone"] {
        let arguments = format!(
            "guard apply --guard {guard}.safetensors --input zm.npy --output out.npy --backend fixed"
        );
        world.refused(&arguments, 1, &[guard, "trefoil guard train"]);
    }
    // Logits are no confidences, and tuning needs both sides.
    world.refused(
        &TRAIN
            .replace("sm.npz", "zm.npz")
            .replace("g.safe", "h.safe"),
        1,
        &["zm.npz", "no confidence vector"],
    );
    world.refused(
        &TUNE.replace("--non-members zn.npz", ""),
        2,
        &["--non-members"],
    );
    world.refused(
        &TUNE.replace("zn.npz", "none.npy"),
        1,
        &["none.npy", "non-members"],
    );
    world.refused(
        &TUNE.replace("zn.npz", "wide.npy"),
        1,
        &["wide.npy", "tuning needs"],
    );
}

/// Answers for Location30 that the authors of MemGuard's evaluation published, from `TREFOIL_DATA` or
/// beside the workspace.
fn published() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TREFOIL_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("location30/memguard_saved_predictions.npz");
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no {} (set TREFOIL_DATA)", path.display());
    None
}

/// The share that an attack by the largest confidence gets right at its best threshold, the first half
/// of the rows being members.
fn attack(answers: &Array2<f64>) -> f64 {
    let half = answers.nrows() / 2;
    let mut scores: Vec<(f64, bool)> = answers
        .rows()
        .into_iter()
        .enumerate()
        .map(|(row, answer)| (answer.fold(0.0_f64, |a, &b| a.max(b)), row < half))
        .collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut lead, mut best) = (0_i64, 0_i64);
    for (_, member) in scores {
        lead += if member { 1 } else { -1 };
        best = best.max(lead.abs());
    }
    0.5 + best as f64 / (2 * half) as f64
}

#[test]
fn real_queries_are_guarded_alike_by_floats_fixed_point_and_the_printed_protocols() {
    let Some(path) = published() else {
        return;
    };
    let world = World::new(1);
    let mut archive = NpzReader::new(fs::File::open(path).unwrap()).unwrap();
    let logits: Array2<f32> = archive.by_name("target_logits").unwrap();
    let confidences: Array2<f32> = archive.by_name("target_probs").unwrap();
    // 1000 members, then 1000 others: the classifier learns from 500 of each, the others are asked about.
    let rows =
        |all: &Array2<f32>, first: usize| all.slice(ndarray::s![first..first + 500, ..]).to_owned();
    archive_of(&world, "sm.npz", &rows(&confidences, 0));
    archive_of(&world, "sn.npz", &rows(&confidences, 1000));
    let asked = ndarray::concatenate(
        ndarray::Axis(0),
        &[rows(&logits, 500).view(), rows(&logits, 1500).view()],
    )
    .unwrap();
    write_npy(world.path("asked.npy"), &asked).unwrap();

    let train = |variant: &str| {
        let arguments = format!(
            "guard train --seed 0 --members sm.npz --non-members sn.npz --output {variant}.safetensors \
             --hidden 128,64 --epochs 100 --rate 0.05 --variant {variant} --beta 0.5"
        );
        world.run(&arguments).succeeded();
    };
    let apply = |variant: &str, backend: &str| -> Array2<f64> {
        let arguments = format!(
            "guard apply --guard {variant}.safetensors --input asked.npy --output out.npy \
             --backend {backend} --json"
        );
        let applied = world.run(&arguments).json();
        assert_eq!(
            applied["labels_kept"], 1000,
            "{variant}, {backend}: {applied}"
        );
        let answers: Array2<f32> = read_npy(world.path("out.npy")).unwrap();
        answers.mapv(f64::from)
    };
    train("fast");
    train("faithful");
    let plain = softmax(&asked).mapv(f64::from);
    let floats = apply("fast", "clear");
    let moved = |answers: &Array2<f64>| -> Vec<bool> {
        let distances = (answers - &plain).mapv(f64::abs).sum_axis(ndarray::Axis(1));
        distances.iter().map(|&d| d > 5e-3).collect()
    };
    let (known, fired) = (attack(&floats), moved(&floats));
    println!(
        "attack {:.3} unguarded, {known:.3} guarded; {} of 1000 answers moved",
        attack(&plain),
        fired.iter().filter(|&&fired| fired).count()
    );
    assert!(known < attack(&plain) - 0.1, "the guard does nothing");
    for (variant, backend) in [("fast", "fixed"), ("faithful", "fixed"), ("fast", "secure")] {
        let answers = apply(variant, backend);
        let same = moved(&answers)
            .iter()
            .zip(&fired)
            .filter(|(x, y)| x == y)
            .count();
        let reached = attack(&answers);
        println!("{variant}, {backend}: {same} of 1000 verdicts as in floats, attack {reached:.3}");
        assert!(same >= 990, "{variant}, {backend}: {same} of 1000");
        assert!(
            (reached - known).abs() <= 0.01,
            "{variant}, {backend}: {reached}"
        );
    }
}

#[test]
fn a_model_of_one_score_is_guarded_as_one_of_two_classes() {
    let world = World::new(1);
    let probabilities = |from: f32| Array1::from_shape_fn(60, |i| from + (i % 20) as f32 / 50.0);
    write_npy(world.path("p.npy"), &probabilities(0.3)).unwrap();
    let train = "guard train --method table --non-members p.npy --output g.safetensors";
    world.run(train).succeeded();
    // A column of logits.
    let logits = Array2::from_shape_fn((12, 1), |(row, _)| row as f32 / 2.0 - 2.9);
    write_npy(world.path("z.npy"), &logits).unwrap();
    let is_guarded = || {
        let answers = world.answers();
        assert_eq!(answers.shape(), [12, 2]);
        for (row, logit) in answers.rows().into_iter().zip(&logits) {
            assert!((row.sum() - 1.0).abs() < 1e-3, "{row}");
            assert_eq!(row[1] > row[0], *logit > 0.0, "{row} of {logit}");
        }
    };
    let apply = "guard apply --guard g.safetensors --input z.npy --output out.npy --check";
    for backend in ["fixed", "secure --link memory"] {
        world
            .run(&format!("{apply} --backend {backend}"))
            .succeeded();
        is_guarded();
    }
    // The same logits out of a model that ends in a sigmoid.
    let model = onnx::scored(None, &[1.0]);
    fs::write(world.path("m.onnx"), model).unwrap();
    let infer = "infer --model m.onnx --input z.npy --output out.npy --guard g.safetensors";
    for backend in ["fixed", "secure --link memory"] {
        world
            .run(&format!("{infer} --backend {backend}"))
            .succeeded();
        is_guarded();
    }
}
