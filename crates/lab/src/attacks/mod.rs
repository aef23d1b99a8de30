//! Membership inference attacks: from a model's outputs to scores and decisions.
//!
//! Each attack has a file and a row of [`ATTACKS`], which says its name, what it needs and how it scores
//! ([`Attack`]). Scores are higher for likelier members. Decisions compare them with thresholds that were chosen on
//! the attacker's own shadow data, never on the records under attack ([`decide`]). [`run_all`] runs every attack that
//! the [`Evidence`] allows, and says what is missing for the others.
//!
//! Without the feature `train` there are no attacks that learn: boosted trees, the forest and NN-M.
//!
//! [`adaptive`] gives the attacker the defence and repeated queries.

pub mod adaptive;
mod attack;
mod battery;
pub mod conf;
pub mod copies;
pub mod correctness;
mod decide;
mod doubts;
pub mod entr;
mod evidence;
#[cfg(feature = "train")]
mod features;
#[cfg(test)]
mod fixtures;
#[cfg(feature = "train")]
mod learners;
pub mod lira;
mod membership;
pub mod mentr;
mod metric;
mod neighbours;
#[cfg(feature = "train")]
pub mod nn;
mod odds;
mod outputs;
mod ranked;
mod references;
mod registry;
pub mod rmia;
mod threshold;
pub mod top;

pub use attack::{Attack, Border, Scored};
pub use battery::{Battery, Skipped, run_all};
pub use copies::Neighbours;
pub use decide::decide;
pub use doubts::{doubts, doubts_of_verdicts};
pub use evidence::{Attacker, Evidence, Need};
pub use membership::{MembershipModel, MembershipTrainer};
pub use outputs::{Outputs, Verdict};
pub use references::{Population, References};
pub use registry::ATTACKS;
pub use threshold::Thresholds;

/// Smallest confidence whose logarithm is taken in an entropy.
pub const ENTROPY_FLOOR: f64 = 1e-30;

/// Added to a confidence before its logarithm is taken in a likelihood (Carlini et al. 2022).
pub const LIKELIHOOD_FLOOR: f64 = 1e-45;
