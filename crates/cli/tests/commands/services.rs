//! Three parties started by hand, as on three machines.

use crate::onnx;
use crate::world::{PROGRAM, World};
use ndarray::Array2;
use ndarray_npy::write_npy;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use trefoil_testkit::free_addresses;

/// A party that ends with this, and the lines that it prints.
struct Service {
    child: Child,
    lines: Receiver<String>,
}

impl Service {
    /// Start a party and wait until it listens.
    fn start(world: &World, config: &str) -> Self {
        Self::by(Command::new(PROGRAM), world, config)
    }

    /// The same by `command`, which runs the program with what is added to it.
    fn by(mut command: Command, world: &World, config: &str) -> Self {
        let mut child = command
            .args(["party", "--config"])
            .arg(world.path(config))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let service = Self { child, lines };
        service.says("listening on 127.0.0.1:");
        service
    }

    /// Wait for a line with these words.
    fn says(&self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(1)).unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Its exit code, soon.
    fn ends(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < Duration::from_mins(1), "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keys for three ports that are free.
fn keys(world: &World) {
    let addresses = free_addresses::<3>()
        .map(|address| format!("--address {address}"))
        .join(" ");
    let made = world
        .run(&format!("keys --out keys {addresses} --json"))
        .json();
    assert_eq!(made["files"].as_array().unwrap().len(), 12, "{made}");
    assert_eq!(made["pins"].as_object().unwrap().len(), 4, "{made}");
}

fn start(world: &World) -> [Service; 3] {
    [0, 1, 2].map(|index| Service::start(world, &format!("keys/party{index}.toml")))
}

const PARTIES: &str = "--parties keys/parties.toml --timeout 10";

#[test]
fn three_services_answer_session_after_session() {
    let world = World::new(8);
    keys(&world);
    let services = start(&world);
    for _ in 0..2 {
        let told = world.infer(&format!("{PARTIES} --check --json")).json();
        assert_eq!(told["label_agreement"], 1.0, "{told}");
        assert_eq!(told["parties"], "keys/parties.toml");
        assert_eq!(told["link"], serde_json::Value::Null);
        for service in &services {
            service.says("session done");
        }
    }
}

#[test]
fn a_wrong_pin_is_refused_and_the_services_go_on() {
    let world = World::new(8);
    keys(&world);
    let services = start(&world);
    let path = world.path("keys/parties.toml");
    let right = fs::read_to_string(&path).unwrap();
    let pins: Vec<&str> = right
        .lines()
        .filter_map(|line| line.strip_prefix("pin = \""))
        .map(|rest| rest.trim_end_matches('"'))
        .collect();
    assert_eq!(pins.len(), 3, "{right}");
    fs::write(
        world.path("keys/wrong.toml"),
        right.replace(pins[1], pins[2]),
    )
    .unwrap();
    let arguments = "infer --model digits.onnx --input x.npy --output out.npy";
    let wrong = format!("{arguments} --parties keys/wrong.toml --timeout 5");
    world.refused(&wrong, 1, &["party 1", "pin"]);
    // A client whom no party knows.
    keys_elsewhere(&world);
    for (from, to) in [
        ("other/client.crt", "keys/client.crt"),
        ("other/client.key", "keys/client.key"),
    ] {
        fs::rename(world.path(to), world.path(&format!("{to}.right"))).unwrap();
        fs::copy(world.path(from), world.path(to)).unwrap();
    }
    world.refused(&format!("{arguments} {PARTIES}"), 1, &["party"]);
    services[0].says("turned away");
    for name in ["keys/client.crt", "keys/client.key"] {
        fs::rename(world.path(&format!("{name}.right")), world.path(name)).unwrap();
    }
    let told = world.infer(&format!("{PARTIES} --check --json")).json();
    assert_eq!(told["label_agreement"], 1.0, "{told}");
}

fn keys_elsewhere(world: &World) {
    world.run("keys --out other").succeeded();
}

#[test]
fn a_port_in_use_and_a_missing_party_are_named() {
    let world = World::new(2);
    keys(&world);
    let [first, _second, third] = start(&world);
    world.refused(
        "party --config keys/party0.toml",
        1,
        &["127.0.0.1:", "in use"],
    );
    drop((first, third));
    let arguments = "infer --model digits.onnx --input x.npy --output out.npy";
    world.refused(
        &format!("{arguments} --parties keys/parties.toml --timeout 3"),
        1,
        &["127.0.0.1:"],
    );
}

#[test]
fn a_party_ends_cleanly_when_told_to() {
    let world = World::new(1);
    keys(&world);
    for signal in [Signal::TERM, Signal::INT] {
        let mut service = Service::start(&world, "keys/party0.toml");
        kill_process(Pid::from_child(&service.child), signal).unwrap();
        let line = service.says("stopped: SIG");
        assert!(line.contains("Z party 0: stopped"), "time and role: {line}");
        assert_eq!(service.ends(), Some(0));
    }
}

/// The first process of a container gets no signal that it has no handler for.
#[test]
fn the_first_process_of_a_container_ends_cleanly_when_told_to() {
    let arguments = ["--pid", "--fork", "--user", "--map-root-user"];
    let possible = Command::new("unshare").args(arguments).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("skipped: no namespaces here");
        return;
    }
    let world = World::new(1);
    keys(&world);
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = Command::new("unshare");
        command.args(arguments).arg(PROGRAM);
        let mut service = Service::by(command, &world, "keys/party0.toml");
        let id = service.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let first: i32 = children.trim().parse().unwrap();
        kill_process(Pid::from_raw(first).unwrap(), signal).unwrap();
        service.says("stopped: SIG");
        assert_eq!(service.ends(), Some(0));
    }
}

