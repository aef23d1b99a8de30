//! Three parties started by hand, as on three machines.

use crate::world::{PROGRAM, World};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use trefoil_testkit::free_addresses;

/// A party that ends with this, and the lines that it prints.
struct Service {
    child: Child,
    lines: Receiver<String>,
}

impl Service {
    /// Start a party and wait until it listens.
    fn start(world: &World, config: &str) -> Self {
        let mut child = Command::new(PROGRAM)
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
    fn says(&self, words: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(1)).unwrap();
            if line.contains(words) {
                return;
            }
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
fn keys_are_never_overwritten() {
    let world = World::new(1);
    world.run("keys").succeeded();
    let before = fs::read(world.path("keys/party0.key")).unwrap();
    world.refused("keys", 1, &["keys", "--out"]);
    assert_eq!(fs::read(world.path("keys/party0.key")).unwrap(), before);
}
