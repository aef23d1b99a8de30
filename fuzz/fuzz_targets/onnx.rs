//! An ONNX file is read and compiled, and its plan survives its encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_nn::{Graph, Options, Plan};

fuzz_target!(|bytes: &[u8]| {
    let Ok(graph) = Graph::from_bytes(bytes, "fuzz.onnx") else {
        return;
    };
    if let Ok((plan, _)) = Plan::compile(&graph, &Options::default()) {
        assert!(Plan::from_bytes(&plan.to_bytes()).is_ok_and(|read| read == plan));
    }
});
