//! Private inference on three servers, from the command line.

mod answers;
mod arguments;
mod arrays;
mod attack;
mod audit;
mod bench;
mod check;
mod demo;
mod estimate;
mod failure;
mod files;
mod forecast;
mod guard;
mod infer;
mod inputs;
mod inspect;
mod lab;
mod layers;
mod local;
mod memory;
mod model;
mod options;
mod outputs;
mod precision;
mod price;
mod print;
mod progress;
mod ranges;
mod recipe;
mod spectrum;
mod summary;
mod tolerance;
mod unused;
mod verify;
mod verify_attack;
mod verify_doubts;
mod verify_fingerprint;
mod verify_measure;
mod verify_plan;
mod verify_replay;
mod verify_servers;

use arguments::{Arguments, Command};
use clap::{CommandFactory, FromArgMatches};
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let parsed = Arguments::command()
        .try_get_matches()
        .and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
    let (arguments, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return arguments::refuse(&error),
    };
    let json = arguments.json;
    if let Err(failure) = unused::refuse(&matches) {
        return failure.report(json);
    }
    let done = match arguments.command {
        Command::Infer(infer) => infer::run(&infer, json),
        Command::Inspect(inspect) => inspect::run(&inspect, json),
        Command::Estimate(estimate) => estimate::run(&estimate, json),
        Command::Party(party) => trefoil_party::serve(&party, json).map_err(Failure::from),
        Command::Keys(keys) => {
            trefoil_party::keys(&keys, "trefoil party", json).map_err(Failure::from)
        }
        Command::Audit(audit) => audit::run(&audit, json),
        Command::Bench(bench) => bench::run(&bench, json),
        Command::Lab(lab) => lab::run(&lab, json),
        Command::Attack(attack) => attack::run(&attack, json),
        Command::Demo(demo) => demo::run(&demo, json),
        Command::Guard(guard) => guard::run(&guard, json),
        Command::Verify(verify) => verify::run(&verify, json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
