//! The command line.

use crate::Failure;
use crate::attack::Attack;
use crate::audit::Audit;
use crate::bench::Bench;
use crate::demo::Demo;
use crate::estimate::Estimate;
use crate::guard::Guard;
use crate::infer::Infer;
use crate::inspect::Inspect;
use crate::lab::Lab;
use crate::verify::Verify;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
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
    /// Run an ONNX model on pictures: in the clear, in fixed point, or on three parties
    Infer(Infer),
    /// Show a model's layers: shapes, parameters, rounds, bytes and memory
    Inspect(Inspect),
    /// Predict how long a model takes on a network
    Estimate(Estimate),
    /// Be one of the three parties
    Party(PartyArguments),
    /// Make keys and configuration files for three parties and a client
    Keys(Keys),
    /// Test whether what a party receives depends on secrets, and show what a leak looks like
    Audit(Audit),
    /// Measure protocols: time, rounds and bytes
    Bench(Bench),
    /// Measure how much a model's outputs say about its training data
    Attack(Box<Attack>),
    /// Run experiments on membership inference: train, defend, attack, report
    Lab(Lab),
    /// Show it all: three processes over TLS read drawn digits that none of them sees
    Demo(Demo),
    /// Plan checks of untrusted servers, fingerprint models, see what cheating is caught
    Verify(Verify),
    /// Guard answers against membership inference
    Guard(Guard),
}

/// Print what `clap` has to say, and give the exit code.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    let asked = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    // The arguments could not be read, so neither could the flag.
    if !asked && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let message = message.trim_start_matches("error: ");
        return Failure::misuse(message).help(help.trim()).report(true);
    }
    // Nobody is left to tell if the standard streams are closed.
    let _ = error.print();
    ExitCode::from(if asked { 0 } else { 2 })
}
