//! What a model costs, told before it runs: `inspect` and `estimate`.

use crate::world::World;
use serde_json::Value;

/// The sum of a number over the steps.
fn sum(told: &Value, number: impl Fn(&Value) -> u64) -> u64 {
    told["steps"].as_array().unwrap().iter().map(number).sum()
}

fn bytes(value: &Value, party: usize) -> u64 {
    value["bytes_sent_per_party"][party].as_u64().unwrap()
}

#[test]
fn inspect_adds_up_and_agrees_with_a_run() {
    let world = World::new(2);
    for ring in [32, 64] {
        let told = world
            .run(&format!(
                "inspect digits.onnx --batch 2 --ring {ring} --json"
            ))
            .json();
        for (name, total) in [
            ("rounds", &told["rounds"]),
            ("parameters", &told["parameters"]),
            ("multiply_accumulates", &told["multiply_accumulates"]),
        ] {
            let all = sum(&told, |step| step[name].as_u64().unwrap());
            assert!(all > 0, "{name}: {told}");
            assert_eq!(&Value::from(all), total, "{name}");
        }
        let run = world
            .infer(&format!("--link memory --batch 2 --ring {ring} --json"))
            .json();
        assert_eq!(told["rounds"], run["rounds"]);
        assert_eq!(told["bytes_sent_per_party"], run["bytes_sent_per_party"]);
        for party in 0..3 {
            let all = sum(&told, |step| bytes(step, party));
            assert_eq!(all, bytes(&told, party), "party {party}");
        }
        // Two components of every weight, at least.
        let weights = told["parameters"].as_u64().unwrap() * 2 * ring / 8;
        assert!(told["memory_bytes"].as_u64().unwrap() > weights, "{told}");
    }
}

#[test]
fn inspect_shows_a_table() {
    let world = World::new(1);
    let ended = world.run("inspect digits.onnx --fraction-bits 16");
    ended.succeeded();
    for word in [
        "16 fraction bits",
        "Conv",
        "rounds",
        "party 0",
        "in all",
        "memory",
    ] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
}

#[test]
fn an_estimate_stands_beside_what_is_measured() {
    let world = World::new(1);
    let told = world
        .run("estimate digits.onnx --network 2,1000 --measure --json")
        .json();
    let (rounds, measured) = (&told["rounds"], &told["measured"]);
    assert_eq!(rounds, &measured["rounds"]);
    assert_eq!(
        told["bytes_sent_per_party"],
        measured["bytes_sent_per_party"]
    );
    // No prediction and no run is faster than its rounds.
    let least = rounds.as_f64().unwrap() * 2e-3;
    for seconds in [&told["predicted_s"], &measured["wall_s"]] {
        assert!(seconds.as_f64().unwrap() >= least, "{told}");
    }
    let error = told["predicted_s"].as_f64().unwrap() / measured["wall_s"].as_f64().unwrap() - 1.0;
    assert!((told["relative_error"].as_f64().unwrap() - error).abs() < 1e-9);
}

#[test]
fn an_estimate_alone_measures_no_model() {
    let world = World::new(1);
    let ended = world.run("estimate digits.onnx --network wan --ring 32");
    ended.succeeded();
    assert!(ended.stdout.contains("predicted"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("measured"), "{}", ended.stdout);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let world = World::new(1);
    world.refused("inspect gone.onnx", 1, &["gone.onnx", "check the path"]);
    world.refused("inspect x.npy", 1, &["x.npy", "not an ONNX model"]);
    world.refused("inspect digits.onnx --batch 0", 2, &["--batch"]);
    world.refused("inspect digits.onnx --ring 48", 2, &["32 and 64"]);
    world.refused("estimate digits.onnx", 2, &["--network"]);
    world.refused("estimate digits.onnx --network fast", 2, &["MS,MBIT"]);
}

#[test]
fn inspect_takes_the_batch_at_which_the_model_runs() {
    let world = World::new(1);
    // It drops the batch's axis where the batch is 1.
    let model = include_bytes!("../../../nn/tests/data/field/squeeze_noaxes_batch.onnx");
    std::fs::write(world.path("squeeze.onnx"), model).unwrap();
    let told = world.run("inspect squeeze.onnx --json").json();
    assert_eq!(told["batch"], 2, "{told}");
    let refused = world.run("inspect squeeze.onnx --batch 1");
    assert_ne!(refused.code, Some(0));
}

#[test]
fn outputs_and_free_sizes_that_are_not_there_are_named() {
    let world = World::new(1);
    let refused = world.run("inspect digits.onnx --output-name nothing --json");
    assert!(refused.error().contains("has no output `nothing`"));
    let refused = world.run("inspect digits.onnx --bind height=3 --json");
    assert!(refused.error().contains("no free dimension `height`"));
}
