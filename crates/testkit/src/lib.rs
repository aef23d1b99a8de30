//! Three-party worlds, tamper hooks and statistics for tests.
//!
//! A test of a protocol is one call, [`contract`]: plaintext oracle on edges and random values, exact
//! cost, one traffic shape for all inputs, the view test of every party, and every message tampered with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod coins;
mod contract;
mod ports;
mod random;
mod statistics;
mod world;

pub use coins::{Coins, setting};
pub use contract::{
    Contract, Generator, Oracle, contract, one_traffic_shape, tampering_is_noticed,
};
pub use ports::free_addresses;
pub use random::Random;
pub use statistics::{chi_square, uniform_bytes};
pub use world::{Change, Run, Sent, Tamper, World, reconstruct};
