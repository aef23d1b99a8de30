//! `trefoil bench`: what protocols cost on this machine.

mod guard;

use crate::options::{LinkOption, NumberOptions, emulated_only_in_memory, seconds, start};
use crate::{Bar, Failure, print, summary};
use clap::Args;
use serde::Serialize;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;
use trefoil::bench::Measured;
use trefoil::{Compile, Link, Model, Samples, Source};
use trefoil_net::NetworkProfile;
use trefoil_serve::{BENCHMARKS, BenchJob};

/// The row of a whole network.
const LENET5: &str = "lenet5";
/// The benchmark of the guard, with options of its own.
const GUARD: &str = "guard";

/// Options of `trefoil bench`.
#[derive(Debug, Args)]
#[command(after_help = names())]
pub(crate) struct Bench {
    /// Measure these only
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// What connects the three parties [default: tcp, and tls beside it]
    #[arg(long, value_enum)]
    link: Option<LinkOption>,
    /// Emulate a network between the parties, with --link memory: `lan`, `wan`, or milliseconds one
    /// way and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    network: Option<NetworkProfile>,
    /// The size, for the protocols named by --only
    #[arg(long, value_name = "N", requires = "only")]
    size: Option<NonZeroUsize>,
    /// Runs of each; the median and the best time are shown
    #[arg(long, value_name = "K", default_value = "5")]
    repeat: NonZeroU32,
    #[command(flatten)]
    format: NumberOptions,
    #[command(flatten)]
    guard: guard::GuardBench,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
}

/// The list at the end of the help.
fn names() -> String {
    let line = |&(name, meaning, size): &(&str, &str, usize)| {
        format!("  {name:<14} {meaning} (default {size})\n")
    };
    let lines: String = BENCHMARKS.iter().map(line).collect();
    format!(
        "Protocols, and what their size means:\n{lines}  {LENET5:<14} 28 x 28 pictures, one answer \
         after the session is up (always 1)\n  {GUARD:<14} the output guard, by --classes, --steps, --queries \
         and --hidden"
    )
}

/// What one protocol took over one link.
#[derive(Debug, Serialize)]
struct Row {
    protocol: String,
    size: usize,
    link: Link,
    ring: u32,
    median_s: f64,
    best_s: f64,
    #[serde(flatten)]
    measured: Measured,
}

/// Measure and print.
pub(crate) fn run(arguments: &Bench, json: bool) -> Result<(), Failure> {
    if arguments.only.iter().any(|name| name == GUARD) {
        if arguments.only.len() > 1 {
            return Err(Failure::misuse("`guard` is measured by itself")
                .help("leave the other names of --only out"));
        }
        return guard::run(arguments, json);
    }
    let wanted = wanted(&arguments.only)?;
    let links = match arguments.link {
        Some(link) => vec![link.into()],
        None if arguments.network.is_some() => vec![Link::Memory],
        None => vec![Link::Tcp, Link::Tls],
    };
    emulated_only_in_memory(arguments.network, links[0])?;
    let bar = Bar::new("starting");
    let mut rows: Vec<Vec<Row>> = Vec::new();
    for &link in &links {
        let mut parties = start(link, arguments.network, arguments.timeout)?;
        let mut column = Vec::new();
        for &(name, size) in &wanted {
            bar.say(format!("{name} over {link}"));
            let (ring, repeats) = (arguments.format.ring, arguments.repeat.get());
            let (size, measured) = if name == LENET5 {
                let (model, picture) = lenet5(arguments)?;
                (size, parties.measure_model(&model, &picture, repeats)?)
            } else {
                let size = arguments.size.map_or(size, NonZeroUsize::get);
                let job = BenchJob {
                    protocol: name.to_owned(),
                    size,
                    ring_bits: ring,
                    repeats,
                };
                (size, parties.measure(&job)?)
            };
            column.push(Row {
                protocol: name.to_owned(),
                size,
                link,
                ring,
                median_s: measured.median(),
                best_s: measured.best(),
                measured,
            });
        }
        rows.push(column);
    }
    drop(bar);
    if json {
        let rows: Vec<&Row> = rows.iter().flatten().collect();
        return print::json(&serde_json::json!({ "benchmarks": rows }));
    }
    print_rows(arguments, &rows)
}

