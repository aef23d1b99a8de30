//! A service of three operators, as they, an owner and a user run it.

use crate::world::{Ended, PROGRAM, World};
use ndarray::ArrayD;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Samples of the world.
const SAMPLES: usize = 8;

/// A running server; killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Files of three operators on free ports, with tokens of the owner `clinic` and the user `alice`.
fn set_up(world: &World) {
    world.run("setup --output parties").succeeded();
    let mut tokens = Vec::new();
    for (holder, purpose) in [("clinic", "owner"), ("alice", "user")] {
        let of_each = [0, 1, 2].map(|role| {
            let issued = world.run(&format!(
                "access new --config parties/serve{role}.toml --holder {holder} --purpose {purpose}"
            ));
            issued.succeeded();
            issued.stdout.trim().to_owned()
        });
        tokens.push((holder, of_each));
    }
    let free = trefoil_testkit::free_addresses::<9>().map(|address| address.to_string());
    let usual = [7710, 8710, 9710]
        .into_iter()
        .flat_map(|port| port..port + 3);
    let moved = |file: &str| {
        let mut text = fs::read_to_string(world.path(file)).unwrap();
        for (port, free) in usual.clone().zip(&free) {
            text = text.replace(&format!("127.0.0.1:{port}"), free);
        }
        text
    };
    for role in 0..3 {
        let file = format!("parties/serve{role}.toml");
        fs::write(world.path(&file), moved(&file)).unwrap();
    }
    let contacts = moved("parties/contacts.toml");
    for (holder, of_each) in tokens {
        let mut text = contacts.clone();
        for token in of_each {
            text = text.replacen("token = \"\"", &format!("token = \"{token}\""), 1);
        }
        fs::write(world.path(&format!("{holder}.toml")), text).unwrap();
    }
}

fn start(world: &World, role: usize) -> Running {
    let child = Command::new(PROGRAM)
        .args(["serve", &format!("parties/serve{role}.toml")])
        .current_dir(world.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.unwrap())
}

/// Run the doctor until it says `code`.
fn doctor(world: &World, code: i32) -> Ended {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let told = world.run("doctor --service alice.toml --timeout 5 --json");
        if told.code == Some(code) || Instant::now() > end {
            assert_eq!(told.code, Some(code), "{}{}", told.stdout, told.stderr);
            return told;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_owner_pushes_a_model_and_a_user_who_has_none_asks_it() {
    let world = World::new(SAMPLES);
    set_up(&world);
    world
        .run("serve parties/serve0.toml --check-config")
        .succeeded();
    let mut servers = [0, 1, 2].map(|role| start(&world, role));
    doctor(&world, 0);
    let pushed = world.run(
        "model push digits digits.onnx --batch 4 --calibrate x.npy --service clinic.toml --json",
    );
    assert_eq!(pushed.json()["version"], 1);
    let ask = "ask digits -i x.npy -o out.npy --labels y.npy --service alice.toml";
    // Nothing was granted yet.
    world.refused(ask, 1, &["no-such-model", "granted"]);
    world
        .run("model grant digits alice --quota 12 --service clinic.toml")
        .succeeded();
    let listed = world.run("model list --service alice.toml --json").json();
    assert_eq!(listed[0]["name"], "digits", "{listed}");
    let told = world.run(&format!("{ask} --json")).json();
    assert_eq!(told["samples"], SAMPLES, "{told}");
    let answers: ArrayD<f32> = world.answers();
    fs::remove_file(world.path("out.npy")).unwrap();
    world.infer("--backend clear").succeeded();
    let gap = (&answers - &world.answers()).mapv(f32::abs);
    assert!(gap.iter().all(|&gap| gap < 1e-3), "{gap}");
    let usage = world
        .run("model usage digits --service clinic.toml --json")
        .json();
    assert_eq!(
        (&usage[0]["user"], &usage[0]["used"]),
        (&"alice".into(), &8.into())
    );
    fs::remove_file(world.path("out.npy")).unwrap();
    // 4 of 12 are left, and 8 are asked: what does not reach is not computed.
    world.refused(ask, 1, &["quota"]);
    // A token of a user is no owner's.
    world.refused(
        "model grant digits alice --service alice.toml",
        1,
        &["not-allowed"],
    );
    world
        .run("model retire digits --service clinic.toml")
        .succeeded();
    world.refused(ask, 1, &["no-such-model"]);
    servers[2].0.kill().unwrap();
    let found = doctor(&world, 3);
    assert!(found.stdout.contains("party 2"), "{}", found.stdout);
}

#[test]
fn a_service_that_nobody_named_is_asked_for() {
    let world = World::new(1);
    for command in ["model list", "doctor", "ask m -i x.npy -o out.npy"] {
        world.refused(command, 2, &["--service", "TREFOIL_SERVICE"]);
    }
    world.refused("model list --service gone.toml", 1, &["gone.toml"]);
    world.refused("model list --service x.npy", 1, &["x.npy", "[[parties]]"]);
}
