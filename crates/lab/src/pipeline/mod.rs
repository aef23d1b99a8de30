//! A whole experiment: train, defend, attack, report.
//!
//! With the feature `train`, `run` does what a `Config` says. Every network and every set of guarded answers is kept in a
//! `Cache` by the content that went in, so that a run can be interrupted and goes on, and a
//! changed setting costs only what depends on it. Without it there are records and their parts, networks as three
//! parties hold them, and the attacks on what they answer.

#[cfg(feature = "train")]
mod answers;
mod attack;
#[cfg(feature = "train")]
mod cache;
#[cfg(feature = "train")]
mod canaries;
#[cfg(feature = "train")]
mod config;
#[cfg(feature = "train")]
mod curve;
#[cfg(feature = "train")]
mod defences;
mod deployed;
#[cfg(feature = "train")]
mod evaluations;
#[cfg(feature = "train")]
mod findings;
#[cfg(feature = "train")]
mod models;
mod outcome;
mod planted;
mod records;
#[cfg(feature = "train")]
mod run;
#[cfg(feature = "train")]
mod seeds;
#[cfg(feature = "train")]
mod stage;
#[cfg(feature = "train")]
mod summary;
mod tables;
#[cfg(feature = "train")]
mod tune;

pub(crate) use attack::{Scene, View, ask_neighbours, attack_answers};
#[cfg(feature = "train")]
pub use cache::{Cache, Key};
#[cfg(feature = "train")]
pub use canaries::Canaries;
#[cfg(feature = "train")]
pub use config::{
    Config, Data, Defences, Guard, Membership, Model, Private, ReferenceModels, Scale,
};
#[cfg(feature = "train")]
pub use curve::curve;
pub use deployed::{Deployed, Parties, Sample};
pub use outcome::{Answers, Evaluation, Outcome, Progress};
pub use records::{Part, Records};
#[cfg(feature = "train")]
pub use run::{run, run_on};
pub(crate) use tables::{ModelRow, models_table, overview, usefulness};
