//! A whole experiment: train, defend, attack, report.
//!
//! [`run`] does what a [`Config`] says. Every network and every set of guarded answers is kept in a
//! [`Cache`] by the content that went in, so that a run can be interrupted and goes on, and a
//! changed setting costs only what depends on it.

mod answers;
mod attack;
mod cache;
mod config;
mod defences;
mod evaluations;
mod findings;
mod models;
mod outcome;
mod records;
mod run;
mod stage;
mod summary;
mod tune;

pub use answers::{Deployed, Sample};
pub use cache::{Cache, Key};
pub use config::{
    Config, Data, Defences, Guard, Membership, Model, Private, ReferenceModels, Scale,
};
pub use outcome::{Evaluation, Outcome, Parties, Progress};
pub use records::{Part, Records};
pub use run::{run, run_on};
