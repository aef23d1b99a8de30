//! One of the three parties of private inference.

use clap::{Parser, Subcommand};
use std::io::{Write, stderr};
use std::process::ExitCode;
use trefoil_party::{
    AccessArguments, Keys, PartyArguments, Refusal, ServeArguments, SetupArguments,
};

/// One of three parties that answer queries to a neural network and see neither query, model nor answer.
///
/// Exit codes: 0 done, 1 failed, 2 misused.
#[derive(Debug, Parser)]
#[command(name = "trefoil-party", version, propagate_version = true)]
struct Arguments {
    /// Print results and events as JSON on standard output, and errors as {"error", "help"} on standard error
    #[arg(long, global = true)]
    json: bool,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run one of the three servers, for owners and users
    Serve(ServeArguments),
    /// Say who may use a party: issue tokens, show and revoke them
    Access(AccessArguments),
    /// Make keys and configuration files for three parties that serve owners and users
    Setup(SetupArguments),
    /// Run one of the three servers, for clients who bring model and queries
    #[command(alias = "party")]
    Run(PartyArguments),
    /// Make keys and configuration files for three parties and a client
    Keys(Keys),
}

fn main() -> ExitCode {
    let Arguments { json, command } = Arguments::parse();
    let done = match command {
        Command::Serve(arguments) => trefoil_party::serve_station(&arguments, json),
        Command::Access(arguments) => trefoil_party::access(&arguments, json),
        Command::Setup(arguments) => trefoil_party::setup(&arguments, json),
        Command::Run(arguments) => trefoil_party::serve(&arguments, json),
        Command::Keys(arguments) => trefoil_party::keys(&arguments, "trefoil-party run", json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => report(&refusal, json),
    }
}

/// Tell the operator on standard error, and give the exit code.
fn report(refusal: &Refusal, json: bool) -> ExitCode {
    let Refusal {
        message,
        help,
        misuse,
    } = refusal;
    let text = if json {
        serde_json::json!({ "error": message, "help": help }).to_string()
    } else {
        let help = help.as_ref().map(|help| format!("\nhelp: {help}"));
        format!("error: {message}{}", help.unwrap_or_default())
    };
    // Nobody is left to tell if standard error is closed.
    let _ = writeln!(stderr(), "{text}");
    ExitCode::from(if *misuse { 2 } else { 1 })
}
