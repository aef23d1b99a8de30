//! Rewriting a network into a cheaper one that computes the same.
//!
//! Constants are folded, and Identity and Dropout dropped, while nodes are read. No pass looks at
//! the value of a weight to decide anything: the plan would tell it.

mod affine;
mod common;
mod dead;
mod layout;
mod pool_first;

use crate::network::Network;

/// Run all passes.
pub(crate) fn optimise(network: &mut Network) {
    dead::remove(network);
    common::merge(network);
    layout::join(network);
    affine::fold_into_producer(network);
    affine::fold_into_consumer(network);
    pool_first::reorder(network);
    dead::remove(network);
}
