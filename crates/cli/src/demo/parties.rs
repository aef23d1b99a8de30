//! Three parties that answer for the experiment, and who watches it.

use crate::options::ask_three;
use crate::{Bar, Failure};
use ndarray::Array2;
use std::path::{Path, PathBuf};
use trefoil::Link;
use trefoil_lab::pipeline::{Outcome, Parties, Progress, Sample};
use trefoil_lab::report::write_whole;
use trefoil_serve::Report;

/// Tells the user what goes on, on a terminal.
pub(super) struct Teller {
    bar: Bar,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self {
            bar: Bar::new("starting"),
        }
    }

    // The lab knows epochs, too, where it is built to train; the demo trains nothing.
    #[allow(irrefutable_let_patterns)]
    pub(super) fn tell(&self, progress: Progress<'_>) {
        if let Progress::Stage(stage) = progress {
            self.bar.say(stage.to_owned());
        }
    }
}

/// Three processes over TLS that answer a sample.
#[derive(Default)]
pub(super) struct ThreeParties {
    /// What the last answers cost.
    pub(super) report: Report,
}

impl Parties for ThreeParties {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String> {
        let model = (&sample.deployed.plan, &sample.deployed.weights);
        let (rows, report) = ask_three(Link::Tls, model, sample.guard, &sample.queries)?;
        self.report = report;
        Ok(rows)
    }
}

/// Write the report, the model and its guard to `folder`; the report's page.
///
/// # Errors
/// If one cannot be written.
pub(super) fn write(outcome: &Outcome, folder: &Path) -> Result<PathBuf, Failure> {
    let page = outcome.report.write(folder).map_err(Failure::new)?;
    write_whole(&folder.join("target.onnx"), &outcome.target).map_err(Failure::new)?;
    outcome
        .guard
        .save(&folder.join("guard.safetensors"))
        .map_err(Failure::new)?;
    Ok(page)
}
