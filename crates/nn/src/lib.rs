//! ONNX import, graph, plan and the executor over any back end.
//!
//! [`Graph::load`] reads an ONNX file, [`Plan::compile`] turns it into a public [`Plan`] and the
//! secret [`Weights`], [`run`] computes the plan on a [`Backend`].

mod backend;
mod batch;
mod compare;
mod compile;
pub mod defaults;
mod error;
mod executor;
pub mod graph;
mod head;
mod import;
pub mod label_doubts;
mod layer;
mod masks;
mod need;
pub mod operators;
mod passes;
mod plan;
mod price;
mod ranges;
mod ready;
mod scaling;
mod scores;
mod shape;
mod value;
mod walk;
mod window;

pub use backend::{Backend, Clear, Fixed, Priced, RangedBackend, Secure, SharedBits, Term};
pub use batch::filled;
pub use compare::{Examined, LayerError, examine, layer_errors};
pub use error::{InputError, ModelError, PlanError, Problem};
pub use executor::{Observer, PlanBackend, RunRing, Running, run};
pub use graph::Graph;
pub use need::{Extent, Need};
pub use operators::{Layer, supported_operators};
pub use plan::{Options, PLAN_VERSION, Plan, Port, Step, ValueId, Weights};
pub use price::{BATCH_BYTES, StepPrice, batch_bytes, fitting_batch, price, step_costs};
pub use ranges::{Headroom, Ranges, StepRange};
pub use ready::ready;
pub use scaling::Scaling;
pub use scores::Scores;
pub use shape::broadcast;
pub use trefoil_mpc::Cost;
pub use value::{Given, Kind, Value};
pub use window::{Outside, Pool2d};
