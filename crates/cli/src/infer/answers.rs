//! What `trefoil infer` tells about a run.

use crate::{Failure, print, summary};
use serde::Serialize;
use trefoil::{Backend, Check, LayerCheck, Link, RangeReport, SampledCheck};
use trefoil_serve::Report;

/// A run, as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// Where the answers are.
    pub(super) output: String,
    /// What computed them.
    pub(super) backend: Backend,
    /// What connected the parties of this machine.
    pub(super) link: Option<Link>,
    /// The file of the running parties that were used.
    pub(super) parties: Option<String>,
    /// The file of the guard over the answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) guard: Option<String>,
    /// The emulated network.
    pub(super) network: Option<String>,
    /// Bits of the ring; none in the clear.
    pub(super) ring: Option<u32>,
    /// Bits after the binary point; none in the clear.
    pub(super) fraction_bits: Option<u32>,
    /// Samples answered.
    pub(super) samples: usize,
    /// The files of a folder of pictures, in the order of the answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<String>,
    /// Samples at once.
    pub(super) batch: usize,
    /// Time, rounds and bytes.
    #[serde(flatten)]
    pub(super) report: Report,
    /// Distance from the run in the clear.
    #[serde(flatten)]
    pub(super) check: Option<Check>,
    /// Distance from the run in the clear of the samples that are compared by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sampled_check: Option<SampledCheck>,
    /// Whether the user forwent any comparison.
    pub(super) unchecked: bool,
    /// How answers name classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels_by: Option<String>,
    /// The layers that the client applied in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_scaling: Option<Vec<String>>,
    /// Distance of every layer from the run in the clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layers: Option<Vec<LayerCheck>>,
    /// How far the model's numbers reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ranges: Option<RangeReport>,
    /// Share of the pictures whose label is the true one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) accuracy: Option<f64>,
    /// What looks wrong about the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) labels_doubt: Option<String>,
}

impl Told {
    /// Print a summary for people.
    ///
    /// # Errors
    /// If standard output is closed.
    pub(super) fn print(&self, timings: bool) -> Result<(), Failure> {
        let report = &self.report;
        if timings {
            print::line(summary::phases(&report.phases).trim_fmt())?;
            print::line("")?;
        }
        print::line(format!(
            "{} in {} ({} at once), after a set-up of {}",
            print::count(self.samples, "sample"),
            print::time(report.wall_s),
            self.batch,
            print::time(report.setup_s)
        ))?;
        if self.backend == Backend::Secure {
            print::line(summary::sent(report.rounds, report.bytes_sent_per_party))?;
        }
        if let Some(layers) = &self.layers {
            summary::layers(layers)?;
        }
        if let Some(steps) = &self.public_scaling {
            print::line(format!(
                "scaled by the client, in the clear: {}",
                steps.join(", ")
            ))?;
        }
        if let Some(check) = &self.check {
            let labels = check.label_agreement.map_or_else(String::new, |share| {
                format!("{} of the labels agree, ", percent(share))
            });
            print::line(format!(
                "against the run in the clear: {labels}largest error {:.2e}, mean {:.2e}",
                check.max_abs_error, check.mean_abs_error
            ))?;
        } else if let Some(sampled) = &self.sampled_check {
            print::line(format!(
                "{} compared with the clear: largest error {:.2e}, allowed {:.2e}",
                print::count(sampled.samples, "answer"),
                sampled.max_abs_error,
                sampled.allowed
            ))?;
        } else if self.unchecked {
            print::line("no answer was compared with the clear (--no-check)")?;
        }
        if let Some(by) = &self.labels_by {
            print::line(format!("labels: {by}"))?;
        }
        if let Some(accuracy) = self.accuracy {
            print::line(format!("accuracy: {}", percent(accuracy)))?;
        }
        if let Some(doubt) = &self.labels_doubt {
            print::line(format!("warning: the labels: {doubt}"))?;
        }
        if let [first, .., last] = &self.files[..] {
            print::line(format!(
                "answers are in the natural order of the files' names, from {first} to {last}"
            ))?;
        }
        print::line(format!("answers: {}", self.output))
    }
}

/// A share in percent, never rounded up to all.
fn percent(share: f64) -> String {
    format!("{:.2} %", (share * 1e4).floor() / 1e2)
}
