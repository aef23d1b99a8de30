//! `trefoil lab`: whole experiments on membership inference.

mod curve;
mod options;
mod paper;
mod run;
mod teller;

use crate::Failure;
use clap::{Args, Subcommand};

/// Options of `trefoil lab`.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Train a model, defend it, attack it, and report: all that a configuration says
    Run(run::Run),
    /// Try maps of answers that keep the order of the classes: what leaks through each, and what its answers are good for
    Curve(curve::Curve),
    /// Make `SIGuard`'s tables and figures anew, each beside what the paper prints
    Paper(paper::Paper),
}

/// Do what was asked.
pub(crate) fn run(arguments: &Lab, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        LabCommand::Run(run) => run.run(json),
        LabCommand::Curve(curve) => curve.run(json),
        LabCommand::Paper(paper) => paper.run(json),
    }
}