/// The names asked for with their default sizes.
fn wanted(only: &[String]) -> Result<Vec<(&'static str, usize)>, Failure> {
    let all = BENCHMARKS.iter().map(|&(name, _, size)| (name, size));
    let all: Vec<_> = all.chain([(LENET5, 1)]).collect();
    if only.is_empty() {
        return Ok(all);
    }
    let find = |name: &String| {
        all.iter()
            .copied()
            .find(|(known, _)| known == name)
            .ok_or_else(|| {
                let mut known: Vec<_> = all.iter().map(|(name, _)| *name).collect();
                known.push(GUARD);
                Failure::misuse(format!("there is no benchmark `{name}`"))
                    .help(format!("choose from {}", known.join(", ")))
            })
    };
    only.iter().map(find).collect()
}

/// LeNet-5 and a picture.
fn lenet5(arguments: &Bench) -> Result<(Model, Samples), Failure> {
    let source = Source::from_bytes(trefoil_digits::LENET5, "lenet5.onnx")?;
    let compile = Compile {
        batch: Some(1),
        format: arguments.format.format(),
        ..Compile::default()
    };
    let (picture, _) = trefoil_digits::generate(1, 1);
    let samples = Samples::of(picture.mapv(f64::from).into_dyn());
    Ok((source.compile(1, &compile)?, samples))
}

/// One line a protocol, the links side by side; `columns` has one list of rows for each link.
fn print_rows(arguments: &Bench, columns: &[Vec<Row>]) -> Result<(), Failure> {
    let links: Vec<Link> = columns.iter().flatten().map(|row| row.link).collect();
    let mut header = vec!["protocol".to_owned(), "size".to_owned()];
    for column in columns {
        if let Some(row) = column.first() {
            header.extend([format!("{} median", row.link), format!("{} best", row.link)]);
        }
    }
    header.extend(["rounds", "party 0", "party 1", "party 2", "MB in all"].map(str::to_owned));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = summary::table(&header);
    let lines = columns.first().map_or(0, Vec::len);
    for line in 0..lines {
        let same: Vec<&Row> = columns
            .iter()
            .filter_map(|column| column.get(line))
            .collect();
        let Some(first) = same.first() else { continue };
        let mut cells = vec![first.protocol.clone(), first.size.to_string()];
        for row in &same {
            cells.extend([print::time(row.median_s), print::time(row.best_s)]);
        }
        cells.push(first.measured.rounds.to_string());
        cells.extend(first.measured.bytes_sent_per_party.map(print::bytes));
        let all: u64 = first.measured.bytes_sent_per_party.iter().sum();
        cells.push(format!("{:.3}", all as f64 / 1e6));
        table.add_row(cells);
    }
    let place = match (arguments.network, links.first()) {
        (Some(network), _) => format!("three threads, {network}"),
        (None, Some(Link::Memory)) => "three threads".to_owned(),
        _ => "three processes on this machine".to_owned(),
    };
    print::line(format!(
        "ring of {} bits, {place}, {}; bytes are sent to peers, party 0's are preprocessing",
        arguments.format.ring,
        print::count(arguments.repeat.get() as usize, "run")
    ))?;
    print::line(table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_or_refused() {
        let only = |names: &[&str]| {
            wanted(
                &names
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(only(&[]).unwrap().len(), BENCHMARKS.len() + 1);
        assert_eq!(only(&["lenet5"]).unwrap(), [("lenet5", 1)]);
        assert!(
            only(&["lenet5", "sorcery"])
                .unwrap_err()
                .to_string()
                .contains("sorcery")
        );
    }
}