#[test]
fn a_client_that_dies_stops_the_parties_at_once() {
    let world = World::new(20_000);
    keys(&world);
    let services = start(&world);
    for signal in [Signal::KILL, Signal::TERM] {
        let mut client =
            world.start_infer("--parties keys/parties.toml --batch 20000 --timeout 600 --json");
        for service in &services {
            service.says("session started");
        }
        std::thread::sleep(Duration::from_millis(500));
        kill_process(Pid::from_child(&client), signal).unwrap();
        let start = Instant::now();
        for service in &services {
            service.says("session failed");
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{:?}",
            start.elapsed()
        );
        let _ = client.wait();
    }
}

#[test]
fn addresses_that_cannot_work_are_refused_when_made_and_when_read() {
    let world = World::new(1);
    let same = "--address a:1 --address a:1 --address a:1";
    world.refused(&format!("keys {same}"), 2, &["same address"]);
    for (wrong, told) in [
        ("127.0.0.1", "no port"),
        ("127.0.0.1:99999", "65535"),
        ("http://127.0.0.1:7700", "web address"),
    ] {
        let addresses = format!("--address a:1 --address {wrong} --address b:1");
        world.refused(&format!("keys {addresses}"), 2, &["party 1", told]);
        world.refused(&format!("keys --listen {wrong}"), 2, &[told]);
    }
    world
        .run("keys --out keys --listen 0.0.0.0:7000 --address a:1 --address b:1 --address c:1")
        .succeeded();
    let path = world.path("keys/party0.toml");
    let right = fs::read_to_string(&path).unwrap();
    assert!(
        right.contains("listen = \"0.0.0.0:7000\"") && right.contains("a:1"),
        "{right}"
    );
    for (from, to, told) in [
        (
            "timeout_seconds = 15",
            "timeout_seconds = 0",
            "timeout_seconds",
        ),
        ("0.0.0.0:7000", "0.0.0.0", "no port"),
        ("\"b:1\"", "\"a:1\"", "same address"),
        ("\"b:1\"", "\"b:99999\"", "65535"),
        ("\"b:1\"", "\"http://b:1\"", "web address"),
        ("\"b:1\"", "\"\"", "empty"),
    ] {
        assert!(right.contains(from), "{from}");
        fs::write(&path, right.replace(from, to)).unwrap();
        world.refused("party --config keys/party0.toml", 1, &["party0.toml", told]);
    }
}

#[test]
fn keys_are_never_overwritten() {
    let world = World::new(1);
    world.run("keys").succeeded();
    let before = fs::read(world.path("keys/party0.key")).unwrap();
    world.refused("keys", 1, &["keys", "--output"]);
    assert_eq!(fs::read(world.path("keys/party0.key")).unwrap(), before);
}

/// Bytes of memory that a process holds, and the most that it has held.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn memory(process: u32) -> [u64; 2] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    })
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn memory_is_given_back_after_a_large_batch() {
    let world = World::new(1);
    keys(&world);
    let services = start(&world);
    fs::write(world.path("m.onnx"), onnx::chain(&[100], &["Relu"], 100)).unwrap();
    write_npy(world.path("in.npy"), &Array2::<f32>::ones((20_000, 100))).unwrap();
    let infer = "infer --model m.onnx --input in.npy --output out.npy --batch 20000 --no-check";
    world.run(&format!("{infer} {PARTIES}")).succeeded();
    for service in &services {
        service.says("session done");
        let start = Instant::now();
        loop {
            let [now, most] = memory(service.child.id());
            assert!(most > 100 << 20, "{most} bytes are no large batch");
            if now < most / 2 {
                break;
            }
            // It is given back when no other session has come for a second.
            let waited = start.elapsed().as_secs();
            assert!(waited < 30, "{now} bytes of {most} are kept");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}
