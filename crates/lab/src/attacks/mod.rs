//! Membership inference attacks: from a model's outputs to scores and decisions.
//!
//! Each attack has a file. Scores are higher for likelier members. Decisions compare them with
//! thresholds that were chosen on the attacker's own shadow data, never on the records under
//! attack. [`run_all`] runs every attack that the [`Evidence`] allows, and says what is missing
//! for the others.
//!
//! | attack | needs | score |
//! |---|---|---|
//! | [`correctness`] | labels | 1 if the label is right |
//! | [`top`] | | the largest confidence |
//! | [`conf`] | labels | the label's confidence |
//! | [`entr`] | | negative entropy |
//! | [`mentr`] | labels | negative modified entropy |
//! | [`nn`] | shadow outputs, a [`Trainer`] | a network's |
//! | [`lira`] | labels, reference models | likelihood ratio |
//! | [`rmia`] | labels, reference models, a population | share of the population that is beaten |
//! | [`label_only`] | labels, the model itself | how much noise the label survives |
//!
//! [`adaptive`] gives the attacker the defence and repeated queries.

pub mod adaptive;
mod battery;
pub mod conf;
pub mod correctness;
mod doubts;
pub mod entr;
pub mod label_only;
pub mod lira;
pub mod mentr;
pub mod nn;
mod outputs;
mod references;
pub mod rmia;
mod threshold;
pub mod top;

pub use battery::{Attacker, Battery, Evidence, Skipped, run_all};
pub use doubts::{doubts, doubts_of_verdicts};
pub use nn::{Membership, Trainer};
pub use outputs::{Outputs, Verdict};
pub use references::References;
pub use threshold::Thresholds;

/// Smallest confidence whose logarithm is taken in an entropy.
pub const ENTROPY_FLOOR: f64 = 1e-30;

/// Added to a confidence before its logarithm is taken in a likelihood (Carlini et al. 2022).
pub const LIKELIHOOD_FLOOR: f64 = 1e-45;
