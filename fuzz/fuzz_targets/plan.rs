//! A plan that a client sends is read, and checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_nn::Plan;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(plan) = Plan::from_bytes(bytes) {
        assert!(plan.check().is_ok());
    }
});
