//! `trefoil verify`: plans of mixes, fingerprints of models, and what cheats them.

mod fingerprint;
mod plan;
pub(crate) mod replay;

use crate::Failure;
use crate::forward::Forward;
use clap::{Args, Subcommand};
use fingerprint::{CheckFingerprint, MakeFingerprint};
use plan::PlanMix;
use replay::ReplaySome;

/// Options of `trefoil verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Find the cheapest mix of copies and public samples for `trefoil infer --verify`
    Plan(PlanMix),
    /// Make or check a model's fingerprint: probes whose answers move when any weight moves
    #[command(subcommand)]
    Fingerprint(FingerprintCommand),
    /// Ask deployed servers queries, and compute some of the answers again, message by message: exit code 3 if a server
    /// deviated, which is named
    Replay(ReplaySome),
    /// Cheat in every way that the checks are meant to catch, and count how often that passes (trefoil-lab)
    #[command(disable_help_flag = true)]
    AttackDemo(Forward),
}

#[derive(Debug, Subcommand)]
enum FingerprintCommand {
    /// Search probes for a model, and record its answers to them
    Make(MakeFingerprint),
    /// Ask deployed servers the probes, and compare: exit code 3 if the model differs
    Check(CheckFingerprint),
    /// Tamper with a model in many ways, and count how often probes notice (trefoil-lab)
    #[command(disable_help_flag = true)]
    Measure(Forward),
}

/// Do it.
pub(crate) fn run(arguments: &Verify, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        VerifyCommand::Plan(plan) => plan::run(plan, json),
        VerifyCommand::Fingerprint(FingerprintCommand::Make(make)) => fingerprint::make(make, json),
        VerifyCommand::Fingerprint(FingerprintCommand::Check(check)) => {
            fingerprint::check(check, json)
        }
        VerifyCommand::Fingerprint(FingerprintCommand::Measure(measure)) => {
            measure.run(&["verify", "fingerprint", "measure"], json)
        }
        VerifyCommand::Replay(some) => replay::run(some, json),
        VerifyCommand::AttackDemo(demo) => demo.run(&["verify", "attack-demo"], json),
    }
}
