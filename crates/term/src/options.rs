//! Options that several commands share.

mod ask;
mod deploy;
mod model;
mod numbers;
mod service;

pub use ask::ask_three;
pub use deploy::{
    BackendOption, DeployOptions, LinkOption, emulated_only_in_memory, seconds, start, start_client,
};
pub use model::{Binding, ModelOption, PreparationOptions, SeedOption, binding};
pub use numbers::{NumberOptions, RangeOptions};
pub use service::ServiceOption;
