//! Results: checked before the work, never in the place of what is read, and nothing empty left behind.

use crate::world::{PROGRAM, World};
use ndarray::{Array1, Array2, ArrayD};
use ndarray_npy::{NpzWriter, read_npy, write_npy};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

/// Confidences of `records` records of three classes.
fn save_confidences(world: &World, name: &str, records: usize) {
    let rows = Array2::from_shape_fn(
        (records, 3),
        |(row, class)| {
            if class == row % 3 { 0.6 } else { 0.2_f32 }
        },
    );
    write_npy(world.path(name), &rows).unwrap();
}

#[test]
fn a_result_never_takes_the_place_of_an_input() {
    let world = World::new(2);
    symlink(world.path("x.npy"), world.path("soft.npy")).unwrap();
    fs::hard_link(world.path("x.npy"), world.path("hard.npy")).unwrap();
    save_confidences(&world, "m.npy", 9);
    save_confidences(&world, "n.npy", 9);
    fs::create_dir(world.path("folder")).unwrap();
    fs::write(world.path("folder/1.png"), "one").unwrap();
    let kept = ["x.npy", "digits.onnx", "y.npy", "m.npy", "folder/1.png"];
    let before = kept.map(|name| fs::read(world.path(name)).unwrap());
    let infer = "infer --model digits.onnx --input x.npy --labels y.npy --backend clear --output";
    for (arguments, flag) in [
        (format!("{infer} x.npy"), "--input"),
        (format!("{infer} ./x.npy"), "--input"),
        (format!("{infer} soft.npy"), "--input"),
        (format!("{infer} hard.npy"), "--input"),
        (format!("{infer} digits.onnx"), "--model"),
        (format!("{infer} y.npy"), "--labels"),
        (format!("{infer} m.npy --calibrate m.npy"), "--calibrate"),
        (
            "infer --model digits.onnx --input folder --output folder/1.png".to_owned(),
            "--input",
        ),
        (
            "guard train --members m.npy --non-members n.npy --output m.npy".to_owned(),
            "--members",
        ),
        (
            "guard apply --guard m.npy --input n.npy --output m.npy".to_owned(),
            "--guard",
        ),
        (
            "guard tune --guard x.npy --members m.npy --non-members n.npy --output n.npy"
                .to_owned(),
            "--non-members",
        ),
        (
            "attack --members m.npy --nonmembers n.npy --html m.npy".to_owned(),
            "--members",
        ),
        (
            "verify plan --queries 9 --model digits.onnx --samples x.npy --out x.npy".to_owned(),
            "--samples",
        ),
        (
            "verify fingerprint make --model digits.onnx --natural x.npy --out digits.onnx"
                .to_owned(),
            "--model",
        ),
    ] {
        world.refused(&arguments, 2, &[flag, "would be overwritten"]);
    }
    assert_eq!(kept.map(|name| fs::read(world.path(name)).unwrap()), before);
}

#[test]
fn places_for_results_are_checked_before_the_work() {
    let world = World::new(2);
    save_confidences(&world, "m.npy", 9);
    save_confidences(&world, "n.npy", 9);
    fs::write(world.path("file"), "no folder").unwrap();
    // With inputs that are missing, so that the place is what is looked at first.
    for arguments in [
        "infer --model digits.onnx --input gone.npy --output missing/out.npy",
        "guard train --members gone.npy --non-members n.npy --output missing/g.safetensors",
        "guard tune --guard gone --members m.npy --non-members n.npy --output missing/g.safetensors",
        "guard apply --guard gone --input n.npy --output missing/out.npy",
        "attack --members gone.npy --nonmembers n.npy --html missing/page.html",
        "audit --quick --html missing/page.html",
        "verify plan --queries 9 --model gone.onnx --samples x.npy --out missing/plan.toml",
        "verify fingerprint make --model gone.onnx --natural x.npy --out missing/f.json",
    ] {
        world.refused(arguments, 1, &["cannot write", "missing"]);
    }
    for arguments in [
        "attack --members gone.npy --nonmembers n.npy --report file/report",
        "guard tune --guard gone --members m.npy --non-members n.npy --output g --evidence file",
        "audit --quick --png file",
        "demo --only membership --report file/report",
    ] {
        world.refused(arguments, 1, &["file is not a folder"]);
    }
}

#[test]
fn a_folder_that_may_not_be_written_to_is_told_before_the_work() {
    let world = World::new(2);
    let folder = world.path("locked");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    if File::create(folder.join("x")).is_ok() {
        // A privileged user may write anywhere.
        return;
    }
    for arguments in [
        "infer --model digits.onnx --input gone.npy --output locked/out.npy",
        "attack --members gone.npy --nonmembers n.npy --report locked/report",
        "verify plan --queries 9 --out locked/plan.toml",
    ] {
        world.refused(arguments, 1, &["locked", "Permission denied"]);
    }
}

#[test]
fn nothing_empty_is_left_behind_by_runs_that_fail() {
    let world = World::new(2);
    save_confidences(&world, "m.npy", 2);
    save_confidences(&world, "n.npy", 2);
    fs::write(
        world.path("lab.toml"),
        include_str!("../../../../examples/lab/location30.toml"),
    )
    .unwrap();
    world.refused("lab run lab.toml --data nowhere", 1, &["cannot find"]);
    world.refused(
        "lab run lab.toml --data nowhere --out a/b",
        1,
        &["cannot find"],
    );
    let train = "guard train --members m.npy --non-members n.npy --output g.safetensors --epochs 1";
    world.run(&format!("{train} --hidden 2")).succeeded();
    let tune = "guard tune --guard g.safetensors --members m.npy --non-members n.npy --output t";
    world.refused(tune, 1, &["2 rows"]);
    let link = world.path("dangling.npy");
    symlink(world.path("gone/out.npy"), link).unwrap();
}

#[test]
fn a_link_to_a_result_is_followed() {
    let world = World::new(2);
    write_npy(world.path("old.npy"), &Array1::from(vec![1.0_f32])).unwrap();
    symlink(world.path("old.npy"), world.path("out.npy")).unwrap();
    world
        .run("infer --model digits.onnx --input x.npy --output out.npy --backend clear")
        .succeeded();
    assert!(
        fs::symlink_metadata(world.path("out.npy"))
            .unwrap()
            .is_symlink()
    );
    let answers: ArrayD<f32> = read_npy(world.path("old.npy")).unwrap();
    assert_eq!(answers.shape(), [2, 10]);
}

#[test]
fn every_command_is_quiet_when_its_reader_stops() {
    let world = World::new(2);
    save_confidences(&world, "m.npy", 9);
    let mut public = NpzWriter::new(File::create(world.path("p.npz")).unwrap());
    public.add_array("x", &Array1::from(vec![1.0_f32])).unwrap();
    public.finish().unwrap();
    for arguments in [
        "--help",
        "inspect digits.onnx",
        "inspect digits.onnx --json",
        "infer --model digits.onnx --input x.npy --output out.npy --backend clear",
        "infer --model digits.onnx --input x.npy --output out.npy --backend clear --json",
        "attack --members m.npy --nonmembers m.npy --network-epochs 0",
        "verify plan --queries 9",
        "keys --out keys",
        "bench --only relu --size 10 --repeat 1 --link memory",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = Command::new(PROGRAM)
            .current_dir(world.path("."))
            .args(arguments.split_whitespace())
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), said.as_str()),
            (Some(0), ""),
            "{arguments}"
        );
    }
    assert_eq!(
        read_npy::<_, ArrayD<f32>>(world.path("out.npy"))
            .unwrap()
            .shape(),
        [2, 10]
    );
}
