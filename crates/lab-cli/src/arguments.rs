//! The command line.

use crate::attack::Attack;
use crate::audit::Audit;
use crate::guard::Guard;
use crate::lab::Lab;
use crate::verify::Verify;
use clap::{Parser, Subcommand};
use trefoil_party::PartyArguments;
use trefoil_term::Tone;

/// Measures what leaks: attacks on membership, guards against them, experiments, the audit of protocols and of the checks of servers.
///
/// `trefoil attack`, `lab`, `audit`, `guard train`, `guard tune`, `verify attack-demo` and `verify fingerprint measure` run this program.
///
/// Exit codes: 0 done, 1 failed, 2 misused, 3 a finding: something leaks.
#[derive(Debug, Parser)]
#[command(name = "trefoil-lab", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) tone: Tone,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure how much a model's outputs say about its training data
    Attack(Box<Attack>),
    /// Run experiments on membership inference: train, defend, attack, report
    Lab(Lab),
    /// Test whether what a party receives depends on secrets, and show what a leak looks like
    Audit(Audit),
    /// Make and tune guards against membership inference
    Guard(Guard),
    /// Count what the checks of untrusted servers catch
    Verify(Verify),
    /// A server of an experiment
    #[command(hide = true)]
    Party(PartyArguments),
}
