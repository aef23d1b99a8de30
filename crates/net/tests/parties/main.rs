//! Three parties over every kind of link, from outside of the crate.

// Clippy takes only functions marked `#[test]` for tests, not their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod links;
mod session;
mod world;
