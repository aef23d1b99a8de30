//! Membership inference, measured: data sets, attacks, metrics and reports.
//!
//! [`data`] reads the data sets of the literature in their original formats and splits them,
//! [`attacks`] turns a model's outputs into membership scores and decisions, [`metrics`] says how
//! good those are and how sure that is, [`report`] prints, draws and gathers the results.

pub mod attacks;
pub mod data;
mod error;
pub mod metrics;
pub mod random;
pub mod report;

pub use error::LabError;
