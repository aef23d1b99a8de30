//! Whole sessions: threads of one process, and services over TCP and TLS.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use ndarray::{ArrayD, Axis, Slice};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use trefoil_nn::{Clear, Graph, Options, Plan, Weights, ready, run};
use trefoil_serve::{
    BENCHMARKS, BenchJob, Client, Inference, PartiesFile, PartyFile, Progress, ServeError, Service,
    write_keys,
};

const TIMEOUT: Duration = Duration::from_secs(20);

fn digits(model: &[u8], batch: usize, ring_bits: u32) -> (Plan, Weights) {
    let mut file = tempfile::NamedTempFile::with_suffix(".onnx").expect("a temporary file");
    file.write_all(model).expect("room for a model");
    let graph = Graph::load(file.path()).expect("a good model");
    Plan::compile(
        &graph,
        &Options {
            batch: Some(batch),
            ..Options::ring(ring_bits)
        },
    )
    .expect("a plan")
}

fn pictures(count: usize) -> ArrayD<f64> {
    trefoil_digits::generate(count, 5)
        .0
        .mapv(f64::from)
        .into_dyn()
}

fn clear(plan: &Plan, weights: &Weights, pictures: &ArrayD<f64>) -> Vec<ArrayD<f64>> {
    let batch = |start| {
        let part = pictures
            .slice_axis(Axis(0), Slice::from(start..start + plan.batch))
            .to_owned();
        let Ok(out) = ready(run(plan, &Clear, &weights.to_clear(), vec![part], &mut ()));
        out.into_iter().next().expect("an output")
    };
    (0..pictures.shape()[0] / plan.batch)
        .map(|i| batch(i * plan.batch))
        .collect()
}

fn largest_error(found: &ArrayD<f64>, expected: &[ArrayD<f64>]) -> f64 {
    let expected = expected.iter().flat_map(|part| part.iter());
    found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}

#[test]
fn threads_agree_with_the_clear_run() {
    for (model, ring_bits, tolerance) in [
        (trefoil_digits::MODEL, 64, 1e-3),
        (trefoil_digits::LENET5, 64, 1e-3),
        (trefoil_digits::NORM, 64, 1e-3),
        (trefoil_digits::MODEL, 32, 0.5),
    ] {
        let (plan, weights) = digits(model, 4, ring_bits);
        let all = pictures(8);
        // The last batch is not full.
        let inputs = [all.slice_axis(Axis(0), Slice::from(..7)).to_owned()];
        let mut steps = 0;
        let mut progress = |event| steps += usize::from(matches!(event, Progress::Step { .. }));
        let mut client = Client::in_process(None, TIMEOUT).expect("a client");
        let job = Inference {
            plan: &plan,
            weights: &weights,
            guard: None,
            inputs: &inputs,
            observe: true,
        };
        let outcome = client.infer(&job, &mut progress).expect("an answer");
        assert_eq!(steps, 2 * plan.steps.len());
        assert_eq!(outcome.outputs[0].shape(), [7, 10]);
        let error = largest_error(&outcome.outputs[0], &clear(&plan, &weights, &all));
        assert!(error < tolerance, "off by {error}");
        let report = outcome.report;
        assert!(report.rounds > 0 && report.bytes_sent_per_party.iter().all(|&bytes| bytes > 0));
        let phases: u64 = report
            .phases
            .iter()
            .map(|phase| phase.bytes_sent.iter().sum::<u64>())
            .sum();
        assert_eq!(
            phases,
            report.bytes_sent_per_party.iter().sum::<u64>(),
            "phases are everything"
        );
        let seen = report.seen.expect("observed");
        assert_eq!(
            seen[1].bytes + seen[2].bytes,
            report.bytes_sent_per_party.iter().sum::<u64>()
        );
        assert_eq!(seen[0].bytes, 0, "party 0 receives nothing");
    }
}

/// Three services as threads, on free ports.
fn services(folder: &Path) -> PartiesFile {
    let addresses = trefoil_testkit::free_addresses().map(|address| address.to_string());
    write_keys(folder, &addresses).expect("keys");
    for role in 0..3 {
        let config =
            PartyFile::load(&folder.join(format!("party{role}.toml"))).expect("a configuration");
        let mut service = Service::new(&config).expect("a service");
        std::thread::spawn(move || service.run(&mut |event| eprintln!("party {role}: {event}")));
    }
    PartiesFile::load(&folder.join("parties.toml")).expect("a configuration")
}

