//! The program of operators, as they run it.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use trefoil_nn::{Graph, Options, Plan};
use trefoil_serve::{Client, Inference, PartiesFile};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-party");
const TIMEOUT: Duration = Duration::from_secs(30);

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder);
    command.output().expect("a program that runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running party; killed with the test if it has not ended before.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn keys_three_parties_an_answer_and_a_good_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let addresses = trefoil_testkit::free_addresses::<3>().map(|address| address.to_string());
    let mut arguments = vec!["keys", "--out", "keys"];
    arguments.extend(addresses.iter().flat_map(|address| ["--address", address]));
    let made = run(folder.path(), &arguments);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let told = text(&made.stdout);
    assert!(
        told.contains("trefoil-party run --config keys/party0.toml"),
        "{told}"
    );
    let start = |role: usize| {
        let child = Command::new(PROGRAM)
            .args(["--json", "run", "--config"])
            .arg(folder.path().join(format!("keys/party{role}.toml")))
            .stdout(Stdio::null())
            .spawn();
        Running(child.expect("a program that runs"))
    };
    let parties = [0, 1, 2].map(start);
    let file = PartiesFile::load(&folder.path().join("keys/parties.toml")).expect("keys");
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").expect("a good model");
    let options = Options {
        batch: Some(2),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options).expect("a plan");
    let inputs = [trefoil_digits::generate(2, 5).0.mapv(f64::from).into_dyn()];
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let mut client = Client::connect(&file, TIMEOUT).expect("a client");
    let begin = Instant::now();
    let outcome = loop {
        // Parties that are just starting do not listen yet.
        match client.infer(&job, &mut |_| {}) {
            Ok(outcome) => break outcome,
            Err(error) if begin.elapsed() > TIMEOUT => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    assert_eq!(outcome.outputs[0].shape(), [2, 10]);
    for mut party in parties {
        let pid = Pid::from_child(&party.0);
        kill_process(pid, Signal::TERM).expect("a running party");
        let status = party.0.wait().expect("an end");
        assert_eq!(status.code(), Some(0), "{status}");
    }
}

#[test]
fn what_is_wrong_is_said_with_what_to_do_and_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(folder.path(), &["run", "--config", "gone.toml"]);
    assert_eq!(ended.status.code(), Some(1));
    let told = text(&ended.stderr);
    assert!(
        told.starts_with("error: ") && told.contains("gone.toml") && told.contains("help: make"),
        "{told}"
    );
    let ended = run(
        folder.path(),
        &["--json", "keys", "--address", "a:1", "--address", "b:2"],
    );
    assert_eq!(ended.status.code(), Some(2));
    let told = text(&ended.stderr);
    assert!(
        told.starts_with('{') && told.contains("three are needed"),
        "{told}"
    );
    assert_eq!(run(folder.path(), &["run"]).status.code(), Some(2));
}
