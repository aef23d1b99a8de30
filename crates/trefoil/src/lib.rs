//! Private inference on three servers that see neither query, model nor answer.
//!
//! The three servers are called parties. Two that work together learn everything; one alone learns nothing but what is public: the
//! model's shape, the number of samples. Whoever uses this library has the model and the samples: it shares both among
//! the parties, puts the shares of the answers together, and compares some answers with the model itself.
//!
//! ```no_run
//! use std::{path::Path, time::Duration};
//! use trefoil::{Backend, Checking, Compile, Parties, Preparation, Source};
//!
//! # fn main() -> Result<(), trefoil::Error> {
//! let source = Source::open(Path::new("model.onnx"))?;
//! let samples = source.samples(Path::new("x.npy"), &Preparation::default())?;
//! let prepared = source.prepare(
//!     &samples,
//!     &Compile::default(),
//!     Backend::Secure,
//!     Checking::Some,
//!     &mut |_, _| (),
//! )?;
//! let parties = Parties::connect(Path::new("parties.toml"), Duration::from_secs(60))?;
//! let answers = prepared.answer(&mut parties.deploy(&prepared.model))?;
//! println!("{} after {} rounds", answers.values, answers.report.rounds);
//! # Ok(())
//! # }
//! ```
//!
//! | to | call |
//! |---|---|
//! | read a model | [`Source::open`], [`Source::from_bytes`] |
//! | look into it | [`Source::compile`], then [`Model::steps`], [`Model::cost`] |
//! | know how long it takes | [`estimate()`] |
//! | read samples | [`Source::samples`], [`Samples::of`] |
//! | run it here | [`Deployment::clear`], [`Deployment::fixed`] |
//! | run it on three parties, again and again in one session | [`Parties`], [`Parties::deploy`], [`Deployment::answer`] |
//! | measure protocols, models and guards | [`Parties::measure`], [`Parties::measure_model`], [`Parties::measure_guard`] |
//! | guard answers | [`Compile::guard`] |
//! | answer, and know that it is right | [`Source::prepare`], [`Prepared::answer`] |
//! | push a model to a service, ask one | [`Service`] |
//! | use one encrypted server | [`mod@he`] |
//! | verify the servers | [`Source::mix`], [`Mixed::ask`] |
//!
//! Nothing here returns a number that it can know to be wrong: what does not fit, is not precise enough or fails a check is an
//! [`Error`] that says what, where and what to do.

pub mod bench;
mod compile;
pub mod conclusions;
pub mod data;
mod deployment;
mod doubts;
mod error;
mod estimate;
mod faults;
mod forecast;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub mod he;
mod inspection;
mod known;
pub mod labels;
mod layers;
mod limits;
pub mod local;
mod model;
mod precision;
mod prepared;
pub mod public;
mod random;
mod ranges;
mod recipe;
mod samples;
mod service;
mod source;
pub mod text;
mod tolerance;
pub mod verified;
mod watch;

pub use compile::Compile;
pub use data::{Layout, Preparation};
pub use deployment::{Backend, Deployment, Link, Parties};
pub use doubts::Doubts;
pub use error::{Error, Kind};
pub use estimate::{Estimate, EstimateSummary, EstimatedStep, MeasuredRun, estimate};
pub use forecast::{Machine, Rehearsal};
pub use inspection::{InspectedStep, Inspection};
pub use known::{Known, RangeReport, StepReport};
pub use labels::Check;
pub use layers::{LayerCheck, compare as compare_layers};
pub use limits::NumberLimits;
pub use model::{Model, NumberFormat};
pub use precision::all as check_all;
pub use prepared::{Answers, Checking, Prepared};
pub use ranges::Ranging;
pub use samples::Samples;
pub use service::Service;
pub use source::Source;
pub use tolerance::SampledCheck;
pub use verified::{Checks, Mixed, Verified};
pub use watch::Watch;

pub use trefoil_net::NetworkProfile;
pub use trefoil_nn::{Cost, Scores, StepPrice};
pub use trefoil_serve::{Health, ModelView, Phase, Progress, Report, Served, UsageView};
pub use trefoil_verify::{AccuracyTest, Demand, MixPlan};
