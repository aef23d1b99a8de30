//! Data sets in their original formats, and their splits.

pub mod arrays;
mod hash;

pub use hash::file_hash;
