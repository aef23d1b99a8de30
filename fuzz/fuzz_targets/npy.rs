//! An .npy file is read.
#![no_main]

// The program is no library: its reader of arrays is compiled again here.
#[path = "../../crates/cli/src/arrays.rs"]
#[allow(dead_code, unreachable_pub)]
mod arrays;
#[path = "../../crates/cli/src/failure.rs"]
#[allow(dead_code, unreachable_pub)]
mod failure;

use failure::Failure;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _: Result<_, Failure> = arrays::parse("fuzz.npy", bytes);
});
