//! `trefoil audit`: does what a party receives depend on secrets?

use crate::progress::Bar;
use crate::{Failure, print, summary};
use clap::Args;
use std::time::Instant;
use trefoil_audit::{AuditError, Control, Options, Report, Verdict};

/// Runs per party and secret of a full audit.
const FULL_RUNS: usize = 1024;
/// Runs per party and secret of a quick audit.
const QUICK_RUNS: usize = 256;

/// Options of `trefoil audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Take half a minute: fewer runs
    #[arg(long)]
    quick: bool,
    /// Audit only protocols whose name contains this (may be given several times)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Runs per party and secret [default: 1024, with --quick 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=100_000))]
    runs: Option<u32>,
    /// Seed of everything random in the experiments [default: from the operating system; printed]
    #[arg(long)]
    seed: Option<u64>,
}

/// Audit and print what was found.
pub(crate) fn run(arguments: &Audit, json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let bar = Bar::new("starting");
    let seed = match arguments.seed {
        Some(seed) => seed,
        None => getrandom::u64()
            .map_err(|error| Failure::new(format!("the system gives no randomness: {error}")))?,
    };
    let default = if arguments.quick {
        QUICK_RUNS
    } else {
        FULL_RUNS
    };
    let options = Options {
        runs: arguments.runs.map_or(default, |runs| runs as usize),
        seed,
        only: arguments.only.clone(),
    };
    let report = trefoil_audit::run(&options, &mut |progress| {
        bar.count(progress.done, progress.all, progress.name);
    })?;
    drop(bar);
    if json {
        print::json(&report)?;
    } else {
        print_tables(&report)?;
        print::line(format!(
            "seed {seed}, {}",
            print::time(start.elapsed().as_secs_f64())
        ))?;
    }
    judge(&report)
}

fn print_tables(report: &Report) -> Result<(), Failure> {
    let header = ["protocol", "party", "messages", "received", "p", "verdict"];
    let mut table = summary::table(&header);
    for verdict in &report.protocols {
        table.add_row(row(verdict));
    }
    if !report.protocols.is_empty() {
        print::line(table.trim_fmt())?;
        print::line("")?;
    }
    if !report.controls.is_empty() {
        let mut table = summary::table(&header);
        for verdict in report.controls.iter().flat_map(|c| &c.verdicts) {
            table.add_row(row(verdict));
        }
        print::line("controls: broken on purpose, each must leak")?;
        print::line(table.trim_fmt())?;
        print::line("")?;
    }
    print::line(conclusion(report))
}

fn row(verdict: &Verdict) -> Vec<String> {
    let judged = match verdict.leaking().first() {
        Some(finding) => format!("LEAK: {}", finding.test.complaint()),
        None if verdict.messages == 0 => "receives nothing".to_owned(),
        None => "no leak found".to_owned(),
    };
    vec![
        verdict.protocol.clone(),
        verdict.party.index().to_string(),
        verdict.messages.to_string(),
        print::bytes(verdict.bytes as u64),
        p_value(verdict.p()),
        judged,
    ]
}

/// A p-value with as many digits as it deserves.
fn p_value(p: f64) -> String {
    if p >= 0.001 {
        format!("{p:.3}")
    } else if p < 1e-300 {
        "< 1e-300".to_owned()
    } else {
        format!("{p:.0e}")
    }
}

fn conclusion(report: &Report) -> String {
    let (leaks, missed) = (report.leaks().count(), report.missed().count());
    let views = print::count(report.protocols.len(), "view");
    let controls = print::count(report.controls.len(), "control");
    format!(
        "{views} of the product, {leaks} with a leak; {controls}, {missed} missed. {} runs per view and \
         secret find deviations of a word from {:.3} on (Cramér's V, 99 of 100 times), at a false-alarm \
         probability of {:.0e} per view",
        report.runs, report.detectable_effect, report.level
    )
}

/// The exit code says whether the product is as it should be.
fn judge(report: &Report) -> Result<(), Failure> {
    if let Some(verdict) = report.leaks().next() {
        let message = format!("{} leaks to {}", verdict.protocol, verdict.party);
        return Err(Failure::new(message).help(format!(
            "run `trefoil audit --only \"{}\" --seed {} --json` for every test's result; \
             another seed tells a leak from a false alarm",
            verdict.protocol, verdict.seed
        )));
    }
    if let Some(Control { verdicts, .. }) = report.missed().next() {
        let name = verdicts.first().map_or("", |verdict| &verdict.protocol);
        return Err(
            Failure::new(format!("the audit missed its control `{name}`"))
                .help("use more --runs: with so few the audit finds too little"),
        );
    }
    Ok(())
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        let help = match &error {
            AuditError::Aborted { .. } => {
                "a protocol of the product does not work here at all; try again on a less busy machine"
            }
            AuditError::File { .. } => {
                "give the folder with the data sets by --data, or leave it out"
            }
            _ => return Self::new(error),
        };
        Self::new(error).help(help)
    }
}
