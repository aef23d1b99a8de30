//! The readers, each as a function of any bytes.

use crate::seeds::small_plan;
use std::path::Path;
pub use trefoil::fuzzing::{cifar, idx, npy, npz};
use trefoil_guard::Guard;
use trefoil_lab::data::{DataSet, Source, arrays::from_npz};
use trefoil_net::{decode_frame, encode_frame};
use trefoil_nn::{Graph, Options, Plan};

/// The first frame of a connection, from anybody who can reach a port.
pub fn hello(bytes: &[u8]) {
    trefoil_net::fuzzing::hello(bytes);
}

/// A frame of a peer: taken apart, and put together again.
///
/// # Panics
/// If that gives other bytes.
pub fn frame(bytes: &[u8]) {
    if let Some(messages) = decode_frame(bytes) {
        assert!(
            encode_frame(&messages) == bytes,
            "a frame changes on the way"
        );
    }
}

/// What a client asks a party for.
pub fn request(bytes: &[u8]) {
    trefoil_serve::fuzzing::request(bytes);
}

/// What a party replies to a client, its report among it.
pub fn report(bytes: &[u8]) {
    trefoil_serve::fuzzing::reply(bytes, small_plan());
}

/// What a party opens of a recorded batch.
pub fn transcript(bytes: &[u8]) {
    trefoil_serve::fuzzing::transcript(bytes);
}

/// The public half of a guard, as a client sends it.
pub fn guard_settings(bytes: &[u8]) {
    trefoil_serve::fuzzing::guard_settings(bytes, small_plan());
}

/// A plan, as a client sends it.
///
/// # Panics
/// If it is taken and contradicts itself.
pub fn plan(bytes: &[u8]) {
    if let Ok(plan) = Plan::from_bytes(bytes) {
        assert!(
            plan.check().is_ok(),
            "a plan that was taken contradicts itself"
        );
    }
}

/// A file of a guard.
pub fn safetensors(bytes: &[u8]) {
    drop(Guard::parse(Path::new("fuzz.safetensors"), bytes));
}

/// The lab's own readers: the same bytes as pictures of MNIST, as their labels, as CIFAR-10, as the archive and the text of
/// Location30.
pub fn lab_files(bytes: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else {
        return;
    };
    let labels = [0, 0, 8, 1, 0, 0, 0, 1, 3];
    for (name, content) in [
        ("train-images-idx3-ubyte", bytes),
        ("train-labels-idx1-ubyte", &labels),
        ("data_batch_1.bin", bytes),
        ("bangkok", bytes),
        ("arrays.npz", bytes),
    ] {
        if std::fs::write(folder.path().join(name), content).is_err() {
            return;
        }
    }
    for source in [Source::Mnist, Source::Cifar10, Source::Location30] {
        drop(DataSet::load(source, folder.path()));
    }
    drop(from_npz(&folder.path().join("arrays.npz"), &["x"]));
}

/// A model: read, compiled, and its plan written and read again.
///
/// # Panics
/// If that gives another plan.
pub fn onnx(bytes: &[u8]) {
    let Ok(graph) = Graph::from_bytes(bytes, "fuzz.onnx") else {
        return;
    };
    if let Ok((plan, _)) = Plan::compile(&graph, &Options::default()) {
        let again = Plan::from_bytes(&plan.to_bytes());
        assert!(
            again.is_ok_and(|read| read == plan),
            "a plan changes on the way"
        );
    }
}
