//! The second part of the demo: what answers say about the training data, without and with the guard.

use super::parties::{Teller, ThreeParties, write};
use crate::{Failure, OutputFolder, print, summary};
use serde_json::{Value, json};
use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trefoil_digits::Ink;
use trefoil_lab::attacks::{ATTACKS, Attacker};
use trefoil_lab::pipeline::{Evaluation, Outcome};
use trefoil_lab::showcase::{GUARDED, Showcase, UNGUARDED};
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
    let page = write(&outcome, place.make()?)?;
    Ok(Found {
        outcome,
        served: servers.report,
        page,
        folder: folder.to_owned(),
        took: start.elapsed(),
    })
}

/// Balanced accuracy of an attack, either way, in %.
fn reached(evaluation: &Evaluation, attack: &str, attacker: Attacker) -> Option<f64> {
    let all = &evaluation.results.attacks;
    let result = all
        .iter()
        .find(|result| result.attack == attack && result.attacker == attacker)?;
    let share = result.evaluation.balanced_accuracy.as_ref()?.value;
    Some(100.0 * share.max(1.0 - share))
}

impl Found {
    /// Answers without and with the guard.
    fn sides(&self) -> Option<(&Evaluation, &Evaluation)> {
        let named = |name: &str| self.outcome.evaluations.iter().find(|b| b.name == name);
        Some((named(UNGUARDED)?, named(GUARDED)?))
    }

    pub(super) fn to_json(&self) -> Value {
        let rows: Vec<Value> = self.rows().into_iter().map(|(row, _)| row).collect();
        json!({
            "attacks": rows,
            "label_only_floor": self.floor(),
            "accuracy": self.sides().and_then(|(plain, _)| plain.results.accuracy.as_ref()),
            "labels_changed": self.outcome.report.data.get("labels_changed"),
            "three_parties_difference": self.outcome.difference,
            "asked": ASKED,
            "served": self.served,
            "report": self.page.display().to_string(),
            "seconds": self.took.as_secs_f64(),
        })
    }

    fn floor(&self) -> Option<f64> {
        let (plain, _) = self.sides()?;
        let (most, _) = plain.results.floor.balanced_accuracy.as_ref()?;
        Some(100.0 * most)
    }

    /// What each attack reaches: without the guard, with it, and by an attacker who knows it.
    fn rows(&self) -> Vec<(Value, [String; 5])> {
        let Some((plain, guarded)) = self.sides() else {
            return Vec::new();
        };
        let text = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:.1}"));
        ATTACKS
            .iter()
            .filter_map(|attack| {
                let (attack, what) = (attack.name(), attack.decides_by());
                let values = [
                    reached(plain, attack, Attacker::Standard),
                    reached(guarded, attack, Attacker::Standard),
                    reached(guarded, attack, Attacker::Adaptive),
                ];
                // What the demo has no evidence for.
                if values.iter().all(Option::is_none) {
                    return None;
                }
                let [without, with, adaptive] = values;
                let row = json!({
                    "attack": attack, "without": without, "with": with, "adaptive": adaptive,
                });
                let [without, with, adaptive] = values.map(text);
                let cells = [attack.to_owned(), without, with, adaptive, what.to_owned()];
                Some((row, cells))
            })
            .collect()
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        let ink = Ink::here();
        print::line(
            ink.bold("Was this record part of the training data? Attacks ask the answers"),
        )?;
        if let Some((plain, _)) = self.sides()
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
        for (_, cells) in self.rows() {
            table.add_row(cells);
        }
        print::line(table.trim_fmt())?;
        print::line("balanced accuracy in %; 50 is guessing")?;
        if let Some(floor) = self.floor() {
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
