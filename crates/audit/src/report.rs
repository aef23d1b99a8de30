//! An audit from beginning to end, and what it says.

use crate::attack::{Attack, Guess, Subject, attack};
use crate::{AuditError, Entry, LEVEL, Mutant, Test, Verdict, detectable, mutants, protocols};
use serde::Serialize;
use trefoil_net::Role;

/// What to audit, and how thoroughly.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs per party and secret.
    pub runs: usize,
    /// The seed from which everything follows.
    pub seed: u64,
    /// Protocols whose names contain one of these; all if empty.
    pub only: Vec<String>,
}

/// Where an audit is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Protocols done.
    pub done: usize,
    /// Protocols in all.
    pub all: usize,
    /// What is being audited.
    pub name: &'a str,
}

/// A positive control: a broken protocol, and whether it was caught.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// What is wrong with it.
    pub mistake: String,
    /// The test that must notice it.
    pub noticed_by: Test,
    /// Whether that test did.
    pub caught: bool,
    /// Each party's view.
    pub verdicts: Vec<Verdict>,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed from which everything follows.
    pub seed: u64,
    /// Runs per party and secret.
    pub runs: usize,
    /// A corrected p-value below this is a leak.
    pub level: f64,
    /// The smallest deviation of one word (Cramér's V) that 99 of 100 audits find.
    pub detectable_effect: f64,
    /// Each protocol of the product, from each party's side.
    pub protocols: Vec<Verdict>,
    /// Broken protocols.
    pub controls: Vec<Control>,
    /// What the break of SCSDF recovers, and what the same attack gets from the product.
    pub attacks: Vec<Attack>,
}

impl Report {
    /// Views of the product in which a leak was found.
    pub fn leaks(&self) -> impl Iterator<Item = &Verdict> {
        self.protocols.iter().filter(|verdict| verdict.leaks())
    }

    /// Parties of the product that tell signs better than chance.
    pub fn guessed(&self) -> impl Iterator<Item = (&Attack, &Guess)> {
        let guesses = |attack| -> Vec<(&Attack, &Guess)> {
            let attack: &Attack = attack;
            attack.guesses.iter().map(|guess| (attack, guess)).collect()
        };
        let all = self.attacks.iter().flat_map(guesses);
        all.filter(|(_, guess)| !guess.is_chance())
    }

    /// Broken protocols that were not caught.
    pub fn missed(&self) -> impl Iterator<Item = &Control> {
        self.controls.iter().filter(|control| !control.caught)
    }
}

/// Audit the product and the controls, and carry out the attack on `subjects`.
///
/// # Errors
/// If a protocol aborts, or no protocol has a name that was asked for.
pub fn run(
    options: &Options,
    subjects: &[Subject],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Report, AuditError> {
    let wanted = |entry: &Entry| {
        options.only.is_empty()
            || options
                .only
                .iter()
                .any(|part| entry.name.contains(part.as_str()))
    };
    let (mut entries, mut mutants) = (protocols()?, controls());
    let known: Vec<&str> = entries
        .iter()
        .chain(mutants.iter().map(|m| &m.entry))
        .map(|entry| entry.name)
        .collect();
    if let Some(name) = options
        .only
        .iter()
        .find(|part| !known.iter().any(|name| name.contains(part.as_str())))
    {
        return Err(AuditError::Unknown {
            name: name.clone(),
            known: known.join(", "),
        });
    }
    entries.retain(&wanted);
    mutants.retain(|mutant| wanted(&mutant.entry));
    let all = entries.len() + mutants.len() + subjects.len();
    let mut report = Report {
        seed: options.seed,
        runs: options.runs,
        level: LEVEL,
        detectable_effect: 1.0,
        protocols: Vec::new(),
        controls: Vec::new(),
        attacks: Vec::new(),
    };
    for (done, entry) in entries.iter().enumerate() {
        progress(Progress {
            done,
            all,
            name: entry.name,
        });
        report.protocols.extend(all_parties(entry, options)?);
    }
    for (done, mutant) in mutants.iter().enumerate() {
        progress(Progress {
            done: entries.len() + done,
            all,
            name: mutant.entry.name,
        });
        report.controls.push(control(mutant, options)?);
    }
    for (i, subject) in subjects.iter().enumerate() {
        let done = entries.len() + mutants.len() + i;
        let attacked = attack(subject, options.seed, &mut |step| {
            let name = &format!("{}: {step}", subject.name);
            progress(Progress { done, all, name });
        })?;
        report.attacks.push(attacked);
    }
    report.detectable_effect = power(&report);
    Ok(report)
}

/// All broken protocols of this crate.
fn controls() -> Vec<Mutant> {
    let mut all = mutants();
    all.extend(crate::insecure_scsdf::controls());
    all
}

fn all_parties(entry: &Entry, options: &Options) -> Result<Vec<Verdict>, AuditError> {
    Role::ALL
        .into_iter()
        .map(|party| entry.audit(party, options.runs, options.seed))
        .collect()
}

fn control(mutant: &Mutant, options: &Options) -> Result<Control, AuditError> {
    let verdicts = all_parties(&mutant.entry, options)?;
    let mut leaking = verdicts.iter().flat_map(Verdict::leaking);
    let caught = leaking.any(|finding| finding.test == mutant.noticed_by);
    Ok(Control {
        mistake: mutant.mistake.to_owned(),
        noticed_by: mutant.noticed_by,
        caught,
        verdicts,
    })
}

/// The deviation that the view with the most words still shows.
fn power(report: &Report) -> f64 {
    let words = report
        .protocols
        .iter()
        .flat_map(|verdict| &verdict.findings)
        .filter(|finding| finding.test == Test::Words)
        .map(|finding| finding.hypotheses)
        .max()
        .unwrap_or(1);
    let level = report.level / (words * Test::ALL.len()) as f64;
    detectable(report.runs, level)
}
