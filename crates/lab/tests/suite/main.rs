//! The lab on real data, where it is present.
// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::float_cmp, clippy::print_stdout)]

mod figures;
mod folder;
mod formats;
mod memguard;
mod registry;
