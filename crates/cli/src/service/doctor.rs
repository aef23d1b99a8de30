//! `trefoil doctor`: whether the three parties of a service answer, and agree.

use crate::options::ServiceOption;
use crate::{Bar, Failure, print, summary};
use clap::Args;
use serde_json::{Value, json};
use trefoil::{Health, Service};

/// Options of `trefoil doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    service: ServiceOption,
}

/// Look at each party, and say what differs and what to do.
pub(crate) fn run(arguments: &Doctor, json: bool) -> Result<(), Failure> {
    let mut service = arguments.service.open()?;
    let bar = Bar::new("looking at three parties");
    let parties = service.doctor();
    drop(bar);
    let faults = Service::faults(&parties);
    if json {
        let told: Vec<Value> = parties.iter().map(told).collect();
        print::json(&json!({ "parties": told, "faults": faults }))?;
    } else {
        let header = [
            "party",
            "answers",
            "release",
            "connected",
            "models",
            "clock",
        ];
        let mut table = summary::table(&header);
        for health in &parties {
            let mut cells = vec![health.role.index().to_string()];
            match &health.party {
                Ok(party) => cells.extend([
                    print::time(health.seconds),
                    party.release.clone(),
                    if party.connected { "yes" } else { "no" }.to_owned(),
                    party.models.len().to_string(),
                    format!("{:+} s", health.clock_ahead.unwrap_or_default()),
                ]),
                Err(_) => cells.extend(["no", "-", "-", "-", "-"].map(str::to_owned)),
            }
            table.add_row(cells);
        }
        print::line(table.trim_fmt())?;
        for fault in &faults {
            print::line(format!("- {fault}"))?;
        }
    }
    if faults.is_empty() {
        return if json {
            Ok(())
        } else {
            print::line("all three answer and agree")
        };
    }
    let first = faults.len();
    Err(
        Failure::found(format!("{} of the service", print::count(first, "fault")))
            .help("each line above says what to do"),
    )
}

fn told(health: &Health) -> Value {
    match &health.party {
        Ok(party) => json!({
            "role": health.role.index(),
            "seconds": health.seconds,
            "clock_ahead": health.clock_ahead,
            "party": party,
        }),
        Err(error) => json!({ "role": health.role.index(), "error": error }),
    }
}
