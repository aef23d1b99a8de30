//! The product's protocols: none leaks, and all are in the list.

use std::path::Path;
use std::time::Instant;
use trefoil_audit::protocols;
use trefoil_net::Role;

/// Everything, once. The seed is printed; many seeds are the example `false-alarms`.
#[test]
fn no_protocol_leaks() {
    let seed = 20_261_121;
    println!("seed {seed}");
    for entry in protocols().unwrap() {
        for party in Role::ALL {
            let start = Instant::now();
            let verdict = entry.audit(party, 256, seed).unwrap();
            println!(
                "{}, {party}: {} messages, {} bytes, p {:.2}, {:.1?}",
                entry.name,
                verdict.messages,
                verdict.bytes,
                verdict.p(),
                start.elapsed()
            );
            assert!(
                !verdict.leaks(),
                "{}, {party}: {:#?}",
                entry.name,
                verdict.leaking()
            );
        }
    }
}

/// The names of all public protocols of `trefoil_mpc`: asynchronous functions of a party that its `lib.rs` exports.
fn public_protocols() -> Vec<String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mpc/src");
    let library = std::fs::read_to_string(sources.join("lib.rs")).unwrap();
    let exported: Vec<&str> = library
        .split("pub use ")
        .skip(1)
        .filter_map(|rest| rest.split(';').next())
        .flat_map(|item| item.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .collect();
    let mut found = Vec::new();
    let mut paths = vec![sources];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let inside = std::fs::read_dir(path).unwrap();
            paths.extend(inside.map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for rest in text.split("\npub async fn ").skip(1) {
            let signature = rest.split(')').next().unwrap_or_default();
            let name = signature.split(['<', '(']).next().unwrap_or_default();
            if signature.contains("party: &Party") && exported.contains(&name) {
                found.push(format!("trefoil_mpc::{name}"));
            }
        }
    }
    found
}

#[test]
fn every_public_protocol_has_an_entry() {
    let public = public_protocols();
    assert!(
        public.len() >= 28,
        "the sources are read wrongly: {public:?}"
    );
    let entries = protocols().unwrap();
    let covered: Vec<&str> = entries.iter().flat_map(|e| e.covers).copied().collect();
    for name in &public {
        assert!(
            covered.contains(&name.as_str()),
            "{name} has no entry in crates/audit/src/protocols: add one, so that its leaks are looked for"
        );
    }
    for other in [
        "trefoil_nn::run",
        "trefoil_guard::protect",
        "trefoil_guard::Held::answer",
    ] {
        assert!(covered.contains(&other), "{other}");
    }
    for name in covered
        .iter()
        .filter(|name| name.starts_with("trefoil_mpc::"))
    {
        assert!(
            public.iter().any(|p| p == name),
            "{name} is no public protocol"
        );
    }
    let mut names: Vec<&str> = entries.iter().map(|e| e.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
