//! `trefoil audit`.

use crate::world::World;

#[test]
fn a_protocol_is_audited_and_a_control_is_caught() {
    let world = World::new(1);
    let told = world
        .run("audit --quick --no-pictures --only select --only without --seed 5 --json")
        .json();
    let views = told["protocols"].as_array().unwrap();
    assert_eq!(views.len(), 3, "{told}");
    for view in views {
        assert_eq!(view["protocol"], "select");
        let findings = view["findings"].as_array().unwrap();
        assert!(findings.iter().all(|f| f["p"].as_f64().unwrap() > 1e-6));
    }
    assert_eq!(told["controls"][0]["caught"], true, "{told}");
    assert_eq!(told["seed"], 5);
}

#[test]
fn the_report_is_one_file() {
    let world = World::new(1);
    let ended = world.run("audit --quick --only select --seed 5 --html report.html");
    ended.succeeded();
    for word in ["no leak found", "SCSDF, ReLU, weights known", "seed 5"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
    let page = std::fs::read_to_string(world.path("report.html")).unwrap();
    assert!(page.contains("data:image/png;base64,") && !page.contains("http"));
}

#[test]
fn unknown_names_are_told_which_there_are() {
    let world = World::new(1);
    let (name, known) = ("no protocol is named `nothing-like-it`", "softmax");
    world.refused("audit --only nothing-like-it", 1, &[name, known]);
}

#[test]
fn missing_folders_are_told_before_the_work() {
    let world = World::new(1);
    world.refused("audit --html nowhere/report.html", 1, &["nowhere"]);
    world.refused("audit --quick --data nowhere", 1, &["nowhere", "--data"]);
}
