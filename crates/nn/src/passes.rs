//! Rewriting a network into a cheaper one that computes the same.
//!
//! Constants are folded, and Identity and Dropout dropped, while nodes are read. No pass looks at
//! the value of a weight to decide anything: the plan would tell it.

mod dead;

use crate::network::Network;

/// Run all passes. An error names the layer at which one failed.
pub(crate) fn optimise(network: &mut Network) -> Result<(), (String, String)> {
    dead::remove(network);
    Ok(())
}
