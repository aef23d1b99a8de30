//! What the command lines share: options, progress, printing, files of results, and how programs end.

pub mod examples;
mod failure;
mod inputs;
pub mod options;
mod outputs;
pub mod print;
mod progress;
pub mod settings;
pub mod spectrum;
pub mod summary;
mod tone;
pub mod unused;

pub use failure::{Failure, refuse};
pub use inputs::Inputs;
pub use outputs::{Destination, OutputFolder, write_private};
pub use progress::{Bar, Bars, Counter};
pub use tone::Tone;
