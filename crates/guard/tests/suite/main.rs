//! The guard on every back end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod build;
mod cost;
mod fidelity;
mod gradient;
mod regression;
mod repeat;
mod softmax;
mod table;
