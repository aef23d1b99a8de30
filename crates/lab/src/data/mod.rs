//! Data sets in their original formats, and their splits.
//!
//! [`DataSet::load`] finds a [`Source`]'s files in a folder and reads them; [`generated`] makes a
//! data set of Location30's kind without any file. A [`Split`] says which records the target, the
//! defence, the attacker and the evaluation get. [`Manifest`] is what reports say about both.

pub mod arrays;
mod binary_features;
mod cifar;
pub mod classes;
mod data_set;
mod find;
pub mod generated;
mod hash;
mod idx;
mod lira_layout;
mod manifest;
mod picture_folders;
mod source;
mod split;
mod table;

pub use data_set::{DataSet, Encoding};
pub use hash::file_hash;
pub use lira_layout::{ShadowModels, Target, with_out_models};
pub use manifest::Manifest;
pub use source::Source;
pub use split::Split;
pub use table::{Column, Table};
