//! `trefoil_fuzz::targets::transcript` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trefoil_fuzz::targets::transcript(bytes));
