//! Three parties that answer for the experiment, and who watches it.

use crate::options::start_client;
use crate::{Bar, Failure};
use ndarray::{Array2, Ix2};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil::Link;
use trefoil_guard::Guard;
use trefoil_lab::pipeline::{Outcome, Parties, Progress, Sample};
use trefoil_lab::report::write_whole;
use trefoil_lab::train::to_onnx;
use trefoil_serve::{Inference, Report};

/// How long to wait for a party.
const TIMEOUT: Duration = Duration::from_mins(10);

/// Tells the user what goes on, on a terminal.
pub(crate) struct Teller {
    bar: Bar,
}

impl Teller {
    /// On a terminal only.
    pub(crate) fn quiet() -> Self {
        Self {
            bar: Bar::new("starting"),
        }
    }

    pub(crate) fn tell(&self, progress: Progress<'_>) {
        let text = match progress {
            Progress::Stage(stage) => stage.to_owned(),
            Progress::Epoch(what, epoch) => format!(
                "{what}: epoch {} of {}, loss {:.4}, {:.0} records/s",
                epoch.number, epoch.of, epoch.loss, epoch.throughput
            ),
        };
        self.bar.say(text);
    }
}

/// Three parties that answer a sample: in this process, or processes over TLS.
pub(crate) struct ThreeParties {
    link: Link,
    /// What the last answers cost.
    pub(crate) report: Report,
}

impl ThreeParties {
    pub(crate) fn over(link: Link) -> Self {
        let report = Report::default();
        Self { link, report }
    }
}

impl Parties for ThreeParties {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String> {
        let bar = Bar::new("starting three parties");
        let client = start_client(self.link, None, TIMEOUT);
        let mut client = client.map_err(|failure| failure.to_string())?;
        let guard = Guard::Siguard(sample.guard.clone());
        let job = Inference {
            plan: &sample.deployed.plan,
            weights: &sample.deployed.weights,
            guard: Some(&guard),
            inputs: std::slice::from_ref(&sample.queries),
            observe: false,
        };
        let outcome = client
            .infer(&job, &mut |progress| bar.show(progress))
            .map_err(|error| error.to_string())?;
        self.report = outcome.report;
        let answers = outcome.outputs.into_iter().next();
        answers
            .ok_or("the parties returned no answer")?
            .into_dimensionality::<Ix2>()
            .map_err(|error| error.to_string())
    }
}

/// Write the report, the model and its guard to `folder`; the report's page.
///
/// # Errors
/// If one cannot be written.
pub(super) fn write(outcome: &Outcome, folder: &Path) -> Result<PathBuf, Failure> {
    let page = outcome.report.write(folder).map_err(Failure::new)?;
    let model = to_onnx(&outcome.target).map_err(Failure::new)?;
    write_whole(&folder.join("target.onnx"), &model).map_err(Failure::new)?;
    outcome
        .guard
        .save(&folder.join("guard.safetensors"))
        .map_err(Failure::new)?;
    Ok(page)
}
