//! `trefoil lab run`: all that a configuration says.

use super::options::Experiment;
use super::teller::{Teller, ThreeParties};
use crate::{Failure, print};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trefoil_lab::pipeline::{Outcome, Parties, Progress, run as experiment};
use trefoil_lab::report::write_whole;

/// Options of `trefoil lab run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    experiment: Experiment,
    /// Do not compare a sample with three parties
    #[arg(long)]
    no_parties: bool,
}

impl Run {
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let opened = self.experiment.open("lab", None)?;
        let out = &opened.output;
        let teller = Teller::new(json);
        let mut parties = ThreeParties;
        let parties: Option<&mut dyn Parties> = if self.no_parties {
            None
        } else {
            Some(&mut parties)
        };
        let tell = |progress: Progress<'_>| teller.tell(progress);
        let mut outcome = experiment(&opened.config, &opened.data, &opened.cache, parties, &tell)?;
        teller.tell(Progress::Stage("drawing the report"));
        let command: Vec<String> = std::env::args().collect();
        outcome.report.fact("command", command.join(" "));
        outcome.report.fact("scale", opened.scale.name());
        let page = write(&outcome, out)?;
        if opened.config.export {
            outcome.write_answers(&out.join("answers"))?;
        }
        drop(teller);
        tell_result(&outcome, out, &page, start.elapsed(), json)
    }
}

fn tell_result(
    outcome: &Outcome,
    out: &Path,
    page: &Path,
    took: Duration,
    json: bool,
) -> Result<(), Failure> {
    if json {
        return print::json(&json!({
            "report": page.display().to_string(),
            "data": out.join("report.json").display().to_string(),
            "seconds": took.as_secs_f64(),
            "three_parties_difference": outcome.difference,
            "results": outcome.report.data.get("results"),
        }));
    }
    print::line(outcome.report.terminal())?;
    print::line(format!(
        "\nreport: {} (after {:.0} s; a second run takes what is there)",
        page.display(),
        took.as_secs_f64()
    ))?;
    print::line(format!(
        "model: {}   guard: {}",
        out.join("target.onnx").display(),
        out.join("guard.safetensors").display()
    ))
}

/// Write the report, the model and its guard to `folder`; the report's page.
///
/// # Errors
/// If one cannot be written.
fn write(outcome: &Outcome, folder: &Path) -> Result<PathBuf, Failure> {
    let page = outcome.report.write(folder)?;
    write_whole(&folder.join("target.onnx"), &outcome.target)?;
    outcome
        .guard
        .save(&folder.join("guard.safetensors"))
        .map_err(Failure::new)?;
    Ok(page)
}
