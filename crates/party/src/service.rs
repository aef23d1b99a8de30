//! One of the three services.

use crate::{Refusal, json};
use clap::Args;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use trefoil_net::Role;
use trefoil_serve::{Event, PartyFile, Service, Stopper, irregular};

/// How long a stopped party may take to tell its peers and its client.
const FAREWELL: Duration = Duration::from_secs(5);

/// Options of the command that serves.
#[derive(Debug, Args)]
pub struct PartyArguments {
    /// The party's configuration, as `trefoil keys` writes it
    #[arg(long, value_name = "FILE", required_unless_present = "spawned")]
    config: Option<PathBuf>,
    /// Serve the program that started this one, with settings from standard input
    #[arg(long, hide = true, conflicts_with = "config")]
    spawned: bool,
}

/// Serve session after session, telling of each on standard error (with `as_json`, as one object a line on standard output);
/// ends on SIGTERM and SIGINT.
///
/// # Errors
/// If the configuration does not fit, keys cannot be read, or the address cannot be listened on.
pub fn run(arguments: &PartyArguments, as_json: bool) -> Result<(), Refusal> {
    let Some(config) = &arguments.config else {
        // Whoever started this process reports for it.
        let served = Service::spawned().and_then(|mut service| service.run(&mut |_| ()));
        return served.map_err(Refusal::new);
    };
    regular(config)?;
    let file = PartyFile::load(config)
        .map_err(|error| Refusal::new(error).help("make configuration files with: trefoil keys"))?;
    let role = file.role();
    let mut service = Service::new(&file).map_err(|error| Refusal::of_start(error, role))?;
    heed_signals(service.stopper())?;
    let served = service.run(&mut |event| tell(&event, role, as_json));
    served.map_err(Refusal::new)
}

/// Check that `path` is a file or a folder if it is there: opening a named pipe waits until somebody writes to it, and a device
/// may never end.
///
/// # Errors
/// If it is something else.
pub(crate) fn regular(path: &Path) -> Result<(), Refusal> {
    let Some(what) = irregular(path) else {
        return Ok(());
    };
    let shown = path.display();
    Err(
        Refusal::new(format!("cannot read {shown}: it is {what}, not a file"))
            .help("save what comes out of it to a file first, and name that"),
    )
}

/// End well when asked to. The first process of a container gets no other treatment of these signals than the one
/// it sets up: without this it would go on.
fn heed_signals(stopper: Stopper) -> Result<(), Refusal> {
    let failed = |error: std::io::Error| Refusal::new(format!("cannot heed signals: {error}"));
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
    let heed = move || {
        for signal in signals.forever() {
            let name = if signal == SIGTERM {
                "SIGTERM"
            } else {
                "SIGINT"
            };
            stopper.stop(&format!("{name}: this party is being shut down"));
            // Whatever hangs is not waited for.
            std::thread::spawn(|| {
                std::thread::sleep(FAREWELL);
                std::process::exit(0);
            });
        }
    };
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(heed).map(drop).map_err(failed)
}

/// A service goes on when nobody listens to what it tells.
fn tell(event: &Event, role: Role, as_json: bool) {
    let time = now();
    if as_json {
        let _ = json(&record(event, role, &time));
    } else {
        let _ = writeln!(stderr(), "{time} {role}: {event}");
    }
}

/// The time in UTC, to the second.
pub(crate) fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    // A time of this age always has such a form.
    whole.format(&Rfc3339).unwrap_or_default()
}

fn record(event: &Event, role: Role, time: &str) -> Value {
    let kind = match event {
        Event::Listening(_) => "listening",
        Event::SessionStarted { .. } => "session started",
        Event::SessionDone { .. } => "session done",
        Event::SessionFailed { .. } => "session failed",
        Event::Stopped { .. } => "stopped",
        Event::TurnedAway { .. } => "turned away",
    };
    serde_json::json!({ "time": time, "party": role.index(), "event": kind, "message": event.to_string() })
}
