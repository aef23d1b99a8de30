//! What all commands have in common: how much they say, where it goes, what their defaults are.

use crate::world::{Ended, LONGEST, PROGRAM, World};
use assert_cmd::Command;
use ndarray::ArrayD;
use ndarray_npy::ReadNpyExt;
use std::fs;

/// Run the program with variables of the environment and something on standard input.
fn run(
    world: &World,
    arguments: &str,
    variables: &[(&str, &str)],
    input: &[u8],
) -> std::process::Output {
    let mut command = Command::new(PROGRAM);
    command.current_dir(world.path("")).timeout(LONGEST);
    for (name, value) in variables {
        command.env(name, value);
    }
    command.write_stdin(input);
    command.args(arguments.split_whitespace()).output().unwrap()
}

#[test]
fn quiet_says_nothing_and_verbose_what_is_being_done() {
    let world = World::new(2);
    let quiet = world.infer("--backend fixed --quiet");
    quiet.succeeded();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(world.answers().shape(), [2, 10]);
    let verbose = world.infer("--backend fixed -v");
    verbose.succeeded();
    assert!(
        verbose.stderr.contains("looking at samples: "),
        "{}",
        verbose.stderr
    );
    for other in ["--json", "--verbose"] {
        let both = world.infer(&format!("--backend fixed --quiet {other}"));
        assert_eq!(both.code, Some(2), "{}", both.stderr);
        assert!(both.stderr.contains(other), "{}", both.stderr);
    }
}

#[test]
fn models_are_named_with_and_without_a_flag_and_samples_come_and_go_through_pipes() {
    let world = World::new(2);
    let samples = fs::read(world.path("x.npy")).unwrap();
    world.infer("--backend fixed").succeeded();
    let piped = run(
        &world,
        "infer digits.onnx -i - -o - --backend fixed",
        &[],
        &samples,
    );
    assert!(
        piped.status.success(),
        "{}",
        String::from_utf8_lossy(&piped.stderr)
    );
    let answers = ArrayD::<f32>::read_npy(&piped.stdout[..]).unwrap();
    assert_eq!(answers, world.answers());
    // What is told does not spoil the result.
    assert!(String::from_utf8_lossy(&piped.stderr).contains("2 samples"));
    let inspected = world.run("inspect -m digits.onnx --json").json();
    assert_eq!(inspected, world.run("inspect digits.onnx --json").json());
    let both = world.run("inspect digits.onnx --model digits.onnx");
    assert_eq!(both.code, Some(2));
}

#[test]
fn defaults_come_from_the_environment_and_a_file_and_options_go_before_them() {
    let world = World::new(1);
    let infer = "infer digits.onnx -i x.npy -o out.npy";
    let named = |arguments: &str, variables: &[(&str, &str)]| {
        Ended::new(run(&world, &format!("{infer} {arguments}"), variables, &[]))
    };
    let gone = named("", &[("TREFOIL_PARTIES", "gone.toml")]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("gone.toml"), "{}", gone.stderr);
    named("--link memory", &[("TREFOIL_PARTIES", "gone.toml")]).succeeded();
    fs::write(world.path("client.toml"), "parties = \"elsewhere.toml\"").unwrap();
    let file = named("", &[("TREFOIL_CONFIG", "client.toml")]);
    assert!(file.stderr.contains("elsewhere.toml"), "{}", file.stderr);
    let soon = named("", &[("TREFOIL_TIMEOUT", "soon")]);
    assert_eq!(soon.code, Some(2), "{}", soon.stderr);
    assert!(soon.stderr.contains("TREFOIL_TIMEOUT"), "{}", soon.stderr);
}

#[test]
fn help_has_groups_and_shells_and_manuals_are_served() {
    let world = World::new(1);
    let help = world.run("--help").stdout;
    for group in ["Run:", "Serve:", "Plan:", "Protect:", "Measure:", "Try:"] {
        assert!(help.contains(group), "no `{group}` in {help}");
    }
    let shell = world.run("completions bash");
    shell.succeeded();
    assert!(shell.stdout.contains("infer"), "{}", shell.stdout);
    world.run("man pages").succeeded();
    let page = fs::read_to_string(world.path("pages/trefoil-infer.1")).unwrap();
    assert!(page.contains("calibrate"), "{page}");
}

#[test]
fn without_its_neighbour_the_program_says_how_to_get_it() {
    let world = World::new(1);
    fs::copy(PROGRAM, world.path("alone")).unwrap();
    let mut command = Command::new(world.path("alone"));
    let ended = command
        .env("PATH", "")
        .args(["attack", "--members", "m.npy"])
        .output();
    let ended = Ended::new(ended.unwrap());
    assert_eq!(ended.code, Some(1));
    for word in [
        "trefoil attack",
        "trefoil-lab",
        "cargo build --release -p trefoil-lab-cli",
    ] {
        assert!(
            ended.stderr.contains(word),
            "no `{word}` in {}",
            ended.stderr
        );
    }
}
