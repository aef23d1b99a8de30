//! The party service, and the client that brings a model and queries to three of them.
//!
//! - [`Service`] is one party: it waits for a client, connects to its two peers and runs what the client asks.
//! - `Client`, with the feature `client`, speaks to three parties: threads of this process (`Client::in_process`), three processes
//!   on this machine (`Client::processes`), or services anywhere (`Client::connect`). `Client::infer` shares a model
//!   and queries and puts the answers together; `Client::deploy` shares a model once and answers as often as it is asked; `Client::bench` measures protocols; `Client::replay`
//!   computes a batch again and names who deviated.
//! - [`Station`] is one party that serves owners and users at the same time: models are pushed once, as shares, and asked by users
//!   who never see them. `Caller`, with the feature `client`, is an owner or a user of three stations.
//! - [`PartyFile`] and [`PartiesFile`] are the configuration files, [`write_keys`] makes them with the keys.

mod address;
mod bench;
#[cfg(feature = "client")]
mod caller;
#[cfg(feature = "client")]
mod client;
mod config;
mod conversation;
mod door;
#[cfg(feature = "client")]
mod ends;
mod error;
#[doc(hidden)]
#[cfg(feature = "client")]
pub mod fuzzing;
mod irregular;
mod limits;
#[cfg(feature = "client")]
mod local;
mod memory;
mod observe;
#[cfg(feature = "client")]
mod outcome;
#[cfg(feature = "client")]
mod random;
mod records;
#[cfg(feature = "client")]
mod replay;
mod report;
mod service;
mod session;
mod station;
mod task;
mod told;
mod wire;

pub use bench::{BENCHMARKS, BenchJob, BenchResult};
#[cfg(feature = "client")]
pub use caller::{Caller, CallerError, CallerFile, Contact, Health, Served};
#[cfg(feature = "client")]
pub use client::{Client, Deployed, Inference, SharedModel};
pub use config::{KeyFiles, Link, PartiesFile, PartyFile, write_keys, write_keys_listening};
pub use error::ServeError;
pub use irregular::irregular;
pub use limits::Limits;
#[cfg(feature = "client")]
pub use replay::Receipt;
pub use report::{Outcome, Phase, Progress, Report, Seen};
pub use service::{Event, Service, Stopper, Through};
pub use station::{
    Access, AccessError, AdminAddress, Code, ModelState, ModelView, Name, NameError, PartyView,
    Place, Problem, Purpose, RequestId, SealError, Station, StationFile, StationFiles, StoreError,
    Token, UsageView, write_stations,
};
pub use task::check as check_guard;
