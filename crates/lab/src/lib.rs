//! Membership inference, measured: data sets, attacks, metrics and reports.
//!
//! [`data`] reads the data sets of the literature in their original formats and splits them,
//! [`attacks`] turns a model's outputs into membership scores and decisions, [`metrics`] says how
//! good those are and how sure that is, [`report`] prints, draws and gathers the results, `train`
//! trains the models that are attacked, [`pipeline`] does all of it. [`showcase`] is an experiment whose networks are
//! part of this crate.
//!
//! The feature `train`, on by default, brings all that learns: networks, the attackers that learn, and experiments that
//! train. Without it there are data sets, generated records, the other attacks, metrics, reports and the showcase.

// Views of arrays are references already.
#![allow(clippy::needless_pass_by_value)]
// Tests compare with numbers that are exact in binary, and their stand-ins never fail.
#![cfg_attr(test, allow(clippy::float_cmp, clippy::unnecessary_wraps))]

pub mod attacks;
pub mod data;
mod error;
pub mod logits;
#[cfg(feature = "train")]
pub mod maps;
pub mod metrics;
pub mod pipeline;
pub mod random;
pub mod report;
pub mod showcase;
mod sides;
#[cfg(feature = "train")]
pub mod train;

pub use error::LabError;
pub use sides::Sides;
