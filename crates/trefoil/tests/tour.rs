//! The example, which uses nothing but the library, does what it says.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an example prints; a test fails by panicking"
)]

#[path = "../examples/tour.rs"]
mod tour;

#[test]
fn a_short_program_loads_estimates_asks_guards_and_verifies() {
    tour::main().unwrap();
}
