//! Three stations with real TLS, HTTPS, links and stores, an owner and users.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

mod doors;
mod path;
mod raw;
mod watch;

use ndarray::{Array2, ArrayD};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trefoil_guard::{Guard, Table, TableSettings};
use trefoil_net::Pin;
use trefoil_net::Role;
use trefoil_nn::{Clear, Graph, Options, Plan, Weights, ready, run};
use trefoil_serve::{
    Access, Caller, CallerFile, Contact, Name, Place, Purpose, Station, StationFile, StationFiles,
    write_stations,
};

const TIME: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// The small network that tells drawn digits apart, for batches of `batch`.
fn digits(batch: usize) -> (Plan, Weights) {
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").expect("a good model");
    let options = Options {
        batch: Some(batch),
        ..Options::default()
    };
    Plan::compile(&graph, &options).expect("a plan")
}

fn pictures(count: usize, seed: u64) -> ArrayD<f64> {
    trefoil_digits::generate(count, seed)
        .0
        .mapv(f64::from)
        .into_dyn()
}

/// What the model says in the clear.
fn clear(weights: &Weights, pictures: &ArrayD<f64>) -> ArrayD<f64> {
    let plan = digits(pictures.shape()[0]).0;
    let Ok(out) = ready(run(
        &plan,
        &Clear,
        &weights.to_clear(),
        vec![pictures.clone()],
        &mut (),
    ));
    out.into_iter().next().expect("an output")
}

fn assert_close(found: &ArrayD<f64>, expected: &ArrayD<f64>) {
    assert_eq!(found.shape(), expected.shape());
    let error = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max);
    assert!(error < 1e-3, "largest error {error}");
}

/// A guard whose answers are one of ten rows.
fn guard(plan: &Plan) -> Guard {
    let settings = TableSettings {
        classes: 10,
        fraction_bits: plan.fraction_bits,
    };
    let falling = |row: usize, rank: usize| {
        let sharp = 0.5 + 0.03 * row as f64;
        (1.0 - sharp) * sharp.powi(rank as i32) / (1.0 - sharp.powi(10))
    };
    let means = Array2::from_shape_fn((10, 10), |(row, rank)| falling(row, 9 - (9 - rank)));
    Guard::Table(Table::new(settings, means).expect("a table"))
}

/// Three running parties.
struct Parties {
    /// Removed with this.
    _folder: TempDir,
    files: StationFiles,
    links: [String; 3],
    https: [String; 3],
    admin: [String; 3],
    stations: [Option<Station>; 3],
    log: Arc<Mutex<Vec<String>>>,
}

impl Parties {
    /// Start them; `more` stands in each file before the parties.
    fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let addresses = trefoil_testkit::free_addresses::<9>().map(|address| address.to_string());
        let place = |at: usize| Place {
            links: addresses[at].clone(),
            https: addresses[3 + at].clone(),
            admin: addresses[6 + at].clone(),
        };
        let places = [place(0), place(1), place(2)];
        let files = write_stations(folder.path(), &places).expect("files");
        for config in &files.configs {
            let text = std::fs::read_to_string(config).expect("a file");
            let (head, parties) = text.split_once("\n[[parties]]").expect("parties");
            std::fs::write(config, format!("{head}\n{more}\n[[parties]]{parties}"))
                .expect("a file");
        }
        let mut parties = Self {
            _folder: folder,
            files,
            links: [0, 1, 2].map(|at: usize| places[at].links.clone()),
            https: [0, 1, 2].map(|at: usize| places[at].https.clone()),
            admin: [0, 1, 2].map(|at: usize| places[at].admin.clone()),
            stations: [None, None, None],
            log: Arc::default(),
        };
        for at in [0, 1, 2] {
            parties.begin(at);
        }
        parties.await_ready();
        parties
    }

    fn begin(&mut self, at: usize) {
        let file = StationFile::load(&self.files.configs[at]).expect("a good file");
        let log = Arc::clone(&self.log);
        let note = move |text: &str| log.lock().unwrap().push(format!("party {at}: {text}"));
        let begin = Instant::now();
        self.stations[at] = loop {
            match Station::start(&file, note.clone()) {
                Ok(station) => break Some(station),
                // The one before it may hold its addresses a moment longer.
                Err(error) if begin.elapsed() > TIME => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        };
    }

    fn end(&mut self, at: usize) {
        self.stations[at] = None;
    }

    fn await_ready(&self) {
        let begin = Instant::now();
        while !self.stations.iter().flatten().all(Station::is_ready) {
            assert!(
                begin.elapsed() < TIME,
                "not ready: {:?}",
                self.log.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn config(&self, at: usize) -> &Path {
        &self.files.configs[at]
    }

    fn access_path(&self, at: usize) -> PathBuf {
        StationFile::load(self.config(at))
            .expect("a good file")
            .access_path()
    }

    /// A token of party `at`, and its id.
    fn issue(&self, at: usize, holder: &str, purpose: Purpose) -> (String, String) {
        let path = self.access_path(at);
        let mut access = Access::load(&path).expect("an access file");
        let (token, secret) = access.issue(name(holder), purpose).expect("a token");
        access.save(&path).expect("room");
        if let Some(station) = &self.stations[at] {
            station.reread_access().expect("an access file");
        }
        (secret, token.id)
    }

    fn tokens(&self, holder: &str, purpose: Purpose) -> [String; 3] {
        [0, 1, 2].map(|at| self.issue(at, holder, purpose).0)
    }

    fn contacts(&self, tokens: &[String; 3]) -> CallerFile {
        CallerFile::new([0, 1, 2].map(|at: usize| Contact {
            role: Role::ALL[at],
            url: format!("https://{}", self.https[at]),
            pin: self.files.pins[at],
            token: tokens[at].clone(),
        }))
    }

    fn caller(&self, holder: &str, purpose: Purpose) -> Caller {
        let tokens = self.tokens(holder, purpose);
        Caller::new(&self.contacts(&tokens), TIME).expect("a caller")
    }

    fn pin(&self, at: usize) -> Pin {
        self.files.pins[at]
    }

    /// A number of a party's metrics.
    fn metric(&self, at: usize, line: &str) -> f64 {
        let text = self.admin(at, "GET", "/metrics").1;
        let value = text.lines().find_map(|found| found.strip_prefix(line));
        value.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }

    /// Ask the operator's interface; status and body.
    fn admin(&self, at: usize, method: &str, path: &str) -> (u16, String) {
        let mut socket =
            std::net::TcpStream::connect(&self.admin[at]).expect("an operator's interface");
        write!(socket, "{method} {path} HTTP/1.1\r\nHost: party\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).expect("an answer");
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status, body.unwrap_or_default())
    }
}
