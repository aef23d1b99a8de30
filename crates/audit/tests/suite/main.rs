//! The audit of the product, of its own controls, and of the broken protocols.

// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod controls;
mod honest;
mod links;
mod pictures;
mod scsdf;
