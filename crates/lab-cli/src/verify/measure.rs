//! `trefoil verify fingerprint measure`: how often a model's probes notice that it was tampered with.

use crate::options::{ModelOption, NumberOptions, PreparationOptions, SeedOption};
use crate::{Bar, Failure, print, summary};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use trefoil::{Compile, Source, labels, public};
use trefoil_verify::adversary::{Detected, Detection, Tamperer, Tampering};
use trefoil_verify::{Ascent, Mode};

/// Samples at once in a retraining.
const LESSON: usize = 32;

/// Options of `trefoil verify fingerprint measure`.
#[derive(Debug, Args)]
pub(crate) struct MeasureFingerprint {
    #[command(flatten)]
    model: ModelOption,
    /// Natural samples: the first are probes and their starts, the rest retrain
    #[arg(long, value_name = "X.npy")]
    natural: PathBuf,
    /// Their classes
    #[arg(long, value_name = "Y.npy")]
    labels: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    #[command(flatten)]
    format: NumberOptions,
    /// Probes, sensitive and natural
    #[arg(long, value_name = "N", default_value_t = 10)]
    probes: usize,
    /// Natural samples to climb from
    #[arg(long, value_name = "N", default_value_t = 50)]
    candidates: usize,
    /// Steps of the ascent
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Tamperings of each kind
    #[arg(long, value_name = "N", default_value_t = 100)]
    tamperings: u64,
    /// Honest runs, to count false alarms
    #[arg(long, value_name = "N", default_value_t = 1000)]
    honest: u64,
    #[command(flatten)]
    seed: SeedOption,
}

/// Tamper, look, and print the rates.
pub(crate) fn run(arguments: &MeasureFingerprint, json: bool) -> Result<(), Failure> {
    let seed = arguments.seed.value()?;
    let source = Source::open(arguments.model.path())?.one_input()?;
    let samples = source.samples(&arguments.natural, &arguments.preparation.preparation())?;
    let natural = public::first(&samples.inputs[0], arguments.candidates);
    let low = natural.iter().copied().fold(f64::INFINITY, f64::min);
    let high = natural.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let ascent = Ascent::within(low, high).steps(arguments.steps);
    let format = arguments.format.format();
    let one = source.single(format)?;
    let labels = labels::read(&arguments.labels, samples.len(), &one)?;
    let lesson = Compile {
        batch: Some(LESSON),
        format,
        ..Compile::default()
    };
    let lesson = source.compile(LESSON, &lesson)?;
    let bar = Bar::new("searching probes");
    let detection = Detection::new(
        &one.plan,
        &one.weights,
        &natural,
        arguments.probes,
        &ascent,
        seed,
        &mut |done| bar.say(format!("searching probes: {done}")),
    )?;
    let mut tamperer = Tamperer::new(
        &lesson.plan,
        &lesson.weights,
        &samples.inputs[0],
        &labels,
        seed,
    )?;
    let mut rows = detection.honest(arguments.honest, &mut |done| {
        bar.say(format!("honest runs: {done} of {}", arguments.honest));
    })?;
    for kind in Tampering::ALL {
        rows.extend(detection.tampered(
            &mut tamperer,
            kind,
            arguments.tamperings,
            &mut |done| {
                bar.say(format!("{kind}: {done} of {}", arguments.tamperings));
            },
        )?);
    }
    drop(bar);
    if json {
        return print::json(&json!({
            "seed": seed,
            "tolerance": detection.fingerprint().tolerance,
            "sensitivities": detection.fingerprint().sensitivities(),
            "rows": rows,
        }));
    }
    print::line(format!(
        "scores may move by {:.2e}; share noticed by 1, 3, 5, 10 probes with the 95 % interval at 5",
        detection.fingerprint().tolerance
    ))?;
    print::line("")?;
    print_rows(&rows)?;
    print::line(format!("seed {seed}"))
}

fn print_rows(rows: &[Detected]) -> Result<(), Failure> {
    let mut table = summary::table(&[
        "tampering",
        "weights moved",
        "probes",
        "compared",
        "of",
        "1",
        "3",
        "5",
        "interval at 5",
        "10",
    ]);
    for row in rows {
        let most = row.noticed.len();
        let at = |probes: usize| percent(row.rate(probes.min(most)).0);
        let (low, high) = row.rate(5.min(most)).1;
        table.add_row([
            row.tampering
                .map_or_else(|| "none (false alarms)".into(), |kind| kind.to_string()),
            format!("{:.2} %", 100.0 * row.moved),
            if row.sensitive {
                "sensitive"
            } else {
                "natural"
            }
            .into(),
            match row.mode {
                Mode::Top1 => "label".into(),
                Mode::TopK(k) => format!("{k} best labels"),
                Mode::Confidences => "confidences".into(),
            },
            row.trials.to_string(),
            at(1),
            at(3),
            at(5),
            format!("{} to {}", percent(low), percent(high)),
            at(10),
        ]);
    }
    print::line(table.trim_fmt())
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
