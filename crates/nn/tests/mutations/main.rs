//! ONNX files and plans that are damaged in many ways: no panic, and no more memory than stated.
//!
//! Mutations are drawn from a printed seed. `TREFOIL_MUTATIONS=100000` makes as many of them,
//! `TREFOIL_SEED=…` others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and say why on the way"
)]

#[path = "../suite/build.rs"]
#[expect(dead_code, reason = "written for the suite, which uses the rest")]
mod build;
mod change;
mod models;

use change::{damage_bytes, damage_model};
use peak_alloc::PeakAlloc;
use prost::Message as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use trefoil_nn::{Clear, Graph, Options, Plan, Weights, ready, run, step_costs};
use trefoil_testkit::{Coins, setting};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Mutations where the environment names no other number.
const DEFAULT: u64 = 4000;

/// What reading, compiling and checking a file of a few kilobytes may allocate at once: constant folding
/// alone may make 2^22 elements of 8 bytes, and needs its operand beside its result.
const READING: usize = 160 << 20;

/// Elements and multiply-accumulates up to which a plan is run as well.
const SMALL: u64 = 1 << 18;

/// What happened to files.
#[derive(Default)]
struct Tally {
    read: u64,
    compiled: u64,
    ran: u64,
    peak: usize,
}

impl Tally {
    /// Read a file and do with it all that can be done without a user's trust.
    fn file(&mut self, bytes: &[u8]) {
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let compiled = compile(bytes);
        let peak = MEMORY.peak_usage().saturating_sub(before);
        assert!(peak <= READING, "reading took {peak} bytes");
        self.peak = self.peak.max(peak);
        match compiled {
            Compiled::No => {}
            Compiled::Read => self.read += 1,
            Compiled::Plan(plan, weights) => {
                self.read += 1;
                self.compiled += 1;
                self.ran += u64::from(run_small(&plan, &weights));
            }
        }
    }
}

enum Compiled {
    No,
    Read,
    Plan(Box<Plan>, Weights),
}

fn compile(bytes: &[u8]) -> Compiled {
    let Ok(graph) = Graph::from_bytes(bytes, "damaged.onnx") else {
        return Compiled::No;
    };
    let Ok((plan, weights)) = Plan::compile(&graph, &Options::default()) else {
        return Compiled::Read;
    };
    plan.check().unwrap();
    assert_eq!(Plan::from_bytes(&plan.to_bytes()).unwrap(), plan);
    Compiled::Plan(Box::new(plan), weights)
}

/// Price and run a plan whose values are few; whether they were.
fn run_small(plan: &Plan, weights: &Weights) -> bool {
    let products = plan
        .steps
        .iter()
        .map(|step| plan.multiply_accumulates(step));
    let elements = plan
        .shapes
        .iter()
        .map(|s| s.iter().product::<usize>() as u64);
    let windows = plan.steps.iter().flat_map(|step| plan.operand_shapes(step));
    let windows = windows.map(|shape| shape.iter().product::<usize>() as u64);
    if products.chain(elements).chain(windows).sum::<u64>() > SMALL {
        return false;
    }
    step_costs(plan);
    let inputs = plan.inputs.iter();
    let inputs = inputs.map(|port| build::random(plan.shape(port.value), 1));
    ready(run(
        plan,
        &Clear,
        weights.clear(),
        inputs.collect(),
        &mut (),
    ))
    .unwrap();
    true
}

/// Run `check` on input number `index`; a panic names the number, so that it can be repeated.
fn guarded(what: &str, seed: u64, index: u64, check: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
        println!("{what}: mutation {index} of seed {seed}");
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn damaged_files_and_plans() {
    let (count, seed) = (
        setting("TREFOIL_MUTATIONS", DEFAULT),
        setting("TREFOIL_SEED", 1),
    );
    println!("{count} mutations of seed {seed}");
    // In one test, because memory is counted for the whole process.
    many_empty_messages();
    let models = models::all();
    let start = std::time::Instant::now();

    let mut tally = Tally::default();
    for (index, model) in models.iter().enumerate() {
        let bytes = model.encode_to_vec();
        let graph =
            Graph::from_bytes(&bytes, "whole.onnx").unwrap_or_else(|e| panic!("{index}: {e}"));
        Plan::compile(&graph, &Options::default()).unwrap_or_else(|e| panic!("{index}: {e}"));
        tally.file(&bytes);
    }
    assert_eq!(
        tally.ran,
        models.len() as u64,
        "the models themselves are read and run"
    );
    for index in 0..count {
        let mut coins = Coins::new(seed, index);
        let mut model = coins.one_of(&models).clone();
        let whole = coins.below(3) != 0;
        if whole {
            damage_model(&mut model, &mut coins);
        }
        let mut bytes = model.encode_to_vec();
        if !whole || coins.below(8) == 0 {
            damage_bytes(&mut bytes, &mut coins);
        }
        guarded("file", seed, index, || tally.file(&bytes));
    }
    println!(
        "files: {} read, {} compiled, {} run; at most {} bytes for one; {:.1} s",
        tally.read,
        tally.compiled,
        tally.ran,
        tally.peak,
        start.elapsed().as_secs_f64()
    );
    assert!(
        tally.compiled > count / 20,
        "mutations that change too much test the parser alone"
    );

    let start = std::time::Instant::now();
    let plans: Vec<Vec<u8>> = models
        .iter()
        .map(|model| {
            let graph = Graph::from_bytes(&model.encode_to_vec(), "whole.onnx").unwrap();
            Plan::compile(&graph, &Options::default())
                .unwrap()
                .0
                .to_bytes()
        })
        .collect();
    let (mut accepted, mut most) = (0, 0);
    for index in 0..count {
        let mut coins = Coins::new(!seed, index);
        let mut bytes = coins.one_of(&plans).clone();
        damage_bytes(&mut bytes, &mut coins);
        guarded("plan", seed, index, || {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            accepted += u64::from(Plan::from_bytes(&bytes).is_ok());
            let peak = MEMORY.peak_usage().saturating_sub(before);
            assert!(peak <= READING, "a plan took {peak} bytes");
            most = most.max(peak);
        });
    }
    println!(
        "plans: {accepted} accepted; at most {most} bytes for one; {:.1} s",
        start.elapsed().as_secs_f64()
    );
}

/// Nodes of no bytes: two bytes of the file each, structures of hundreds in memory.
fn many_empty_messages() {
    let nodes = [0x0a, 0x00].repeat(4 << 20);
    let mut bytes = vec![0x42, 0x04, 0x0a, 0x00, 0x10, 13, 0x3a];
    prost::encoding::encode_varint(nodes.len() as u64, &mut bytes);
    bytes.extend(nodes);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let error = Graph::from_bytes(&bytes, "empty.onnx")
        .unwrap_err()
        .to_string();
    let peak = MEMORY.peak_usage().saturating_sub(before);
    assert!(error.contains("more than"), "{error}");
    assert!(peak <= READING, "{peak} bytes");
}
