//! What the programs link, by cargo's own account: an operator runs no training, no attacks, no cheats and no protocol that leaks; whoever
//! owns models or asks them links neither training nor broken protocols.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

/// Training and the learners.
const TRAINING: &[&str] = &["burn", "cubecl", "smartcore"];
/// The audit, which holds broken protocols with their attacks.
const AUDIT: &[&str] = &["trefoil-audit"];
/// What asks, checks and measures.
const NO_PARTY: &[&str] = &[
    "trefoil-lab",
    "trefoil-verify",
    "trefoil-he",
    "trefoil-digits",
    "fhe",
    "plotters",
    "image",
    "indicatif",
    "miette",
    "tract",
];

/// Each package, with groups of names of which it links none that begins so.
const WITHOUT: [(&str, &[&[&str]]); 9] = [
    ("trefoil-ring", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil-net", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil-mpc", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil-nn", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil-guard", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil-party", &[TRAINING, AUDIT, NO_PARTY]),
    ("trefoil", &[TRAINING, AUDIT, &["trefoil-lab", "tract"]]),
    (
        "trefoil-term",
        &[TRAINING, AUDIT, &["trefoil-lab", "tract"]],
    ),
    // Its demo attacks with what needs no training.
    ("trefoil-cli", &[TRAINING, AUDIT, &["tract"]]),
];

/// The packages that `package` links with its default features.
fn linked(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--prefix", "none"])
        .args(["--edges", "normal,build", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.starts_with(package), "{tree}");
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn no_program_links_what_its_users_have_no_use_for() {
    for (package, without) in WITHOUT {
        let names = linked(package);
        for others in without.iter().copied().flatten() {
            let found = names.iter().find(|name| name.starts_with(others));
            assert_eq!(found, None, "{package} links it");
        }
    }
}

/// Else the test above would show nothing.
#[test]
fn whoever_measures_links_all_of_it() {
    let names = linked("trefoil-lab-cli");
    for name in [
        "trefoil-audit",
        "trefoil-lab",
        "smartcore",
        "burn-tensor",
        "plotters",
    ] {
        assert!(names.contains(name), "trefoil-lab-cli without {name}");
    }
    let names = linked("trefoil-party");
    for name in ["trefoil-serve", "trefoil-mpc", "rustls"] {
        assert!(names.contains(name), "trefoil-party without {name}");
    }
}
