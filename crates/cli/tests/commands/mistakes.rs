//! What a user can get wrong: what, where, what to do, the exit code, and no file left behind.

use crate::world::World;
use ndarray::{Array1, Array2, Array4};
use ndarray_npy::write_npy;
use std::fs;

const BACKENDS: [&str; 3] = ["clear", "fixed", "secure"];

fn infer(arguments: &str) -> String {
    let defaults = [
        ("--model", "digits.onnx"),
        ("--input", "x.npy"),
        ("--output", "out.npy"),
    ];
    let missing = defaults
        .iter()
        .filter(|(flag, _)| !arguments.contains(flag));
    let missing: Vec<_> = missing
        .map(|(flag, value)| format!("{flag} {value}"))
        .collect();
    format!("infer {} {arguments}", missing.join(" "))
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let world = World::new(2);
    fs::write(world.path("text.txt"), "not a model, not an array").unwrap();
    let whole = trefoil_digits::MODEL;
    fs::write(world.path("cut.onnx"), &whole[..whole.len() / 2]).unwrap();
    for (arguments, words) in [
        ("--model gone.onnx", &["gone.onnx", "--model"][..]),
        (
            "--model cut.onnx",
            &["cut.onnx", "damaged", "export it again"],
        ),
        ("--model text.txt", &["text.txt", "not an ONNX model"]),
        ("--input gone.npy", &["gone.npy", "check the path"]),
        (
            "--input text.txt",
            &["text.txt", "not an .npy file", "numpy.save"],
        ),
        ("--labels gone.npy", &["gone.npy"]),
        (
            "--output gone/out.npy",
            &["gone/out.npy", "check that the folder gone exists"],
        ),
        ("--output .", &["not a regular file"]),
        ("--output /dev/null", &["/dev/null", "not a regular file"]),
        ("--parties gone.toml", &["gone.toml", "trefoil keys"]),
    ] {
        world.refused(&infer(arguments), 1, words);
    }
    world.refused(
        "party --config gone.toml",
        1,
        &["gone.toml", "trefoil keys"],
    );
    world.refused("party --config text.txt", 1, &["text.txt"]);
}

#[test]
fn pictures_that_do_not_fit_are_named_on_every_back_end() {
    let world = World::new(2);
    write_npy(
        world.path("wide.npy"),
        &Array4::<f32>::zeros((3, 1, 28, 32)),
    )
    .unwrap();
    write_npy(world.path("flat.npy"), &Array2::<f32>::zeros((3, 784))).unwrap();
    write_npy(
        world.path("none.npy"),
        &Array4::<f32>::zeros((0, 1, 28, 28)),
    )
    .unwrap();
    let mut values = Array4::<f64>::zeros((3, 1, 28, 28));
    values[[2, 0, 5, 7]] = f64::NAN;
    write_npy(world.path("nan.npy"), &values).unwrap();
    values[[2, 0, 5, 7]] = 1e30;
    write_npy(world.path("huge.npy"), &values).unwrap();
    let shape = "[N, 1, 28, 28]";
    for backend in BACKENDS {
        for (file, words) in [
            ("wide.npy", &["wide.npy", "[3, 1, 28, 32]", shape][..]),
            ("flat.npy", &["flat.npy", "[3, 784]", shape, "reshape"]),
            ("none.npy", &["none.npy", "no pictures"]),
            ("nan.npy", &["nan.npy", "[2, 0, 5, 7]", "NaN", "finite"]),
        ] {
            world.refused(
                &infer(&format!("--backend {backend} --input {file}")),
                1,
                words,
            );
        }
    }
    for backend in &BACKENDS[1..] {
        let words = ["huge.npy", "[2, 0, 5, 7]", "outside", "fraction bits"];
        world.refused(
            &infer(&format!("--backend {backend} --input huge.npy")),
            1,
            &words,
        );
    }
}

#[test]
fn labels_that_do_not_fit_are_named() {
    let world = World::new(3);
    write_npy(world.path("few.npy"), &Array1::from(vec![1_u8, 2])).unwrap();
    write_npy(world.path("ten.npy"), &Array1::from(vec![1_i64, 2, 10])).unwrap();
    write_npy(
        world.path("half.npy"),
        &Array1::from(vec![1.5_f32, 2.0, 3.0]),
    )
    .unwrap();
    for (file, words) in [
        ("few.npy", &["few.npy", "[2]", "3 samples", "[3]"][..]),
        ("ten.npy", &["ten.npy", "[2]", "10", "0 to 9"]),
        ("half.npy", &["half.npy", "[0]", "1.5"]),
    ] {
        world.refused(
            &infer(&format!("--backend clear --labels {file}")),
            1,
            words,
        );
    }
}

#[test]
fn number_formats_that_do_not_exist_are_refused() {
    let world = World::new(1);
    let words = ["ring of 32 bits", "not 15", "--fraction-bits"];
    world.refused(
        &infer("--ring 32 --fraction-bits 15 --backend fixed"),
        1,
        &words,
    );
    world.refused(&infer("--ring 16"), 2, &["16", "32 and 64"]);
}

#[test]
fn contradictions_are_misuse() {
    let world = World::new(1);
    for (arguments, words) in [
        (
            infer("--link tcp --network wan"),
            &["--network", "tcp", "--link memory"][..],
        ),
        (infer("--network wan"), &["--network", "tls"]),
        (
            infer("--network snail --link memory"),
            &["snail", "MS,MBIT"],
        ),
        (
            infer("--backend clear --link tcp"),
            &["--link", "--backend secure"],
        ),
        (
            infer("--backend fixed --parties p.toml"),
            &["--parties", "--backend secure"],
        ),
        (
            infer("--parties p.toml --link tls"),
            &["--parties", "--link"],
        ),
        (infer("--batch 0"), &["--batch"]),
        (infer("--timeout 0"), &["--timeout", "seconds"]),
        (infer("--timeout never"), &["--timeout"]),
        ("infer --model digits.onnx".to_owned(), &["--input"]),
        (
            "keys --address 127.0.0.1:7700".to_owned(),
            &["--address", "three"],
        ),
        (
            "bench --only sorcery".to_owned(),
            &["sorcery", "relu", "lenet5"],
        ),
        ("bench --size 5".to_owned(), &["--only"]),
        ("bench --repeat 0".to_owned(), &["--repeat"]),
        (
            "bench --network lan --link tcp".to_owned(),
            &["--network", "tcp"],
        ),
        ("party".to_owned(), &["--config"]),
        ("demo --count 0".to_owned(), &["--count"]),
        ("dance".to_owned(), &["dance"]),
    ] {
        world.refused(&arguments, 2, words);
    }
}

#[test]
fn without_json_an_error_is_drawn_with_its_help() {
    let world = World::new(1);
    let ended = world.infer("--labels gone.npy");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("cannot read gone.npy"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("help: check the path"),
        "{}",
        ended.stderr
    );
}

#[test]
fn help_names_the_exit_codes_and_version_the_version() {
    let world = World::new(1);
    let help = world.run("--help");
    help.succeeded();
    for word in [
        "infer",
        "party",
        "keys",
        "bench",
        "demo",
        "Exit codes",
        "--json",
    ] {
        assert!(help.stdout.contains(word), "no `{word}` in {}", help.stdout);
    }
    assert!(!world.run("party --help").stdout.contains("--spawned"));
    let version = world.run("--version");
    assert_eq!(
        version.stdout.trim(),
        format!("trefoil {}", env!("CARGO_PKG_VERSION"))
    );
}
