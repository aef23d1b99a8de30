//! Three parties as three processes over TLS, of which one deviates consistently: nothing but a replay notices.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use trefoil_mpc::MessageKind;
use trefoil_net::{
    Heard, LinkStats, Message, NetError, Role, Transport, decode_frame, encode_frame,
};
use trefoil_nn::{Graph, Options, Plan};
use trefoil_serve::{Client, Inference, PartiesFile, PartyFile, Service, write_keys};

const TIMEOUT: Duration = Duration::from_secs(30);
/// The configuration of a process's party.
const CONFIG: &str = "TREFOIL_TEST_PARTY";
/// What it adds to every word of every message in which it reshares; nothing if it is not set.
const ERROR: &str = "TREFOIL_TEST_ERROR";

/// The links of an evaluator that adds an error to its part of a sum, and to its own copy of it: all shares match.
struct Shifting {
    inner: Box<dyn Transport>,
    error: u64,
}

impl Shifting {
    fn shifted(&self, body: Vec<u8>) -> Vec<u8> {
        let Some(mut messages) = decode_frame(&body) else {
            return body;
        };
        let reshared = |message: &&mut Message| message.tag == MessageKind::Reshare.tag();
        for message in messages.iter_mut().filter(reshared) {
            for word in message.payload.chunks_exact_mut(8) {
                let value = u64::from_le_bytes(word.try_into().expect("8 bytes"));
                word.copy_from_slice(&value.wrapping_add(self.error).to_le_bytes());
            }
        }
        encode_frame(&messages)
    }
}

impl Transport for Shifting {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let body = self.shifted(body);
        self.inner.send(to, body)
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let (from, body) = self.inner.receive(awaited, deadline)?;
        Ok((from, self.shifted(body)))
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.drain(deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.finish(deadline)
    }

    fn linger(&mut self, deadline: Instant) {
        self.inner.linger(deadline);
    }

    fn heard(&self, peer: Role) -> Option<Heard> {
        self.inner.heard(peer)
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.inner.stats(peer)
    }
}

/// Not a test: what each process of the tests runs, in the place of `trefoil party`.
#[test]
#[ignore = "a party of the other tests"]
fn party() {
    let config = PathBuf::from(std::env::var_os(CONFIG).expect("a configuration"));
    let config = PartyFile::load(&config).expect("a configuration");
    let mut service = Service::new(&config).expect("a service");
    if let Ok(error) = std::env::var(ERROR) {
        let error = error.parse().expect("a number");
        service.links_through(Box::new(move |inner| Box::new(Shifting { inner, error })));
    }
    let run = service.run(&mut |event| eprintln!("{}: {event}", config.role()));
    run.expect("a service that goes on");
}

/// Processes that end with the test.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Three processes; `deviating` adds `error` wherever it reshares.
fn parties(folder: &Path, deviating: Option<(Role, u64)>) -> (Processes, PartiesFile) {
    let addresses = trefoil_testkit::free_addresses().map(|address| address.to_string());
    write_keys(folder, &addresses).expect("keys");
    let program = std::env::current_exe().expect("this program");
    let start = |role: Role| {
        let mut command = Command::new(&program);
        command
            .args(["--exact", "party", "--ignored", "--nocapture"])
            .env(CONFIG, folder.join(format!("party{}.toml", role.index())))
            .stdout(Stdio::null());
        if let Some((_, error)) = deviating.filter(|(deviating, _)| *deviating == role) {
            command.env(ERROR, error.to_string());
        }
        command.spawn().expect("a process")
    };
    let processes = Processes(Role::ALL.map(start).into());
    let parties = PartiesFile::load(&folder.join("parties.toml")).expect("a configuration");
    (processes, parties)
}

/// What the parties' answers to four pictures, and replays of all their batches, come to: the largest confidence's place in
/// each answer, and who is named in each batch.
fn asked(deviating: Option<(Role, u64)>) -> (Vec<usize>, Vec<Vec<Role>>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (_processes, parties) = parties(folder.path(), deviating);
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").expect("a good model");
    let options = Options {
        batch: Some(1),
        ..Options::default()
    };
    let (plan, weights) = Plan::compile(&graph, &options).expect("a plan");
    let inputs = [trefoil_digits::generate(4, 5).0.mapv(f64::from).into_dyn()];
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let mut client = Client::connect(&parties, TIMEOUT).expect("a client");
    // Processes that are just starting do not listen yet.
    let start = Instant::now();
    let (outcome, receipt) = loop {
        match client.infer_with_receipt(&job, &mut |_| {}) {
            Ok(done) => break done,
            Err(error) if start.elapsed() > TIMEOUT => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    let labels = outcome.outputs[0].outer_iter().map(|row| {
        let largest = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        largest.expect("classes").0
    });
    let named = (0..receipt.batches()).map(|batch| {
        let blame = client.replay(&job, &receipt, batch).expect("a replay");
        blame.map_or(Vec::new(), |blame| blame.parties())
    });
    (labels.collect(), named.collect())
}

#[test]
fn replays_over_tls_find_no_fault_with_honest_parties_and_name_one_that_deviates_in_all_runs() {
    let (honest, named) = asked(None);
    assert_eq!(named, vec![Vec::new(); 4]);
    // One unit of the last place at every resharing: no answer looks wrong, no copy differs, no share is missed.
    let (same, named) = asked(Some((Role::P1, 1)));
    assert_eq!(same, honest);
    for named in named {
        assert!(named.contains(&Role::P1) && named.len() <= 2, "{named:?}");
        assert!(!named.contains(&Role::P0), "{named:?}");
    }
}
