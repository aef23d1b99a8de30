//! The leakage audit: does what a party receives depend on secrets?
//!
//! Correct results do not show leaks. The audit runs a protocol many times, records what each party receives at
//! the interface that links of production implement, and tests whether that depends on the secrets. The shares and
//! keys of the party are fixed; only what it cannot know varies: the key that the two others share. What each test
//! finds and what it misses is in `docs/audit.md`.
//!
//! This crate also holds protocols that leak, so it must never be linked into serving code: a test checks the
//! dependencies of `trefoil-serve`.

pub mod attack;
mod elimination;
mod entry;
mod error;
mod finding;
mod html;
pub mod insecure_scsdf;
mod mutants;
pub mod pictures;
mod protocols;
mod random;
mod recorder;
mod relations;
mod repeats;
mod report;
mod sample;
mod seeds;
mod session;
mod statistics;
mod uniformity;
mod view_test;
mod world;

pub use entry::{Entry, LEVEL, Verdict};
pub use error::AuditError;
pub use finding::{Finding, Test};
pub use html::{html, p_value};
pub use mutants::{Mutant, mutants};
pub use protocols::protocols;
pub use random::Random;
pub use recorder::{Received, Record, Recorder, Shape};
pub use report::{Control, Options, Progress, Report, run};
pub use session::{Outcome, additive, session};
pub use statistics::detectable;
pub use world::{Client, Inputs, Opened, OpenedShare, Secret, Setup, Vary};
