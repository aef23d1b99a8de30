//! `trefoil guard`: make, tune and apply the guard of a model's answers.

mod apply;

use crate::Failure;
use crate::forward::Forward;
use clap::{Args, Subcommand};

/// Options of `trefoil guard`.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    #[command(subcommand)]
    command: GuardCommand,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Train a guard: a membership classifier to deceive, or a table of average answers (trefoil-lab)
    #[command(disable_help_flag = true)]
    Train(Forward),
    /// Choose number and length of SIGuard's steps on a grid, in fixed point (trefoil-lab)
    #[command(disable_help_flag = true)]
    Tune(Forward),
    /// Turn logits into guarded confidences: in the clear, in fixed point, or on three parties
    Apply(apply::Apply),
}

/// Do what was asked.
pub(crate) fn run(arguments: &Guard, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        GuardCommand::Train(train) => train.run(&["guard", "train"], json),
        GuardCommand::Tune(tune) => tune.run(&["guard", "tune"], json),
        GuardCommand::Apply(apply) => apply::run(apply, json),
    }
}
