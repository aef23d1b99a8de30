//! `trefoil verify attack-demo`: cheating servers, counted.

use crate::Failure;
use clap::Args;

/// Options of `trefoil verify attack-demo`.
#[derive(Debug, Args)]
pub(crate) struct AttackDemo {}

/// Cheat, and print how often it passed.
pub(crate) fn run(_: &AttackDemo, _: bool) -> Result<(), Failure> {
    Ok(())
}
