//! What each attack says about each record, as a file.

use super::read::Loaded;
use std::fmt::Write;
use trefoil_lab::Sides;
use trefoil_lab::attacks::{Outputs, Verdict};

/// Scores of one side, and decisions if there are some.
type Of = fn(&Verdict) -> (&[f64], Option<&[bool]>);

/// A table, a line for each record and attack: where the record stands in its file, its side, its label and the predicted
/// one, the attack, its score, and its verdict if it decides.
pub(super) fn table(loaded: &Loaded, verdicts: &[Verdict]) -> String {
    let mut text = "record,side,label,predicted,attack,score,verdict\n".to_owned();
    let sides = [
        (
            "member",
            &loaded.records.members,
            &loaded.target.members,
            members as Of,
        ),
        (
            "non-member",
            &loaded.records.nonmembers,
            &loaded.target.nonmembers,
            nonmembers as Of,
        ),
    ];
    for (side, records, outputs, of) in sides {
        let predicted = outputs.predicted();
        for verdict in verdicts {
            let (scores, decisions) = of(verdict);
            for (row, record) in records.iter().enumerate() {
                let decision = decisions.map_or("", |decisions| {
                    if decisions[row] {
                        "member"
                    } else {
                        "non-member"
                    }
                });
                // A string takes every write.
                let _ = writeln!(
                    text,
                    "{record},{side},{},{},{},{},{decision}",
                    label(outputs, row),
                    predicted[row],
                    verdict.attack,
                    scores[row],
                );
            }
        }
    }
    text
}

fn label(outputs: &Outputs, row: usize) -> String {
    if outputs.labelled() {
        outputs.labels()[row].to_string()
    } else {
        String::new()
    }
}

fn members(verdict: &Verdict) -> (&[f64], Option<&[bool]>) {
    let decisions = verdict.decisions.as_ref().map(Sides::as_ref);
    (
        &verdict.scores.members,
        decisions.map(|sides| &sides.members[..]),
    )
}

fn nonmembers(verdict: &Verdict) -> (&[f64], Option<&[bool]>) {
    let decisions = verdict.decisions.as_ref().map(Sides::as_ref);
    (
        &verdict.scores.nonmembers,
        decisions.map(|sides| &sides.nonmembers[..]),
    )
}
