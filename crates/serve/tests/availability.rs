//! What keeps a service available: limits, time-outs that mean silence, a door that says what is the matter.

#![allow(clippy::expect_used, clippy::unwrap_used)]

use ndarray::ArrayD;
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use trefoil_nn::{Graph, Options, Plan, Weights};
use trefoil_serve::{
    BenchJob, Client, Inference, PartiesFile, PartyFile, ServeError, Service, Stopper, write_keys,
};

const TIMEOUT: Duration = Duration::from_secs(20);

fn model(bytes: &[u8], batch: usize) -> (Plan, Weights) {
    let graph = Graph::from_bytes(bytes, "model.onnx").expect("a good model");
    let options = Options {
        batch: Some(batch),
        ..Options::default()
    };
    Plan::compile(&graph, &options).expect("a plan")
}

fn pictures(count: usize) -> [ArrayD<f64>; 1] {
    [trefoil_digits::generate(count, 5)
        .0
        .mapv(f64::from)
        .into_dyn()]
}

fn infer(
    client: &mut Client,
    (plan, weights): &(Plan, Weights),
    inputs: &[ArrayD<f64>],
) -> Result<ArrayD<f64>, ServeError> {
    let job = Inference {
        plan,
        weights,
        guard: None,
        inputs,
        observe: false,
    };
    let outcome = client.infer(&job, &mut |_| ())?;
    Ok(outcome.outputs.into_iter().next().expect("an output"))
}

/// Party 0 prepares a batch in moments, and then waits for the evaluators much longer than the time-out.
#[test]
fn a_run_of_several_batches_outlasts_the_time_out() {
    let network = "100,1000".parse().expect("a network");
    let timeout = Duration::from_secs(3);
    let mut client = Client::in_process(Some(network), timeout).expect("a client");
    let model = model(trefoil_digits::LENET5, 1);
    let start = Instant::now();
    let answers = infer(&mut client, &model, &pictures(3)).expect("answers");
    assert_eq!(answers.shape(), [3, 10]);
    // Else the test shows nothing.
    assert!(start.elapsed() > 2 * timeout, "{:?}", start.elapsed());
}

