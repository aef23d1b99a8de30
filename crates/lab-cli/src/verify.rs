//! `trefoil-lab verify`: what cheats the checks of `trefoil verify`, counted.

mod cheats;
mod measure;

use crate::Failure;
use cheats::AttackDemo;
use clap::{Args, Subcommand};
use measure::MeasureFingerprint;

/// Options of `trefoil-lab verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Cheat in every way that the checks are meant to catch, and count how often that passes
    AttackDemo(AttackDemo),
    /// Fingerprints of models
    #[command(subcommand)]
    Fingerprint(FingerprintCommand),
}

#[derive(Debug, Subcommand)]
enum FingerprintCommand {
    /// Tamper with a model in many ways, and count how often probes notice
    Measure(MeasureFingerprint),
}

/// Do it.
pub(crate) fn run(arguments: &Verify, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        VerifyCommand::AttackDemo(demo) => cheats::run(demo, json),
        VerifyCommand::Fingerprint(FingerprintCommand::Measure(measure)) => {
            measure::run(measure, json)
        }
    }
}
