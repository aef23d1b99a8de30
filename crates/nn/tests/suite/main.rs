//! One suite of operators and models, run on all back ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and say why on the way"
)]

mod batch;
mod build;
mod cases;
mod conformance;
mod data;
mod field;
mod formats;
mod hostile;
mod models;
mod operators;
mod passes;
mod plans;
mod precision;
mod ranges;
mod secure;
mod trees;
