//! `trefoil lab curve`: leakage against use of maps that keep the order of the classes.

use super::options::Experiment;
use super::teller::Teller;
use crate::{Failure, print};
use clap::Args;
use serde_json::json;
use std::time::Instant;
use trefoil_lab::maps::Family;
use trefoil_lab::pipeline::{Progress, curve};

/// Targets, unless the configuration or the user says how many.
const SEEDS: usize = 5;

/// Options of `trefoil lab curve`.
#[derive(Debug, Args)]
pub(super) struct Curve {
    #[command(flatten)]
    experiment: Experiment,
}

impl Curve {
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let opened = self.experiment.open("curve", Some(SEEDS))?;
        let teller = Teller::new(json);
        let tell = |progress: Progress<'_>| teller.tell(progress);
        let (config, cache) = (&opened.config, &opened.cache);
        let mut report = curve(config, Family::TRIED, &opened.data, cache, &tell)?;
        let command: Vec<String> = std::env::args().collect();
        report.fact("command", command.join(" "));
        report.fact("scale", opened.scale.name());
        let page = report.write(&opened.output)?;
        drop(teller);
        let seconds = start.elapsed().as_secs_f64();
        if json {
            return print::json(&json!({
                "report": page.display().to_string(),
                "seconds": seconds,
                "curve": report.data.get("curve"),
            }));
        }
        print::line(report.terminal())?;
        print::line(format!(
            "\nreport: {} (after {seconds:.0} s; a second run takes what is there)",
            page.display()
        ))
    }
}
