//! `trefoil bench --only guard`: what the guards cost, by variant, classes, steps and batch.

use super::Bench;
use crate::options::start;
use crate::{Bar, Failure, print, summary};
use clap::Args;
use serde::Serialize;
use std::num::NonZeroUsize;
use trefoil::Link;
use trefoil::bench::{self, Search};

/// Options of the guard's benchmark.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The guard")]
pub(crate) struct GuardBench {
    /// Classes, with --only guard
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "10")]
    classes: Vec<usize>,
    /// Searches and steps in each, with --only guard
    #[arg(long, value_name = "OUTERxINNER,..", value_delimiter = ',', default_value = "3x10", value_parser = steps)]
    steps: Vec<(u32, u32)>,
    /// Queries at once, with --only guard
    #[arg(long, value_name = "Q,..", value_delimiter = ',', default_value = "1")]
    queries: Vec<NonZeroUsize>,
    /// Hidden layers of the membership classifier, with --only guard
    #[arg(
        long,
        value_name = "N,..",
        value_delimiter = ',',
        default_value = "256,128,64"
    )]
    hidden: Vec<usize>,
    /// Leave SIGuard as printed out, with --only guard
    #[arg(long)]
    fast_only: bool,
}

fn steps(text: &str) -> Result<(u32, u32), String> {
    let parts = text
        .split_once('x')
        .and_then(|(outer, inner)| Some((outer.parse().ok()?, inner.parse().ok()?)));
    parts.ok_or_else(|| "searches and steps are expected, as in 3x10".to_owned())
}

/// One measurement.
#[derive(Debug, Serialize)]
struct Row {
    /// `Table`, or SIGuard's `Fast` or `Faithful`.
    variant: String,
    n: usize,
    #[serde(flatten)]
    search: Option<Search>,
    link: Link,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    batch: usize,
    /// Best of the repeats: from the first share of the logits to the last of the confidences.
    wall_s: f64,
    seconds: Vec<f64>,
    rounds: u32,
    bytes_per_party: [u64; 3],
}

/// Measure, and print.
pub(super) fn run(arguments: &Bench, json: bool) -> Result<(), Failure> {
    let wanted = &arguments.guard;
    let link = match arguments.link {
        Some(link) => link.into(),
        None if arguments.network.is_some() => Link::Memory,
        None => Link::Tls,
    };
    let search = |&(outer, inner): &(u32, u32)| Search {
        hidden: wanted.hidden.clone(),
        outer,
        inner,
    };
    let searches: Vec<Search> = wanted.steps.iter().map(search).collect();
    let bar = Bar::new("starting");
    let mut parties = start(link, arguments.network, arguments.timeout)?;
    let mut rows = Vec::new();
    for &n in &wanted.classes {
        let bits = arguments.format.fraction_bits;
        for guard in bench::guards(n, &searches, wanted.fast_only, bits)? {
            for queries in wanted.queries.iter().map(|q| q.get()) {
                bar.say(format!(
                    "{}, {n} classes, {queries} at once",
                    guard.variant.to_lowercase()
                ));
                let measured =
                    parties.measure_guard(&guard.guard, queries, arguments.repeat.get())?;
                rows.push(Row {
                    variant: guard.variant.clone(),
                    n,
                    search: guard.search.clone(),
                    link,
                    network: arguments.network.map(|network| network.to_string()),
                    batch: queries,
                    wall_s: measured.best(),
                    rounds: measured.rounds,
                    bytes_per_party: measured.bytes_sent_per_party,
                    seconds: measured.seconds,
                });
            }
        }
    }
    drop(bar);
    if json {
        return print::json(&serde_json::json!({ "guard": rows }));
    }
    table(&rows)
}

fn table(rows: &[Row]) -> Result<(), Failure> {
    let mut table = summary::table(&[
        "variant",
        "n",
        "steps",
        "at once",
        "best",
        "each",
        "rounds",
        "a step",
        "sent together",
        "each",
    ]);
    for row in rows {
        let bytes: u64 = row.bytes_per_party.iter().sum();
        let (steps, a_step) = match &row.search {
            Some(search) => (
                format!("{}x{}", search.outer, search.inner),
                format!(
                    "{:.1}",
                    f64::from(row.rounds) / f64::from(search.outer * search.inner)
                ),
            ),
            None => ("none".to_owned(), String::new()),
        };
        table.add_row([
            row.variant.to_lowercase(),
            row.n.to_string(),
            steps,
            row.batch.to_string(),
            print::time(row.wall_s),
            print::time(row.wall_s / row.batch as f64),
            row.rounds.to_string(),
            a_step,
            print::bytes(bytes),
            print::bytes(bytes / row.batch as u64),
        ]);
    }
    print::line(table.trim_fmt())
}
