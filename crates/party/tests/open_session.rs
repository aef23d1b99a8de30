//! A session that stays open, at three processes over TLS: weights are shared once; who is idle for too long is told; a party that dies is
//! named.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trefoil::{Compile, Deployment, Error, Model, Parties, Samples, Source};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-party");
const TIMEOUT: Duration = Duration::from_secs(20);

/// A running party; killed with the test.
struct Running(Child);

impl Running {
    fn start(folder: &Path, role: usize) -> Self {
        let child = Command::new(PROGRAM)
            .args(["--json", "run", "--config"])
            .arg(folder.join(format!("party{role}.toml")))
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("a program that runs"))
    }

    fn kill(&mut self) {
        self.0.kill().expect("a running party");
        self.0.wait().expect("an end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Three parties whose files allow so many seconds idle and batches.
fn start(folder: &Path, idle: u64, batches: u64) -> [Running; 3] {
    let addresses = trefoil_testkit::free_addresses::<3>().map(|address| address.to_string());
    trefoil_serve::write_keys(folder, &addresses).expect("keys");
    for role in 0..3 {
        let path = folder.join(format!("party{role}.toml"));
        let text = std::fs::read_to_string(&path).expect("a file");
        let limits = |line: &str| match line.split(" = ").next() {
            Some("idle_seconds") => format!("idle_seconds = {idle}"),
            Some("batches") => format!("batches = {batches}"),
            _ => line.to_owned(),
        };
        let text: Vec<String> = text.lines().map(limits).collect();
        let text = text.join("\n");
        assert!(text.contains(&format!("idle_seconds = {idle}")), "{text}");
        std::fs::write(&path, text).expect("room");
    }
    [0, 1, 2].map(|role| Running::start(folder, role))
}

fn digits() -> (Model, Samples) {
    let source = Source::from_bytes(trefoil_digits::LENET5, "lenet5.onnx").expect("a good model");
    let compile = Compile {
        batch: Some(2),
        ..Compile::default()
    };
    let pictures = trefoil_digits::generate(4, 5).0.mapv(f64::from).into_dyn();
    let model = source.compile(2, &compile).expect("a plan");
    (model, Samples::of(pictures))
}

fn connect(folder: &Path) -> Parties {
    Parties::connect(&folder.join("parties.toml"), TIMEOUT).expect("keys")
}

/// The first answer: parties that are just starting do not listen yet.
fn first(deployment: &mut Deployment<'_>, samples: &Samples) {
    let begin = Instant::now();
    while let Err(error) = deployment.answer(samples) {
        assert!(begin.elapsed() < TIMEOUT, "{error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn told(error: &Error) -> String {
    format!("{error}; {}", error.help().unwrap_or_default())
}

#[test]
fn weights_are_shared_once_for_all_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let _parties = start(folder.path(), 60, 1000);
    let (model, samples) = digits();
    let parameters: usize = model.weights.iter().map(ndarray::ArrayD::len).sum();
    let mut deployment = connect(folder.path()).deploy(&model);
    first(&mut deployment, &samples);
    let (sent, setup) = (deployment.report.shared_bytes, deployment.report.setup_s);
    assert!(setup > 0.0);
    let clear = Deployment::clear(&model).answer(&samples).expect("answers");
    let mut before = deployment.report.clone();
    for few in [vec![0, 1, 2, 3], vec![2], vec![1, 3, 0]] {
        let asked = samples.select(&few);
        let answers = deployment.answer(&asked).expect("another answer");
        for (row, &number) in few.iter().enumerate() {
            let (found, due) = (
                answers.index_axis(ndarray::Axis(0), row),
                clear.index_axis(ndarray::Axis(0), number),
            );
            let far = (&found - &due).fold(0.0_f64, |far, d| far.max(d.abs()));
            assert!(far < 1e-3, "sample {number} is {far} off");
        }
        let now = deployment.report.clone();
        // To the two evaluators 8 bytes for each number, and 64 bytes of seeds, in whole batches of two.
        let inputs = few.len().div_ceil(2) as u64 * (2 * 8 * 2 * 28 * 28 + 64);
        assert_eq!(now.shared_bytes - before.shared_bytes, inputs);
        assert!(
            (now.setup_s - setup).abs() < 1e-12,
            "nothing is set up again"
        );
        assert!(now.rounds > before.rounds);
        before = now;
    }
    let weights = (2 * 8 * parameters + 64) as u64;
    assert_eq!(sent, weights + 2 * (2 * 8 * 2 * 28 * 28 + 64));
    // The parties serve others as soon as it is closed, and it begins anew when it is asked.
    deployment.close();
    first(&mut connect(folder.path()).deploy(&model), &samples);
    first(&mut deployment, &samples);
    let again = deployment.report.shared_bytes - before.shared_bytes;
    assert_eq!(again, sent, "the weights are shared again");
}

#[test]
fn who_is_idle_for_too_long_is_told_and_may_begin_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let _parties = start(folder.path(), 1, 1000);
    let (model, samples) = digits();
    let mut deployment = connect(folder.path()).deploy(&model);
    first(&mut deployment, &samples);
    std::thread::sleep(Duration::from_secs(3));
    let error = told(&deployment.answer(&samples).expect_err("too late"));
    assert!(
        error.contains("idle_seconds") && error.contains("party"),
        "{error}"
    );
    assert!(error.contains("ask again, in a new session"), "{error}");
    first(&mut deployment, &samples);
}

#[test]
fn batches_are_counted_over_all_answers_of_a_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let _parties = start(folder.path(), 60, 5);
    let (model, samples) = digits();
    let mut deployment = connect(folder.path()).deploy(&model);
    first(&mut deployment, &samples);
    deployment.answer(&samples).expect("batches 3 and 4");
    let error = told(&deployment.answer(&samples).expect_err("batch 6"));
    assert!(error.contains("6 batches are asked for"), "{error}");
    deployment.answer(&samples).expect("a session of its own");
}

#[test]
fn a_party_that_dies_between_two_answers_is_named_and_the_next_answer_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut parties = start(folder.path(), 60, 1000);
    let (model, samples) = digits();
    let mut deployment = connect(folder.path()).deploy(&model);
    first(&mut deployment, &samples);
    parties[2].kill();
    let error = told(&deployment.answer(&samples).expect_err("two are left"));
    assert!(error.contains("party 2"), "{error}");
    assert!(
        !error.contains("party 0:") && !error.contains("party 1:"),
        "{error}"
    );
    let error = told(&deployment.answer(&samples).expect_err("two are left"));
    assert!(
        error.contains("party 2") && error.contains("see that all three parties run"),
        "{error}"
    );
    parties[2] = Running::start(folder.path(), 2);
    first(&mut deployment, &samples);
}
