//! Checks that a client makes by itself of servers it does not trust.
//!
//! - **Mix-and-check** (Fusion, NDSS 2023): copies of each query and public samples with known answers,
//!   shuffled, look like ordinary queries. [`Demand::cheapest`] finds how many of each are needed,
//!   [`Mix`] asks and judges, [`SpentSamples`] remembers which public samples are used up.
//! - **Sensitive samples** (CVPR 2019; `SecureDL`, ACSAC 2020): a [`Fingerprint`] holds probes whose answers
//!   move when any weight moves.
//! - **Replay**: [`replay`] computes chosen batches again, message by message, and names the server that deviated in one.
//! - [`adversary`] cheats in every way that the checks are meant to catch, and measures how often it
//!   passes.
//!
//! # Model
//! Detection by the client, not privacy against a malicious server: a deviation whose effect depends on a
//! secret can still leak one bit through what the client does after a rejection. The client tells no server
//! whether it accepted. Privacy rests on the back end alone.

mod accuracy;
pub mod adversary;
mod error;
mod fingerprint;
mod gradient;
mod interval;
mod mix;
mod odds;
mod permutation;
mod plan;
mod planner;
mod public;
mod random;
pub mod replay;
mod sample;
mod sensitive;
mod servers;
mod soundness;
mod store;
mod tolerance;
mod verdict;

pub use accuracy::{AccuracyTest, largest_wrong_share, pass_probability};
pub use error::VerifyError;
pub use fingerprint::{Check, Fingerprint, Mode};
pub use interval::clopper_pearson;
pub use mix::{Checked, Mix, Samples};
pub use odds::{Odds, Passes, TestErrors};
pub use permutation::Permutation;
pub use plan::{MixPlan, PLAN_FILE_VERSION};
pub use planner::Demand;
pub use public::PublicSet;
pub use replay::{Blame, Replays, escape_probability};
pub use sensitive::Ascent;
pub use servers::{InRing, InTheClear, Replayed, Servers};
pub use soundness::{log2_pass_probability, log2_pass_probability_at};
pub use store::{SampleId, SpentSamples};
pub use tolerance::derive_tolerance;
pub use verdict::{Comparison, FailedSample, Verdict};
