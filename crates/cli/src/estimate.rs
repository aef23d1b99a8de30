//! `trefoil estimate`: how long a model would take on a network.

use crate::options::seconds;
use crate::subject::{PricedModel, Subject};
use crate::{Bars, Failure, print, summary};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::num::NonZeroUsize;
use std::time::Duration;
use trefoil::estimate;
use trefoil::he::{Priced, backends};
use trefoil_net::NetworkProfile;

/// Options of `trefoil estimate`.
#[derive(Debug, Args)]
pub(crate) struct Estimate {
    #[command(flatten)]
    subject: Subject,
    /// The network between the parties: `lan` (0.1 ms one way, 10 Gbit/s), `wan` (10 ms, 100
    /// Mbit/s), or milliseconds and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    network: NetworkProfile,
    /// What is predicted: the three servers step by step, or all ways to run the model side by side, one encrypted server
    /// among them
    #[arg(long, value_enum, default_value_t = Backends::Three)]
    backends: Backends,
    /// Run the model too, on random pictures and the network emulated, and compare
    #[arg(long)]
    measure: bool,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

/// Which ways to run a model are predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backends {
    /// Three servers
    Three,
    /// In the clear, in fixed point, three servers, one encrypted server
    All,
}

/// Calibrate, predict, measure if asked to, and print.
pub(crate) fn run(arguments: &Estimate, json: bool) -> Result<(), Failure> {
    let priced = arguments.subject.price(None)?;
    let estimate = {
        let mut bars = Bars::new();
        estimate(
            &priced.model,
            arguments.network,
            arguments.measure,
            arguments.timeout,
            &mut |what, progress| bars.show(what, progress),
        )?
    };
    if arguments.backends == Backends::All {
        return side_by_side(&priced, &estimate, json);
    }
    let estimate = Estimated { priced, estimate };
    if json {
        estimate.print_json()
    } else {
        estimate.print_table()
    }
}

/// All ways to run a model in one table.
fn side_by_side(
    priced: &PricedModel,
    estimate: &trefoil::Estimate,
    json: bool,
) -> Result<(), Failure> {
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let ways = {
        let mut bars = Bars::new();
        let mut watch = |what, progress| bars.show(what, progress);
        backends(&priced.source, &priced.model, estimate, threads, &mut watch)?
    };
    if json {
        return print::json(&json!({
            "model": priced.file,
            "batch": priced.model.plan.batch,
            "network": estimate.network.to_string(),
            "backends": ways,
        }));
    }
    let mut table = summary::table(&[
        "backend",
        "time",
        "sent",
        "keys, once",
        "samples in that time",
    ]);
    for way in &ways {
        match &way.cost {
            Priced::Cost(cost) => table.add_row([
                way.backend.to_owned(),
                print::time(cost.seconds),
                print::bytes(cost.bytes),
                print::bytes(cost.key_bytes),
                cost.room.to_string(),
            ]),
            Priced::Refused { .. } => table.add_row([way.backend, "cannot", "", "", ""]),
        };
    }
    print::line(format!("{}; {}", priced.headline(), estimate.network))?;
    print::line(table.trim_fmt())?;
    for way in &ways {
        print::line(format!("{}: {}", way.backend, way.trust))?;
        if let Priced::Refused { refused } = &way.cost {
            print::line(format!("  cannot run this model: {refused}"))?;
        }
    }
    print::line(
        "clear and fixed: one run here. Three servers: as without --backends. One encrypted server: its operations, counted, times what one of each \
         takes here; polynomials of degree 2, 6 bits, calibrated on random samples in [0, 1]",
    )
}

/// All that there is to tell.
struct Estimated {
    priced: PricedModel,
    estimate: trefoil::Estimate,
}

impl Estimated {
    fn print_json(&self) -> Result<(), Failure> {
        let mut told = json!(self.estimate.summary(&self.priced.model));
        told["model"] = json!(self.priced.file);
        print::json(&told)
    }

    fn print_table(&self) -> Result<(), Failure> {
        let mut header = vec!["step", "layer", "rounds", "sent", "predicted"];
        if self.estimate.measured.is_some() {
            header.push("measured");
        }
        let mut table = summary::table(&header);
        let steps = self.estimate.steps.iter().zip(&self.estimate.predicted);
        for ((step, &predicted), measured) in steps.zip(self.estimate.measured_steps()) {
            let mut cells = vec![
                step.name.clone(),
                step.layer.to_owned(),
                step.rounds.to_string(),
                print::bytes(step.bytes_sent_per_party.iter().sum()),
                print::time(predicted),
            ];
            cells.extend(measured.map(print::time));
            table.add_row(cells);
        }
        let cost = self.priced.model.cost();
        let mut cells = vec![
            "in all".to_owned(),
            String::new(),
            cost.rounds.to_string(),
            print::bytes(cost.total_bytes()),
            print::time(self.estimate.seconds()),
        ];
        cells.extend(
            self.estimate
                .measured
                .iter()
                .map(|report| print::time(report.wall_s)),
        );
        table.add_row(cells);
        print::line(format!(
            "{}; {}",
            self.priced.headline(),
            self.estimate.network
        ))?;
        print::line(if self.estimate.rehearsal.is_some() {
            "rounds and bytes are exact; times are predicted from a run without a network, on this machine \
             for all three parties"
        } else {
            "rounds and bytes are exact; times are predicted from the speed of this machine, which \
             computes for all three parties (the model is too large to be run for it)"
        })?;
        print::line(table.trim_fmt())?;
        match self.estimate.error() {
            Some(error) => print::line(format!(
                "the prediction is {:.0} % {} what was measured, the fastest run",
                error.abs() * 100.0,
                if error < 0.0 { "below" } else { "above" }
            )),
            None => Ok(()),
        }
    }
}
