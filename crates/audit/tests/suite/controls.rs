//! The audit finds what it must: mutants, and why it varies and tests what it does.

use trefoil_audit::{Control, Entry, Mutant, Options, Test, Vary, Verdict, mutants, run};
use trefoil_net::Role;

const RUNS: usize = 256;
const SEEDS: u64 = 3;

fn verdicts(entry: &Entry, seed: u64, vary: Vary) -> Vec<Verdict> {
    let one = |party| entry.audit_varying(party, RUNS, seed, vary).unwrap();
    Role::ALL.map(one).into_iter().collect()
}

fn noticed(verdicts: &[Verdict], test: Test) -> bool {
    let mut leaking = verdicts.iter().flat_map(Verdict::leaking);
    leaking.any(|finding| finding.test == test)
}

/// A few seeds here; a hundred in `rates_over_a_hundred_seeds`.
#[test]
fn every_mutant_is_caught() {
    for Mutant {
        entry, noticed_by, ..
    } in mutants()
    {
        for seed in 1..=SEEDS {
            let verdicts = verdicts(&entry, seed, Vary::Others);
            for verdict in verdicts.iter().filter(|v| v.leaks()) {
                let tests: Vec<String> = verdict
                    .leaking()
                    .iter()
                    .map(|f| f.test.to_string())
                    .collect();
                println!("{}, seed {seed}, {}: {tests:?}", entry.name, verdict.party);
            }
            assert!(
                noticed(&verdicts, noticed_by),
                "{}, seed {seed}: not noticed by the test of {noticed_by}",
                entry.name
            );
        }
    }
}

/// The false-alarm and detection rates over many seeds: a quarter of an hour.
#[test]
#[ignore = "a hundred audits"]
fn rates_over_a_hundred_seeds() {
    let (mut flagged, mut missed) = (Vec::new(), Vec::new());
    for seed in 1..=100 {
        let options = Options {
            runs: RUNS,
            seed,
            only: Vec::new(),
        };
        let report = run(&options, &[], &mut |_| ()).unwrap();
        flagged.extend(report.leaks().map(|v| (v.protocol.clone(), seed)));
        let name = |c: &Control| c.verdicts[0].protocol.clone();
        missed.extend(report.missed().map(|c| (name(c), seed)));
        println!("seed {seed}: flagged {flagged:?}, missed {missed:?}");
    }
    assert!(flagged.len() <= 1 && missed.len() <= 1);
}

fn mutant(name: &str) -> Entry {
    let found = mutants().into_iter().find(|m| m.entry.name.ends_with(name));
    found.unwrap().entry
}

/// A mask that is missing hides where everything is drawn anew: the shares themselves look like masks.
#[test]
fn varying_everything_would_hide_a_missing_mask() {
    let entry = mutant("product without mask");
    assert!(noticed(&verdicts(&entry, 1, Vary::Others), Test::Words));
    assert!(
        verdicts(&entry, 1, Vary::Everything)
            .iter()
            .all(|v| !v.leaks())
    );
}

/// Each word under a reused mask is uniform: only two together show it.
#[test]
fn words_alone_would_hide_a_mask_used_twice() {
    let verdicts = verdicts(&mutant("mask used twice"), 1, Vary::Others);
    assert!(!noticed(&verdicts, Test::Words) && !noticed(&verdicts, Test::Shape));
    for test in [Test::Pairs, Test::Repeats, Test::Relations] {
        assert!(noticed(&verdicts, test), "{test}");
    }
}
