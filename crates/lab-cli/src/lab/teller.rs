//! What goes on, and the parties that check it.

use crate::options::ask_three;
use crate::{Bar, print};
use ndarray::Array2;
use std::io::{IsTerminal, stderr};
use trefoil::Link;
use trefoil_lab::pipeline::{Parties, Progress, Sample};

/// Tells the user what goes on: a bar on a terminal, lines elsewhere.
pub(super) struct Teller {
    bar: Bar,
    lines: bool,
}

impl Teller {
    /// Also where nobody watches, unless a program reads what is told.
    pub(super) fn new(json: bool) -> Self {
        Self {
            bar: Bar::new("starting"),
            lines: !json && !stderr().is_terminal(),
        }
    }

    pub(super) fn tell(&self, progress: Progress<'_>) {
        let (text, line) = match progress {
            Progress::Stage(stage) => (stage.to_owned(), true),
            Progress::Epoch(what, epoch) => {
                let text = format!(
                    "{what}: epoch {} of {}, loss {:.4}, {:.0} records/s",
                    epoch.number, epoch.of, epoch.loss, epoch.throughput
                );
                let tenth = (epoch.of / 10).max(1);
                (text, epoch.number % tenth == 0)
            }
        };
        if self.lines && line {
            // Nobody is left to tell if standard error is closed.
            print::aside(&text);
        }
        self.bar.say(text);
    }
}

/// Three threads of this process that answer a sample.
#[derive(Default)]
pub(super) struct ThreeParties;

impl Parties for ThreeParties {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String> {
        let model = (&sample.deployed.plan, &sample.deployed.weights);
        let (rows, _) = ask_three(Link::Memory, model, sample.guard, &sample.queries)?;
        Ok(rows)
    }
}
