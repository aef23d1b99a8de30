//! `trefoil verify`: plans of mixes, fingerprints of models, and what cheats them.

use crate::Failure;
use crate::verify_attack::{self, AttackDemo};
use crate::verify_fingerprint::{self, CheckFingerprint, MakeFingerprint};
use crate::verify_measure::{self, MeasureFingerprint};
use crate::verify_plan::{self, PlanMix};
use crate::verify_replay::{self, ReplaySome};
use clap::{Args, Subcommand};

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
    /// Cheat in every way that the checks are meant to catch, and count how often that passes
    AttackDemo(AttackDemo),
}

#[derive(Debug, Subcommand)]
enum FingerprintCommand {
    /// Search probes for a model, and record its answers to them
    Make(MakeFingerprint),
    /// Ask deployed servers the probes, and compare: exit code 3 if the model differs
    Check(CheckFingerprint),
    /// Tamper with a model in many ways, and count how often probes notice
    Measure(MeasureFingerprint),
}

/// Do it.
pub(crate) fn run(arguments: &Verify, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        VerifyCommand::Plan(plan) => verify_plan::run(plan, json),
        VerifyCommand::Fingerprint(FingerprintCommand::Make(make)) => {
            verify_fingerprint::make(make, json)
        }
        VerifyCommand::Fingerprint(FingerprintCommand::Check(check)) => {
            verify_fingerprint::check(check, json)
        }
        VerifyCommand::Fingerprint(FingerprintCommand::Measure(measure)) => {
            verify_measure::run(measure, json)
        }
        VerifyCommand::Replay(some) => verify_replay::run(some, json),
        VerifyCommand::AttackDemo(demo) => verify_attack::run(demo, json),
    }
}
