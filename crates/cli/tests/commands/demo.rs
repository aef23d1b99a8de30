//! The demo and the benchmarks: that they run and tell the truth.

use crate::world::World;

#[test]
fn the_demo_shows_digits_cost_and_views() {
    let world = World::new(1);
    let ended = world.run("demo --seed 5 --only digits");
    ended.succeeded();
    for word in [
        "seed 5",
        "24 of 24 read as in the clear",
        "rounds",
        "What each server saw",
        "true values",
        "noise, whatever is drawn",
    ] {
        assert!(
            ended.stdout.contains(word),
            "no `{word}` in {}",
            ended.stdout
        );
    }
    assert!(!ended.stdout.contains("look closer"), "{}", ended.stdout);
    assert!(ended.stdout.lines().count() <= 80, "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_demo_draws_other_digits_each_time_unless_told_a_seed() {
    let world = World::new(1);
    let run = |arguments: &str| {
        world
            .run(&format!("demo --only digits --count 4 --json {arguments}"))
            .json()
    };
    let (first, second) = (run(""), run(""));
    assert_ne!(first["seed"], second["seed"]);
    assert_eq!(first["digits"]["label_agreement"], 1.0, "{first}");
    let again = run(&format!("--seed {}", first["seed"]));
    assert_eq!(again["digits"]["labels"], first["digits"]["labels"]);
    assert_eq!(again["digits"]["predictions"].as_array().unwrap().len(), 4);
}

#[test]
fn servers_see_even_words_where_the_true_values_are_not() {
    let world = World::new(1);
    let told = world.run("demo --only digits --seed 1 --json").json();
    let counts = |value: &serde_json::Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|count| count.as_f64().unwrap())
            .collect()
    };
    let largest =
        |counts: &[f64]| counts.iter().copied().fold(0.0, f64::max) / counts.iter().sum::<f64>();
    assert!(
        largest(&counts(&told["digits"]["true_values_top_bits"])) > 0.4,
        "{told}"
    );
    for server in [1, 2] {
        let seen = counts(&told["digits"]["report"]["seen"][server]["top_bits"]);
        assert!(seen.iter().sum::<f64>() > 10_000.0, "{told}");
        assert!(largest(&seen) < 0.07, "{told}");
    }
}

#[test]
fn benchmarks_are_measured_over_both_links() {
    let world = World::new(1);
    let told = world
        .run("bench --only relu,lenet5 --size 1000 --repeat 3 --json")
        .json();
    let rows = told["benchmarks"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["protocol"].as_str().unwrap(),
                row["link"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("relu", "tcp"),
        ("lenet5", "tcp"),
        ("relu", "tls"),
        ("lenet5", "tls"),
    ];
    assert_eq!(names, expected);
    for row in rows {
        assert_eq!(row["seconds"].as_array().unwrap().len(), 3, "{row}");
        assert!(
            row["best_s"].as_f64().unwrap() <= row["median_s"].as_f64().unwrap(),
            "{row}"
        );
        assert!(row["rounds"].as_u64().unwrap() > 0, "{row}");
    }
    assert_eq!(
        rows[0]["bytes_sent_per_party"],
        rows[2]["bytes_sent_per_party"]
    );
    let ended = world.run("bench --only relu --size 1000 --repeat 1 --network 1,1000 --ring 32");
    ended.succeeded();
    assert!(ended.stdout.contains("1 ms one way"), "{}", ended.stdout);
}

#[test]
fn a_report_cannot_take_the_place_of_a_file() {
    let world = World::new(1);
    world.refused(
        "demo --only membership --report x.npy",
        1,
        &["x.npy", "not a folder", "--report"],
    );
}
