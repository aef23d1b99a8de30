//! `trefoil party`: one of the three services.

use crate::{Failure, inputs, print};
use clap::Args;
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use trefoil_net::{Role, SessionError};
use trefoil_serve::{Event, PartyFile, ServeError, Service, Stopper};

/// How long a stopped party may take to tell its peers and its client.
const FAREWELL: Duration = Duration::from_secs(5);

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
    let role = file.role();
    let mut service = Service::new(&file).map_err(|error| refused(error, role))?;
    heed_signals(service.stopper())?;
    Ok(service.run(&mut |event| tell(&event, role, json))?)
}

/// Why a party does not start, with what to do about it.
fn refused(error: ServeError, role: Role) -> Failure {
    let index = role.index();
    let help = match &error {
        ServeError::Connection(SessionError::Bind { .. }) => {
            "stop the program that holds the address, or choose another `listen` address".to_owned()
        }
        ServeError::Connection(
            SessionError::Identity { .. } | SessionError::Certificate { .. },
        ) => format!(
            "this party needs party{index}.crt and party{index}.key beside its file, as `trefoil keys` made them"
        ),
        _ => return Failure::new(error),
    };
    Failure::new(error).help(help)
}

/// End well when asked to. The first process of a container gets no other treatment of these signals than the one
/// it sets up: without this it would go on.
fn heed_signals(stopper: Stopper) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot heed signals: {error}"));
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
fn tell(event: &Event, role: Role, json: bool) {
    let time = now();
    if json {
        let _ = print::json(&record(event, role, &time));
    } else {
        let _ = writeln!(stderr(), "{time} {role}: {event}");
    }
}

/// The time in UTC, to the second.
fn now() -> String {
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
    json!({ "time": time, "party": role.index(), "event": kind, "message": event.to_string() })
}
