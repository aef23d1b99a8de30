//! What strangers send, read as the library reads it: for fuzz targets.

use crate::hello::Greeting;
use crate::{Hello, Mismatch, Peer, Role};

/// Read a first frame.
///
/// # Panics
/// If what was read is not what is written again.
pub fn hello(bytes: &[u8]) {
    if let Some(greeting) = Greeting::decode(bytes) {
        let again = Greeting::decode(&greeting.encode());
        assert!(again == Some(greeting), "a greeting changes on the way");
    }
}

/// First frames to begin with.
pub fn hellos() -> Vec<Vec<u8>> {
    let hello = Hello::new(Peer::Client, Peer::Party(Role::P1), [7; 16], [9; 32]);
    let mismatch = Mismatch::Receiver {
        expected: Peer::Party(Role::P0),
        actual: Peer::Client,
    };
    let greetings = [
        Greeting::Hello(hello),
        Greeting::Rejected(mismatch),
        Greeting::OtherVersion(7),
    ];
    greetings.iter().map(Greeting::encode).collect()
}
