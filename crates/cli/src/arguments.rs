//! The command line.

use crate::bench::Bench;
use crate::demo::Demo;
use crate::estimate::Estimate;
use crate::forward::Forward;
use crate::guard::Guard;
use crate::infer::Infer;
use crate::inspect::Inspect;
use crate::verify::Verify;
use clap::{Parser, Subcommand};
use trefoil_party::{Keys, PartyArguments};

/// Answers queries to a neural network on three servers, none of which sees query, model or answer.
///
/// Exit codes: 0 done, 1 failed, 2 misused, 3 answers rejected by a verification.
#[derive(Debug, Parser)]
#[command(name = "trefoil", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// Print results as JSON on standard output, and errors as {"error", "help"} on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run an ONNX model on samples: in the clear, in fixed point, or on three parties
    Infer(Box<Infer>),
    /// Show a model's layers: shapes, parameters, rounds, bytes and memory
    Inspect(Inspect),
    /// Predict how long a model takes on a network
    Estimate(Estimate),
    /// Be one of the three parties
    Party(PartyArguments),
    /// Make keys and configuration files for three parties and a client
    Keys(Keys),
    /// Test whether what a party receives depends on secrets, and show what a leak looks like (trefoil-lab)
    #[command(disable_help_flag = true)]
    Audit(Forward),
    /// Measure protocols: time, rounds and bytes
    Bench(Bench),
    /// Measure how much a model's outputs say about its training data (trefoil-lab)
    #[command(disable_help_flag = true)]
    Attack(Forward),
    /// Run experiments on membership inference: train, defend, attack, report (trefoil-lab)
    #[command(disable_help_flag = true)]
    Lab(Forward),
    /// Show it all: three processes over TLS read drawn digits that none of them sees
    Demo(Demo),
    /// Plan checks of untrusted servers, fingerprint models, see what cheating is caught
    Verify(Verify),
    /// Guard answers against membership inference
    Guard(Guard),
}
