//! The second part of the demo: what answers say about the training data, without and with the guard.

use super::parties::{Teller, ThreeParties};
use crate::{Failure, OutputFolder, print, summary};
use serde_json::{Value, json};
use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trefoil_digits::Ink;
use trefoil_lab::pipeline::Outcome;
use trefoil_lab::showcase::Showcase;
use trefoil_serve::Report;

/// Guarded answers that three parties are asked for.
const ASKED: usize = 50;

/// What the attacks found.
pub(super) struct Found {
    outcome: Outcome,
    served: Report,
    page: PathBuf,
    folder: PathBuf,
    took: Duration,
}

/// Ask three parties over TLS for guarded answers of a network that is part of this program, attack what it says of the records
/// that it was trained on, and write the report to `folder`.
pub(super) fn attack(seed: u64, folder: &Path) -> Result<Found, Failure> {
    let start = Instant::now();
    let mut place = OutputFolder::new("--report", folder)?;
    let mut servers = ThreeParties::default();
    let teller = Teller::new();
    let mut outcome = Showcase::shipped()
        .and_then(|showcase| {
            showcase.evaluate(seed, ASKED, Some(&mut servers), &|progress| {
                teller.tell(progress);
            })
        })
        .map_err(Failure::new)?;
    drop(teller);
    outcome.report.fact("command", "trefoil demo");
    let page = outcome.write(place.make()?).map_err(Failure::new)?;
    Ok(Found {
        outcome,
        served: servers.report,
        page,
        folder: folder.to_owned(),
        took: start.elapsed(),
    })
}

impl Found {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "attacks": self.outcome.reached(),
            "label_only_floor": self.outcome.label_floor(),
            "accuracy": self.outcome.sides().and_then(|(plain, _)| plain.results.accuracy.as_ref()),
            "labels_changed": self.outcome.report.data.get("labels_changed"),
            "three_parties_difference": self.outcome.difference,
            "asked": ASKED,
            "served": self.served,
            "report": self.page.display().to_string(),
            "seconds": self.took.as_secs_f64(),
        })
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        let ink = Ink::here();
        print::line(
            ink.bold("Was this record part of the training data? Attacks ask the answers"),
        )?;
        if let Some((plain, _)) = self.outcome.sides()
            && let Some(accuracy) = &plain.results.accuracy
        {
            print::line(format!(
                "a network trained on {} generated check-in records: right for {:.0} % of them and {:.0} % of others",
                plain.results.records.members,
                100.0 * accuracy.members,
                100.0 * accuracy.nonmembers,
            ))?;
        }
        print::line("")?;
        let mut table = summary::table(&[
            "attack",
            "unguarded",
            "guarded",
            "knows the guard",
            "decides by",
        ]);
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1}"));
        for row in self.outcome.reached() {
            let [without, with, adaptive] = [row.without, row.with, row.adaptive].map(text);
            let (attack, what) = (row.attack.to_owned(), row.decides_by.to_owned());
            table.add_row([attack, without, with, adaptive, what]);
        }
        print::line(table.trim_fmt())?;
        print::line("balanced accuracy in %; 50 is guessing")?;
        if let Some(floor) = self.outcome.label_floor() {
            print::line(format!(
                "labels alone: {floor:.1}; a guard of confidences changes nothing of that, and other attackers may reach more"
            ))?;
        }
        print::line("")?;
        print::line(ink.bold("The guard on three servers"))?;
        print::line(format!(
            "{} over TLS 1.3 in {}, {}; sent by each {}",
            print::count(ASKED, "guarded answer"),
            print::time(self.served.wall_s),
            print::count(self.served.rounds as usize, "round"),
            self.served
                .bytes_sent_per_party
                .map(print::bytes)
                .join(", "),
        ))?;
        if let Some(difference) = self.outcome.difference {
            print::line(format!(
                "largest difference to the same computation in one place {difference:.1e}"
            ))?;
        }
        if let Some(changed) = self.outcome.report.data.get("labels_changed") {
            print::line(format!("labels that the guard changed: {changed}"))?;
        }
        print::line("")?;
        print::line(format!("report: {}", self.page.display()))?;
        print::line(format!(
            "model and guard: {} and {} (for trefoil infer --guard)",
            self.folder.join("target.onnx").display(),
            self.folder.join("guard.safetensors").display(),
        ))
    }

    /// Show the report in a browser, where there is one and somebody to look.
    pub(super) fn open(&self) {
        if !stdout().is_terminal() {
            return;
        }
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let screen = !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY");
        if let (true, Ok(page)) = (screen, fs::canonicalize(&self.page)) {
            // The path is printed: nothing is lost where no browser starts.
            let _ = open::that_detached(page);
        }
    }
}
