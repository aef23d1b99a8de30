//! Options that several commands share.

mod deploy;
mod model;
mod numbers;

pub use deploy::{
    BackendOption, DeployOptions, LinkOption, emulated_only_in_memory, seconds, start, start_client,
};
pub use model::{ModelOption, PreparationOptions, SeedOption};
pub use numbers::{NumberOptions, RangeOptions};