/// Twenty rounds of half a second without a word to the client, as a guarded answer over slow links is.
#[test]
fn a_step_may_last_longer_than_the_time_out() {
    let network = "600,1000".parse().expect("a network");
    let timeout = Duration::from_secs(2);
    let mut client = Client::in_process(Some(network), timeout).expect("a client");
    let job = BenchJob {
        protocol: "softmax10_one".into(),
        size: 1,
        ring_bits: 64,
        repeats: 1,
    };
    let start = Instant::now();
    client.bench(&job).expect("a measurement");
    // Else the test shows nothing: a client once waited for so long.
    assert!(
        start.elapsed() > 2 * timeout + Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

/// Three services as threads, and what they tell.
struct Services {
    folder: tempfile::TempDir,
    stoppers: Vec<Stopper>,
    threads: Vec<std::thread::JoinHandle<Result<(), ServeError>>>,
    told: [Receiver<String>; 3],
}

impl Services {
    /// Services whose files are changed by `edit`.
    fn start(edit: impl Fn(usize, String) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let addresses = trefoil_testkit::free_addresses().map(|address| address.to_string());
        write_keys(folder.path(), &addresses).expect("keys");
        let (mut stoppers, mut threads) = (Vec::new(), Vec::new());
        let told = [0, 1, 2].map(|role| {
            let path = folder.path().join(format!("party{role}.toml"));
            let text = std::fs::read_to_string(&path).expect("a file");
            std::fs::write(&path, edit(role, text)).expect("room");
            let config = PartyFile::load(&path).expect("a configuration");
            let mut service = Service::new(&config).expect("a service");
            stoppers.push(service.stopper());
            let (tell, told) = channel();
            threads.push(std::thread::spawn(move || {
                service.run(&mut |event| {
                    eprintln!("party {role}: {event}");
                    let _ = tell.send(event.to_string());
                })
            }));
            told
        });
        Self {
            folder,
            stoppers,
            threads,
            told,
        }
    }

    fn client(&self) -> Client {
        let parties = PartiesFile::load(&self.path("parties.toml")).expect("a configuration");
        Client::connect(&parties, TIMEOUT).expect("a client")
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    /// Wait until `role` says `words`.
    fn says(&self, role: usize, words: &str) -> String {
        loop {
            let line = self.told[role]
                .recv_timeout(Duration::from_mins(1))
                .expect("more to come");
            if line.contains(words) {
                return line;
            }
        }
    }
}

/// A benchmark that takes long.
fn long_job() -> BenchJob {
    BenchJob {
        protocol: "compare_one".into(),
        size: 1 << 24,
        ring_bits: 64,
        repeats: 1000,
    }
}

#[test]
fn an_operator_limits_what_a_client_may_ask_for() {
    for (limit, model, count, words) in [
        (
            "elements",
            model(trefoil_digits::LENET5, 2),
            2,
            "elements are asked for",
        ),
        (
            "bytes",
            model(trefoil_digits::LENET5, 2),
            2,
            "bytes are asked for",
        ),
        ("batches", model(trefoil_digits::MODEL, 1), 6, "6 batches"),
    ] {
        // The smallest that lets other requests through.
        let allowed = if limit == "batches" { 5 } else { 30_000 };
        let services = Services::start(|role, text| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{limit} = ")));
            let line = line.expect("the limit in the file").to_owned();
            if role == 1 {
                text.replace(&line, &format!("{limit} = {allowed}"))
            } else {
                text
            }
        });
        let error = infer(&mut services.client(), &model, &pictures(count)).expect_err("too much");
        let error = error.to_string();
        assert!(
            error.contains(words) && error.contains("party 1"),
            "{error}"
        );
        assert!(error.contains(&format!("allows {allowed}")), "{error}");
        // The others have done nothing that is worth telling.
        assert!(
            !error.contains("party 0") && !error.contains("party 2"),
            "{error}"
        );
    }
}

#[test]
fn a_session_has_the_length_that_the_operator_allows() {
    let services = Services::start(|_, text| {
        let line = text
            .lines()
            .find(|line| line.starts_with("session_seconds"))
            .expect("the limit in the file")
            .to_owned();
        text.replace(&line, "session_seconds = 2")
    });
    let start = Instant::now();
    let error = services.client().bench(&long_job()).expect_err("too long");
    let error = error.to_string();
    assert!(
        error.contains("session_seconds") && error.contains("lasted 2 s"),
        "{error}"
    );
    assert!(start.elapsed() >= Duration::from_secs(2));
    // The next one is served.
    let answers = infer(
        &mut services.client(),
        &model(trefoil_digits::MODEL, 2),
        &pictures(2),
    );
    assert_eq!(answers.expect("answers").shape(), [2, 10]);
}

#[test]
fn a_busy_party_says_so_and_a_stopped_one_too() {
    let services = Services::start(|_, text| text);
    let mut first = services.client();
    let running = std::thread::spawn(move || first.bench(&long_job()).expect_err("stopped"));
    for role in 0..3 {
        services.says(role, "session started");
    }
    let mut second = services.client();
    let (model, pictures) = (model(trefoil_digits::MODEL, 2), pictures(2));
    let error = infer(&mut second, &model, &pictures)
        .expect_err("busy")
        .to_string();
    assert!(
        error.contains("party 0") && error.contains("busy with another session"),
        "{error}"
    );
    // An operator's stop ends the session, and is told.
    services.stoppers[1].stop("its operator stops it");
    let error = running.join().expect("no panic").to_string();
    assert!(
        error.contains("party 1") && error.contains("its operator stops it"),
        "{error}"
    );
    services.says(1, "stopped: its operator stops it");
    for stopper in &services.stoppers {
        stopper.stop("the test is over");
    }
    for thread in services.threads {
        thread.join().expect("no panic").expect("a clean end");
    }
}

#[test]
fn a_client_waits_a_moment_for_the_session_before() {
    let services = Services::start(|_, text| text);
    let (model, pictures) = (model(trefoil_digits::MODEL, 2), pictures(2));
    std::thread::scope(|scope| {
        for mut client in [services.client(), services.client()] {
            let (model, pictures) = (&model, &pictures);
            scope.spawn(move || {
                for _ in 0..5 {
                    infer(&mut client, model, pictures).expect("answers");
                }
            });
        }
    });
}

#[test]
fn strangers_keep_no_client_out() {
    let services = Services::start(|_, text| text);
    let parties = std::fs::read_to_string(services.path("parties.toml")).expect("a file");
    let addresses: Vec<String> = parties
        .lines()
        .filter_map(|line| line.strip_prefix("address = "))
        .map(|address| address.trim_matches('"').to_owned())
        .collect();
    // More connections than there are places, all silent, and others that keep coming.
    let mut idle: Vec<TcpStream> = Vec::new();
    for address in &addresses {
        idle.extend((0..100).map(|_| TcpStream::connect(address).expect("an open door")));
    }
    let over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for address in &addresses {
            let over = &over;
            scope.spawn(move || {
                while !over.load(relaxed) {
                    let stranger = TcpStream::connect(address);
                    std::thread::sleep(Duration::from_millis(5));
                    drop(stranger);
                }
            });
        }
        let answers = infer(
            &mut services.client(),
            &model(trefoil_digits::MODEL, 2),
            &pictures(2),
        );
        over.store(true, relaxed);
        assert_eq!(answers.expect("answers").shape(), [2, 10]);
    });
    services.says(0, "turned away");
}

#[test]
fn keys_are_named_for_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let addresses = trefoil_testkit::free_addresses().map(|address| address.to_string());
    write_keys(folder.path(), &addresses).expect("keys");
    let start = || {
        let config = PartyFile::load(&folder.path().join("party0.toml"))?;
        Service::new(&config).map(|_| ())
    };
    let [key, certificate] = ["party0.key", "party0.crt"].map(|name| folder.path().join(name));
    let (right_key, right) = (
        std::fs::read(&key).unwrap(),
        std::fs::read(&certificate).unwrap(),
    );
    start().expect("right keys");
    let told = |words: &[&str]| {
        let error = start().expect_err("wrong keys").to_string();
        for word in words {
            assert!(error.contains(word), "no `{word}` in {error}");
        }
        assert!(!error.contains("port"), "{error}");
    };
    // Another party's certificate, with its key and without.
    std::fs::copy(folder.path().join("party1.crt"), &certificate).unwrap();
    told(&["party0.key", "key"]);
    std::fs::copy(folder.path().join("party1.key"), &key).unwrap();
    told(&["party0.toml", "expected of party 0", "pin"]);
    std::fs::write(&certificate, &right).unwrap();
    std::fs::write(&key, "nonsense").unwrap();
    told(&["party0.key"]);
    std::fs::remove_file(&key).unwrap();
    told(&["party0.key", "No such file"]);
    std::fs::write(&key, right_key).unwrap();
}
