//! A frame from a peer is taken apart, and put together again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trefoil_net::{decode_frame, encode_frame};

fuzz_target!(|bytes: &[u8]| {
    if let Some(messages) = decode_frame(bytes) {
        assert_eq!(encode_frame(&messages), bytes);
    }
});
