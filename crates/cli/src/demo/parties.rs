//! Three parties that answer for the experiment, and who watches it.

use crate::Bar;
use crate::options::ask_three;
use ndarray::Array2;
use trefoil::Link;
use trefoil_lab::pipeline::{Parties, Progress, Sample};
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
