//! A short run of every target, the same for the same seed: damaged files and messages, no panic, bounded memory.
//!
//! `TREFOIL_FUZZ=100` makes a hundred times as many, `TREFOIL_SEED=…` others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and say why on the way"
)]

use peak_alloc::PeakAlloc;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;
use trefoil_fuzz::{TARGETS, Target};
use trefoil_testkit::{Coins, setting};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Numbers that lengths, counts and sizes go wrong at.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Damage a file in one to four places; `other` is another file of the kind.
fn damage(bytes: &mut Vec<u8>, other: &[u8], coins: &mut Coins) {
    for _ in 0..=coins.below(4) {
        let at = coins.below(bytes.len());
        // Headers matter more than what follows them.
        let at = if coins.below(2) == 0 {
            at
        } else {
            at.min(coins.below(96))
        };
        let end = bytes.len().min(at + 1 + coins.below(24));
        match coins.below(10) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << coins.below(8),
            1 if !bytes.is_empty() => bytes[at] = coins.below(256) as u8,
            2 => drop(bytes.drain(at..end)),
            3 => bytes.truncate(at),
            4 => {
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
            5 => {
                let from = coins.below(other.len());
                let until = other.len().min(from + 1 + coins.below(64));
                drop(bytes.splice(at..end, other[from..until].iter().copied()));
            }
            6 => {
                // A number of postcard, protobuf and zip: seven bits in a byte.
                let mut rest = EDGES[coins.below(EDGES.len())];
                let mut number = Vec::new();
                while rest > 0x7f {
                    number.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                number.push(rest as u8);
                drop(bytes.splice(at..bytes.len().min(at + 1), number));
            }
            choice => {
                let number = EDGES[coins.below(EDGES.len())];
                let width = [1, 2, 4, 8][coins.below(4)];
                let number = if choice % 2 == 0 {
                    number.to_le_bytes()[..width].to_vec()
                } else {
                    number.to_be_bytes()[8 - width..].to_vec()
                };
                drop(bytes.splice(at..bytes.len().min(at + width), number));
            }
        }
    }
}

/// The files to begin with themselves, then damaged ones; the most memory that one took.
fn run(target: &Target, times: u64, seed: u64) -> usize {
    let seeds = (target.seeds)();
    assert!(
        !seeds.is_empty() && seeds.iter().all(|seed| !seed.is_empty()),
        "{} has nothing to begin with",
        target.name
    );
    // What is made once and kept.
    (target.run)(&seeds[0]);
    let mut most = 0;
    let mut check = |bytes: &[u8], index: u64| {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
        let peak = MEMORY.peak_usage().saturating_sub(before);
        let place = format!("{}: number {index} of seed {seed}", target.name);
        if let Err(panic) = result {
            println!("{place}: {bytes:02x?}");
            resume_unwind(panic);
        }
        let (constant, each) = target.memory;
        assert!(
            peak <= constant + each * bytes.len(),
            "{place}: {peak} bytes for {}: {bytes:02x?}",
            bytes.len()
        );
        most = most.max(peak);
    };
    for (bytes, index) in seeds.iter().zip(0..) {
        check(bytes, index);
    }
    for index in 0..times {
        let mut coins = Coins::new(seed, index);
        let mut bytes = seeds[coins.below(seeds.len())].clone();
        let other = &seeds[coins.below(seeds.len())];
        damage(&mut bytes, other, &mut coins);
        check(&bytes, index);
    }
    most
}

/// One test: memory is counted for the whole process.
#[test]
fn every_reader_of_foreign_bytes_withstands_damage() {
    let (factor, seed) = (setting("TREFOIL_FUZZ", 1), setting("TREFOIL_SEED", 1));
    for target in &TARGETS {
        let start = Instant::now();
        let times = target.runs * factor;
        let most = run(target, times, seed);
        let time = start.elapsed().as_secs_f64();
        println!(
            "{:<16} {times:>8} runs, at most {most} bytes, {time:.1} s",
            target.name
        );
    }
}

/// Every target has its libFuzzer program.
#[test]
fn every_target_has_its_program() {
    for target in &TARGETS {
        let path = format!(
            "{}/fuzz_targets/{}.rs",
            env!("CARGO_MANIFEST_DIR"),
            target.name
        );
        let source = std::fs::read_to_string(&path).unwrap();
        assert!(
            source.contains(&format!("targets::{}(", target.name)),
            "{path}"
        );
    }
    let programs = std::fs::read_dir(format!("{}/fuzz_targets", env!("CARGO_MANIFEST_DIR")));
    assert_eq!(programs.unwrap().count(), TARGETS.len());
}
