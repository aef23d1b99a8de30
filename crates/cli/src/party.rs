//! `trefoil party`: one of the three services.

use crate::{Failure, inputs, print};
use clap::Args;
use serde_json::{Value, json};
use std::io::{Write, stderr};
use std::path::PathBuf;
use trefoil_serve::{Event, PartyFile, Service};

/// Options of `trefoil party`.
#[derive(Debug, Args)]
pub(crate) struct PartyArguments {
    /// The party's configuration, as `trefoil keys` writes it
    #[arg(long, value_name = "FILE", required_unless_present = "spawned")]
    config: Option<PathBuf>,
    /// Serve the program that started this one, with settings from standard input
    #[arg(long, hide = true, conflicts_with = "config")]
    spawned: bool,
}

/// Serve session after session, telling of each on standard error (with `--json`, as one object a
/// line on standard output).
pub(crate) fn run(arguments: &PartyArguments, json: bool) -> Result<(), Failure> {
    let Some(config) = &arguments.config else {
        // Whoever started this process reports for it.
        return Ok(Service::spawned()?.run(&mut |_| ())?);
    };
    inputs::regular(config)?;
    let file = PartyFile::load(config)
        .map_err(|error| Failure::new(error).help("make configuration files with: trefoil keys"))?;
    let mut service = Service::new(&file).map_err(|error| {
        Failure::new(error)
            .help("if the port is in use, stop the program that holds it or choose another address")
    })?;
    Ok(service.run(&mut |event| tell(&event, json))?)
}

/// A service goes on when nobody listens to what it tells.
fn tell(event: &Event, json: bool) {
    if json {
        let _ = print::json(&record(event));
    } else {
        let _ = writeln!(stderr(), "{event}");
    }
}

fn record(event: &Event) -> Value {
    let kind = match event {
        Event::Listening(_) => "listening",
        Event::SessionStarted { .. } => "session started",
        Event::SessionDone { .. } => "session done",
        Event::SessionFailed { .. } => "session failed",
        Event::TurnedAway { .. } => "turned away",
    };
    json!({ "event": kind, "message": event.to_string() })
}
