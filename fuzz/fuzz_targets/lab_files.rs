//! `trefoil_fuzz::targets::lab_files` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| trefoil_fuzz::targets::lab_files(bytes));
