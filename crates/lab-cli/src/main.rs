//! What leaks, measured: the programs' command line for attacks, experiments and audits.

mod arguments;
mod attack;
mod audit;
mod failure;
mod guard;
mod lab;
mod print;
mod unused;
mod verify;

use arguments::{Arguments, Command};
use clap::{CommandFactory, FromArgMatches};
use failure::Failure;
use std::process::ExitCode;
use trefoil_term::unused::refuse_unused;
use trefoil_term::{Bar, Counter, Destination, Inputs, OutputFolder, options, refuse, summary};

fn main() -> ExitCode {
    let parsed = Arguments::command()
        .try_get_matches()
        .and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
    let (arguments, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    let json = arguments.tone.json;
    let taken = arguments.tone.set();
    if let Err(failure) = taken.and_then(|()| refuse_unused(unused::RULES, &matches)) {
        return failure.report(json);
    }
    let done = match arguments.command {
        Command::Attack(attack) => attack::run(&attack, json),
        Command::Lab(lab) => lab::run(&lab, json),
        Command::Audit(audit) => audit::run(&audit, json),
        Command::Guard(guard) => guard::run(&guard, json),
        Command::Verify(verify) => verify::run(&verify, json),
        Command::Party(party) => trefoil_party::serve(&party, json)
            .map_err(|refusal| trefoil_term::Failure::from(refusal).into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
