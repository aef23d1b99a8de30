//! `trefoil-lab guard`: make and tune the guard of a model's answers.

mod train;
mod tune;

use crate::Failure;
use clap::{Args, Subcommand};

/// Options of `trefoil-lab guard`.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(subcommand)]
    command: GuardCommand,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Train a guard: a membership classifier to deceive, or a table of average answers
    Train(train::Train),
    /// Choose number and length of SIGuard's steps on a grid, in fixed point
    Tune(tune::Tune),
}

/// Do what was asked.
pub(crate) fn run(arguments: &Guard, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        GuardCommand::Train(train) => train::run(train, json),
        GuardCommand::Tune(tune) => tune::run(tune, json),
    }
}
