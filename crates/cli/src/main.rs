//! Private inference on three servers, from the command line.

mod arguments;
mod bench;
mod complete;
mod demo;
mod estimate;
mod forward;
mod guard;
mod he;
mod infer;
mod inspect;
mod service;
mod subject;
mod unused;
mod verify;

use arguments::{Arguments, Command};
use clap::FromArgMatches;
use std::process::ExitCode;
use trefoil_term::print::warn;
use trefoil_term::unused::refuse_unused;
use trefoil_term::{
    Bar, Bars, Destination, Failure, Inputs, OutputFolder, options, print, refuse, summary,
    write_private,
};

/// Tell a user whose parties all ran on this machine.
fn notice(deployed: &options::DeployOptions) -> Result<(), Failure> {
    deployed.notice().map_or(Ok(()), print::line)
}

fn main() -> ExitCode {
    let parsed = arguments::command()
        .try_get_matches()
        .and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
    let (arguments, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    // It may stand among the options of a command that is passed on.
    let json = arguments.tone.json || std::env::args_os().any(|argument| argument == "--json");
    let taken = arguments.tone.set();
    if let Err(failure) = taken.and_then(|()| refuse_unused(unused::RULES, &matches)) {
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
        Command::Audit(forward) => forward.run(&["audit"], json),
        Command::Ask(ask) => service::ask(&ask, json),
        Command::Model(model) => service::model(&model, json),
        Command::Doctor(doctor) => service::doctor(&doctor, json),
        Command::Serve(serve) => trefoil_party::serve_station(&serve, json).map_err(Failure::from),
        Command::Access(access) => trefoil_party::access(&access, json).map_err(Failure::from),
        Command::Setup(setup) => trefoil_party::setup(&setup, json).map_err(Failure::from),
        Command::Bench(bench) => bench::run(&bench, json),
        Command::Lab(forward) => forward.run(&["lab"], json),
        Command::Attack(forward) => forward.run(&["attack"], json),
        Command::Demo(demo) => demo::run(&demo, json),
        Command::Guard(guard) => guard::run(&guard, json),
        Command::He(arguments) => he::run(&arguments, json),
        Command::Verify(verify) => verify::run(&verify, json),
        Command::Completions(shell) => complete::completions(&shell, arguments::command()),
        Command::Man(pages) => complete::man(&pages, arguments::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
