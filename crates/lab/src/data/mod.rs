//! Data sets in their original formats, and their splits.

pub mod arrays;
