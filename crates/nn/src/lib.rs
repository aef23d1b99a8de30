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
mod layer;
mod masks;
mod network;
pub mod operators;
mod passes;
mod plan;
mod ranges;
mod scaling;
mod scores;
mod secure;
mod shape;
mod value;
mod walk;
mod window;

pub use backend::{Backend, Clear, Fixed, Priced, Ranged, Term, step_costs};
pub use batch::filled;
pub use compare::{Examined, LayerError, examine, layer_errors};
pub use error::{InputError, ModelError, PlanError, Problem};
pub use executor::{Compiled, Observer, RunRing, Running, ready, run};
pub use graph::Graph;
pub use operators::{Layer, supported_operators};
pub use plan::{Options, PLAN_VERSION, Plan, Port, Step, ValueId, Weights};
pub use ranges::{Extent, Headroom, Need, Ranges, StepRange};
pub use scaling::Scaling;
pub use scores::Scores;
pub use secure::{Secure, SharedBits};
pub use shape::broadcast;
pub use trefoil_mpc::Cost;
pub use value::{Given, Kind, Value};
pub use window::{Outside, Pool2d};
