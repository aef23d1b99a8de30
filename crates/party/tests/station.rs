//! Three parties for owners and users, as operators run them: started, killed at random moments, drained.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use trefoil_net::Role;
use trefoil_nn::{Graph, Options, Plan, Weights};
use trefoil_serve::{Caller, CallerFile, Contact, Name, Place, Served, write_stations};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-party");
const TIME: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).current_dir(folder);
    command.output().expect("a program that runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Three processes, in a folder of their own.
struct Parties {
    folder: tempfile::TempDir,
    running: [Option<Child>; 3],
    https: [String; 3],
    pins: [trefoil_net::Pin; 3],
}

impl Drop for Parties {
    fn drop(&mut self) {
        for child in self.running.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Parties {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let addresses = trefoil_testkit::free_addresses::<9>().map(|address| address.to_string());
        let places = [0, 1, 2].map(|at: usize| Place {
            links: addresses[at].clone(),
            https: addresses[3 + at].clone(),
            admin: addresses[6 + at].clone(),
        });
        let files = write_stations(folder.path(), &places).expect("files");
        let mut parties = Self {
            folder,
            running: [None, None, None],
            https: places.map(|place| place.https),
            pins: files.pins,
        };
        for at in [0, 1, 2] {
            parties.begin(at);
        }
        parties
    }

    fn begin(&mut self, at: usize) {
        let child = Command::new(PROGRAM)
            .args(["serve", &format!("serve{at}.toml")])
            .current_dir(self.folder.path())
            .stderr(Stdio::null())
            .spawn();
        self.running[at] = Some(child.expect("a program that runs"));
    }

    fn kill(&mut self, at: usize) {
        let child = self.running[at].as_mut().expect("a running party");
        child.kill().expect("a running party");
        child.wait().expect("an end");
    }

    /// A caller with tokens that each party's program has issued.
    fn caller(&self, holder: &str, purpose: &str) -> Caller {
        let contacts = [0, 1, 2].map(|at: usize| {
            let config = format!("serve{at}.toml");
            let arguments = [
                "access",
                "new",
                "--config",
                &config,
                "--holder",
                holder,
                "--purpose",
                purpose,
            ];
            let issued = run(self.folder.path(), &arguments);
            assert!(issued.status.success(), "{}", text(&issued.stderr));
            let pid = Pid::from_child(self.running[at].as_ref().expect("a running party"));
            kill_process(pid, Signal::HUP).expect("a running party");
            Contact {
                role: Role::ALL[at],
                url: format!("https://{}", self.https[at]),
                pin: self.pins[at],
                token: text(&issued.stdout).trim().to_owned(),
            }
        });
        Caller::new(&CallerFile::new(contacts), TIME).expect("a caller")
    }
}

fn digits() -> (Plan, Weights) {
    let graph = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx").expect("a good model");
    let options = Options {
        batch: Some(2),
        ..Options::default()
    };
    Plan::compile(&graph, &options).expect("a plan")
}

/// What works in the end, while parties start.
fn at_last<T, E: std::fmt::Display>(mut work: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match work() {
            Ok(done) => return done,
            Err(error) if begin.elapsed() > TIME => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// More: `TREFOIL_KILLS=200 cargo test -p trefoil-party --test station killed`.
#[test]
fn parties_that_are_killed_at_random_moments_agree_afterwards() {
    let kills = std::env::var("TREFOIL_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(6);
    let mut parties = Parties::start();
    let wait = Duration::from_millis(500);
    std::thread::sleep(wait);
    let mut owner = parties.caller("owner", "owner");
    let (plan, weights) = digits();
    let model = name("digits");
    at_last(|| owner.push(&model, &plan, &weights, None));
    let (over, answered, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let users: Vec<(Caller, Served)> = ["alice", "bob"]
        .map(|user| {
            owner.grant(&model, &name(user), None).expect("a grant");
            let mut caller = parties.caller(user, "user");
            let served = at_last(|| caller.model(&model));
            (caller, served)
        })
        .into();
    std::thread::scope(|scope| {
        for (mut caller, served) in users {
            let (over, answered, failed) = (&over, &answered, &failed);
            scope.spawn(move || {
                let samples = trefoil_digits::generate(1, 5).0.mapv(f64::from).into_dyn();
                while !over.load(Relaxed) {
                    match caller.ask(&served, std::slice::from_ref(&samples)) {
                        Ok(_) => answered.fetch_add(1, Relaxed),
                        Err(_) => failed.fetch_add(1, Relaxed),
                    };
                }
            });
        }
        let mut random = trefoil_testkit::Random::printed("moments of killing");
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(random.word() % 700));
            let at = (random.word() % 3) as usize;
            parties.kill(at);
            std::thread::sleep(Duration::from_millis(random.word() % 200));
            parties.begin(at);
        }
        // Users are answered again.
        let before = answered.load(Relaxed);
        let begin = Instant::now();
        while answered.load(Relaxed) < before + 4 {
            assert!(begin.elapsed() < TIME, "nobody is answered any more");
            std::thread::sleep(Duration::from_millis(50));
        }
        over.store(true, Relaxed);
    });
    let (answered, failed) = (answered.into_inner(), failed.into_inner());
    // What all three tell alike: whoever was answered is charged, and nobody is charged for what came to nothing at all.
    let usage = at_last(|| owner.usage(&model));
    let used: u64 = usage.iter().map(|usage| usage.used).sum();
    println!("{kills} kills: {answered} answered, {failed} failed, {used} charged");
    assert!(
        (answered..=answered + failed).contains(&used),
        "{answered} answered, {failed} failed, {used} charged"
    );
}

#[test]
fn an_operator_checks_issues_lists_revokes_and_stops() {
    let mut parties = Parties::start();
    let folder = parties.folder.path().to_owned();
    let checked = run(&folder, &["serve", "serve1.toml", "--check-config"]);
    assert!(
        checked.status.success() && text(&checked.stdout).contains("nothing is wrong"),
        "{}",
        text(&checked.stderr)
    );
    let wrong = std::fs::read_to_string(folder.join("serve1.toml"))
        .expect("a file")
        .replace("127.0.0.1", "0.0.0.0");
    std::fs::write(folder.join("wrong.toml"), wrong).expect("room");
    let refused = run(&folder, &["serve", "wrong.toml", "--check-config"]);
    let told = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(1) && told.contains("wrong.toml"),
        "{told}"
    );
    let issued = run(
        &folder,
        &[
            "access",
            "new",
            "--config",
            "serve1.toml",
            "--holder",
            "alice",
            "--purpose",
            "user",
        ],
    );
    assert!(
        text(&issued.stdout).starts_with("trefoil_"),
        "{}",
        text(&issued.stderr)
    );
    let listed = text(&run(&folder, &["access", "list", "--config", "serve1.toml"]).stdout);
    let (id, rest) = listed.split_once(' ').expect("an id");
    assert!(rest.contains("user") && rest.contains("alice"), "{listed}");
    assert!(
        run(
            &folder,
            &["access", "revoke", "--config", "serve1.toml", id]
        )
        .status
        .success()
    );
    assert_eq!(
        text(&run(&folder, &["access", "list", "--config", "serve1.toml"]).stdout),
        ""
    );
    let gone = run(
        &folder,
        &["access", "revoke", "--config", "serve1.toml", id],
    );
    assert!(gone.status.code() == Some(1) && text(&gone.stderr).contains("access list"));
    for at in [0, 1, 2] {
        let mut child = parties.running[at].take().expect("a running party");
        // It heeds signals before anything that a signal should end well; until then it has nothing.
        std::thread::sleep(Duration::from_millis(200));
        kill_process(Pid::from_child(&child), Signal::TERM).expect("a running party");
        assert_eq!(child.wait().expect("an end").code(), Some(0));
    }
    let made = run(
        &folder,
        &[
            "setup",
            "--out",
            "more",
            "--hosts",
            "a.example",
            "b.example",
            "c.example",
        ],
    );
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(folder.join("more/serve2.toml").exists() && folder.join("more/contacts.toml").exists());
    let checked = run(&folder, &["serve", "more/serve2.toml", "--check-config"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}
