//! Tests of encrypted inference.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

mod files;
mod infer;
mod models;
mod packed;
mod poly;
mod refusals;