#[test]
fn services_over_tls_serve_session_after_session_and_count_for_nobody_what_they_receive() {
    let folder = tempfile::tempdir().expect("a folder");
    let parties = services(folder.path());
    let mut client = Client::connect(&parties, TIMEOUT).expect("a client");
    let inputs = [pictures(2)];
    for model in [trefoil_digits::MODEL, trefoil_digits::NORM] {
        let (plan, weights) = digits(model, 2, 64);
        let job = Inference {
            plan: &plan,
            weights: &weights,
            guard: None,
            inputs: &inputs,
            observe: false,
        };
        let outcome = client.infer(&job, &mut |_| ()).expect("an answer");
        assert!(largest_error(&outcome.outputs[0], &clear(&plan, &weights, &inputs[0])) < 1e-3);
    }
    // What a party receives is for its operator to know, whatever a client wishes; the service goes on.
    let (plan, weights) = digits(trefoil_digits::MODEL, 2, 64);
    let job = |observe| Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe,
    };
    let refused = client.infer(&job(true), &mut |_| ());
    let error = refused
        .expect_err("no party counts for a client")
        .to_string();
    assert!(error.contains("service of its operator"), "{error}");
    client.infer(&job(false), &mut |_| ()).expect("an answer");
    let stranger = tempfile::tempdir().expect("a folder");
    write_keys(
        stranger.path(),
        &["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned),
    )
    .expect("keys");
    for end in ["crt", "key"] {
        let file = format!("client.{end}");
        std::fs::remove_file(folder.path().join(&file)).expect("the old file");
        std::fs::copy(stranger.path().join(&file), folder.path().join(&file)).expect("a copy");
    }
    let (plan, weights) = digits(trefoil_digits::MODEL, 2, 64);
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let mut client = Client::connect(&parties, TIMEOUT).expect("a client");
    let error = client
        .infer(&job, &mut |_| ())
        .expect_err("a stranger is not served");
    assert!(matches!(error, ServeError::Connection(_)), "{error}");
}

#[test]
fn every_benchmark_runs() {
    let mut client = Client::in_process(None, TIMEOUT).expect("a client");
    for (name, ..) in BENCHMARKS {
        for ring_bits in [32, 64] {
            let job = BenchJob {
                protocol: (*name).to_owned(),
                size: 3,
                ring_bits,
                repeats: 2,
            };
            let result = client.bench(&job).expect("a measurement");
            let rounds = match *name {
                "mul" | "truncate" | "and" => 1,
                "mul_truncated" | "matmul" | "exp" => 2,
                "msb" => 3,
                "relu" => 4,
                "sigmoid" => 5,
                "compare_one" => 9,
                _ => result.rounds.max(5),
            };
            assert_eq!((result.rounds, result.seconds.len()), (rounds, 2), "{name}");
        }
    }
    let job = BenchJob {
        protocol: "matmul".into(),
        size: 1 << 20,
        ring_bits: 64,
        repeats: 1,
    };
    let error = client.bench(&job).expect_err("too large").to_string();
    assert!(
        error.contains("matmul") && error.contains("4096"),
        "{error}"
    );
    let job = BenchJob {
        protocol: "mull".into(),
        size: 3,
        ring_bits: 64,
        repeats: 1,
    };
    let error = client
        .bench(&job)
        .expect_err("no such benchmark")
        .to_string();
    assert!(
        error.contains("mull") && error.contains("softmax10"),
        "{error}"
    );
}

#[test]
fn keys_are_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned);
    let made = write_keys(folder.path(), &addresses).expect("keys");
    assert!(made.files.iter().all(|file| file.exists()) && made.files.len() == 12);
    std::fs::remove_file(&made.files[0]).expect("a file");
    let before = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert!(write_keys(folder.path(), &addresses).is_err());
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        before,
        "nothing half done stays"
    );
}

#[test]
fn bad_files_say_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("parties.toml");
    for (text, expected) in [
        ("link = \"tls\"\nparties = []", "role = 0"),
        ("link = \"quic\"\nparties = []", "quic"),
        ("nonsense", "parties.toml"),
        ("link = \"tcp\"\nfoo = 1\nparties = []", "foo"),
    ] {
        std::fs::write(&path, text).expect("room");
        let error = PartiesFile::load(&path)
            .expect_err("a bad file")
            .to_string();
        assert!(
            error.contains(expected) && error.contains("parties.toml"),
            "{error}"
        );
    }
    assert!(PartiesFile::load(&folder.path().join("none")).is_err());
}
