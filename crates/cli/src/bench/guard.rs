//! `trefoil bench --only guard`: what the guards cost, by variant, classes, steps and batch.

use super::Bench;
use crate::options::start_client;
use crate::{Bar, Failure, print, summary};
use clap::Args;
use ndarray::{Array2, ArrayD};
use serde::Serialize;
use std::num::NonZeroUsize;
use trefoil::Link;
use trefoil_guard::{
    Classifier, Guard, GuardFile, NetworkShape, Settings, Steps, Table, TableSettings, Variant,
};
use trefoil_nn::{Options, Plan, Weights};
use trefoil_serve::Inference;

/// Options of the guard's benchmark.
#[derive(Clone, Debug, Args)]
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
    search: Option<Searched>,
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

/// What SIGuard's cost depends on.
#[derive(Clone, Debug, Serialize)]
struct Searched {
    hidden: Vec<usize>,
    outer: u32,
    inner: u32,
}

/// Measure, and print.
pub(super) fn run(arguments: &Bench, json: bool) -> Result<(), Failure> {
    let wanted = &arguments.guard;
    let link = match arguments.link {
        Some(link) => link.into(),
        None if arguments.network.is_some() => Link::Memory,
        None => Link::Tls,
    };
    let bar = Bar::new("starting");
    let mut client = start_client(link, arguments.network, arguments.timeout)?;
    let mut rows = Vec::new();
    for &n in &wanted.classes {
        for (variant, search, guard) in guards(arguments, n)? {
            for queries in wanted.queries.iter().map(|q| q.get()) {
                bar.say(format!(
                    "{}, {n} classes, {queries} at once",
                    variant.to_lowercase()
                ));
                let options = Options {
                    fraction_bits: guard.settings().fraction_bits(),
                    ..Options::default()
                };
                let plan = Plan::of_logits(queries, n, &options);
                let weights = Weights::from_tensors(&plan, vec![]).map_err(Failure::new)?;
                let logits = random(&[queries, n])?.mapv(|v| 16.0 * v - 8.0);
                let job = Inference {
                    plan: &plan,
                    weights: &weights,
                    guard: Some(&guard),
                    inputs: std::slice::from_ref(&logits),
                    observe: false,
                };
                let mut row = Row {
                    variant: variant.clone(),
                    n,
                    search: search.clone(),
                    link,
                    network: arguments.network.map(|network| network.to_string()),
                    batch: queries,
                    wall_s: f64::INFINITY,
                    seconds: Vec::new(),
                    rounds: 0,
                    bytes_per_party: [0; 3],
                };
                for _ in 0..arguments.repeat.get() {
                    let report = client.infer(&job, &mut |_| ())?.report;
                    row.seconds.push(report.wall_s);
                    row.wall_s = row.wall_s.min(report.wall_s);
                    row.rounds = report.rounds;
                    row.bytes_per_party = report.bytes_sent_per_party;
                }
                rows.push(row);
            }
        }
    }
    drop(bar);
    if json {
        return print::json(&serde_json::json!({ "guard": rows }));
    }
    table(&rows)
}

/// The guards for so many classes: the table, and SIGuard's variants with each search.
fn guards(arguments: &Bench, n: usize) -> Result<Vec<(String, Option<Searched>, Guard)>, Failure> {
    let mut guards = vec![("Table".to_owned(), None, table_guard(arguments, n)?)];
    for &(outer, inner) in &arguments.guard.steps {
        for variant in [Variant::Fast, Variant::Faithful] {
            if variant == Variant::Faithful && arguments.guard.fast_only {
                continue;
            }
            let search = Searched {
                hidden: arguments.guard.hidden.clone(),
                outer,
                inner,
            };
            let guard = Guard::Siguard(searching(arguments, n, (outer, inner), variant)?);
            guards.push((format!("{variant:?}"), Some(search), guard));
        }
    }
    Ok(guards)
}

/// A table of halves, quarters and so on: its cost does not depend on its values.
fn table_guard(arguments: &Bench, n: usize) -> Result<Guard, Failure> {
    let mut row: Vec<f64> = (1..=n).map(|rank| 2_f64.powi(-(rank as i32))).collect();
    if let Some(first) = row.first_mut() {
        *first += 2_f64.powi(-(n as i32));
    }
    let means = Array2::from_shape_fn((n, n), |(_, rank)| row[rank]);
    let settings = TableSettings {
        classes: n,
        fraction_bits: arguments.format.fraction_bits.unwrap_or(20),
    };
    let table = Table::new(settings, means).map_err(Failure::misuse)?;
    Ok(Guard::Table(table))
}

/// `SIGuard` with random weights: its cost does not depend on them.
fn searching(
    arguments: &Bench,
    n: usize,
    (outer, inner): (u32, u32),
    variant: Variant,
) -> Result<GuardFile, Failure> {
    let shape = NetworkShape {
        inputs: n,
        hidden: arguments.guard.hidden.clone(),
    };
    shape.check().map_err(Failure::misuse)?;
    let count = shape.layers().iter().map(|(i, o)| i * o + o).sum();
    let mut numbers = random(&[count])?.into_iter();
    let classifier = Classifier::sample(&shape, || 2.0 * numbers.next().unwrap_or(0.5) - 1.0);
    let mut settings = Settings::new(shape);
    settings.steps = Steps {
        outer,
        inner,
        beta: 0.5,
    };
    settings.variant = variant;
    if let Some(bits) = arguments.format.fraction_bits {
        settings.fraction_bits = bits;
    }
    let classifier = classifier.map_err(Failure::misuse)?;
    classifier.fit(&mut settings);
    GuardFile::new(settings, classifier).map_err(Failure::misuse)
}

/// Numbers in [0, 1).
fn random(shape: &[usize]) -> Result<ArrayD<f64>, Failure> {
    let mut bytes = vec![0_u8; 4 * shape.iter().product::<usize>()];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))?;
    let words = bytes
        .chunks_exact(4)
        .map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
    let mut values = words.map(|w| f64::from(w) / 2_f64.powi(32));
    Ok(ArrayD::from_shape_simple_fn(shape, || {
        values.next().unwrap_or_default()
    }))
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
