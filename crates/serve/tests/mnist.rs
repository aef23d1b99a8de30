//! A trained model of other people on real data: 256 MNIST digits over TLS, labelled as in the clear.
//!
//! Needs the data folder, `TREFOIL_DATA` or `../shared/data` beside the checkout; without it the test says so and
//! passes.

#![allow(clippy::expect_used, clippy::print_stdout)]

use flate2::read::GzDecoder;
use ndarray::{ArrayD, Axis};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_nn::{Clear, Graph, Options, Plan, ready, run};
use trefoil_serve::{Client, Inference, PartiesFile, PartyFile, Service, write_keys};

const DIGITS: usize = 256;

fn data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TREFOIL_DATA").map_or(beside, PathBuf::from);
    folder
        .join("onnx_models/mnist-8.onnx")
        .exists()
        .then_some(folder)
}

/// The first test digits, raw, (N, 1, 28, 28).
fn digits(folder: &Path) -> ArrayD<f64> {
    let file = std::fs::File::open(folder.join("mnist/t10k-images-idx3-ubyte.gz"))
        .expect("the test digits");
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect("a whole file");
    let pixels = bytes[16..16 + DIGITS * 784]
        .iter()
        .map(|&byte| f64::from(byte))
        .collect();
    ArrayD::from_shape_vec(vec![DIGITS, 1, 28, 28], pixels).expect("whole pictures")
}

fn labels(logits: &ArrayD<f64>) -> Vec<usize> {
    let row = |row: ndarray::ArrayViewD<'_, f64>| {
        let best = |best: usize, i: usize| if row[i] > row[best] { i } else { best };
        (0..row.len()).fold(0, best)
    };
    logits.axis_iter(Axis(0)).map(row).collect()
}

#[test]
fn mnist_over_tls_as_in_the_clear() {
    let Some(folder) = data() else {
        println!("skipped: no data folder (TREFOIL_DATA or ../shared/data)");
        return;
    };
    let graph = Graph::load(folder.join("onnx_models/mnist-8.onnx")).expect("a good model");
    let (plan, weights) = Plan::compile(
        &graph,
        &Options {
            batch: Some(64),
            ..Options::default()
        },
    )
    .expect("a plan");
    let keys = tempfile::tempdir().expect("a folder");
    let addresses = trefoil_testkit::free_addresses().map(|address| address.to_string());
    write_keys(keys.path(), &addresses).expect("keys");
    for role in 0..3 {
        let config = PartyFile::load(&keys.path().join(format!("party{role}.toml")))
            .expect("a configuration");
        let mut service = Service::new(&config).expect("a service");
        std::thread::spawn(move || service.run(&mut |_| ()));
    }
    let parties = PartiesFile::load(&keys.path().join("parties.toml")).expect("a configuration");
    let mut client = Client::connect(&parties, Duration::from_mins(1)).expect("a client");
    let inputs = [digits(&folder)];
    let job = Inference {
        plan: &plan,
        weights: &weights,
        guard: None,
        inputs: &inputs,
        observe: false,
    };
    let outcome = client.infer(&job, &mut |_| ()).expect("an answer");
    let mut clear = Vec::new();
    for batch in inputs[0].axis_chunks_iter(Axis(0), 64) {
        let Ok(out) = ready(run(
            &plan,
            &Clear,
            &weights.to_clear(),
            vec![batch.to_owned()],
            &mut (),
        ));
        clear.extend(labels(&out[0]));
    }
    assert_eq!(labels(&outcome.outputs[0]), clear);
    println!(
        "{DIGITS} digits: {:.2} s, {} rounds",
        outcome.report.wall_s, outcome.report.rounds
    );
}
