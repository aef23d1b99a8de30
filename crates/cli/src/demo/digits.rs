//! The first part of the demo: three servers read drawn digits that none of them sees.

use crate::options::start_client;
use crate::{Bar, Failure, print, summary};
use ndarray::{Array4, ArrayD};
use serde_json::{Value, json};
use std::io::stdout;
use std::time::Duration;
use trefoil::{Check, Compile, Link, Samples, Source, local};
use trefoil_digits::{Ink, MODEL, Style, generate, picture, render, side_by_side};
use trefoil_nn::Scores;
use trefoil_serve::{Inference, Outcome, Report, Seen};
use trefoil_term::spectrum::{self, Counts};

/// Pictures in a row, and how wide one of them is: a row fills 77 columns.
const ACROSS: usize = 6;
const COLUMNS: usize = 12;
const GAP: usize = 1;

/// What the demo found.
pub(super) struct Shown {
    seed: u64,
    pictures: Array4<f32>,
    labels: Vec<usize>,
    predictions: Vec<usize>,
    in_clear: Vec<usize>,
    check: Check,
    report: Report,
    /// Top bits of the pictures and of all values that the network makes of them.
    true_values: Counts,
}

/// Draw, ask, compare.
pub(super) fn ask(seed: u64, count: usize) -> Result<Shown, Failure> {
    let (pictures, labels) = generate(count, seed);
    let source = Source::from_bytes(MODEL, "digits.onnx")?;
    let model = source.compile(count, &Compile::default())?;
    let values = pictures.mapv(f64::from).into_dyn();
    let queries = Samples::of(values);

    let outcome = {
        let bar = Bar::new("starting three parties");
        let mut client = start_client(Link::Tls, None, Duration::from_mins(1))?;
        let job = Inference {
            plan: &model.plan,
            weights: &model.weights,
            guard: None,
            inputs: &queries.inputs,
            observe: true,
        };
        client.infer(&job, &mut |progress| bar.show(progress))?
    };
    let Outcome { outputs, report } = outcome;
    let clear = local::clear(&model, &queries, &mut |_| ())?.outputs;
    let (Some(answers), Some(clear)) = (outputs.first(), clear.first()) else {
        return Err(Failure::new("the parties returned no answer"));
    };
    Ok(Shown {
        seed,
        pictures,
        labels: labels.into_iter().map(usize::from).collect(),
        predictions: largest(answers),
        in_clear: largest(clear),
        check: Check::new(answers, clear, model.scores()),
        report,
        true_values: spectrum::counts(local::words(&model, &queries)?, 64),
    })
}

/// The digit that each answer names.
fn largest(answers: &ArrayD<f64>) -> Vec<usize> {
    let named = Scores::Classes(10).labels(answers);
    named.into_iter().map(Option::unwrap_or_default).collect()
}

impl Shown {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "labels": self.labels,
            "predictions": self.predictions,
            "accuracy": equal(&self.predictions, &self.labels) as f64 / self.labels.len() as f64,
            "label_agreement": self.check.label_agreement,
            "max_abs_error": self.check.max_abs_error,
            "mean_abs_error": self.check.mean_abs_error,
            "report": self.report,
            "true_values_top_bits": self.true_values,
        })
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        let style = Style::of(&stdout());
        let ink = Ink::here();
        print::line(ink.bold("Three servers read drawn digits, and none of them sees one"))?;
        print::line(format!(
            "{} (seed {}), a convolutional network, three processes over TLS 1.3",
            print::count(self.labels.len(), "drawn digit"),
            self.seed
        ))?;
        self.print_pictures(style, ink)?;
        let (number, known) = (self.labels.len(), &self.in_clear);
        print::line(format!(
            "{} of {number} read as in the clear (largest difference of a score {:.1e}), {} as drawn",
            equal(&self.predictions, known),
            self.check.max_abs_error,
            equal(&self.predictions, &self.labels),
        ))?;
        self.print_cost(ink)?;
        self.print_views(ink)
    }

    fn print_pictures(&self, style: Style, ink: Ink) -> Result<(), Failure> {
        let all: Vec<usize> = (0..self.labels.len()).collect();
        for row in all.chunks(ACROSS) {
            let drawn: Vec<Vec<String>> = row
                .iter()
                .map(|&index| render(&picture(&self.pictures, index), COLUMNS, style))
                .collect();
            print::line("")?;
            for line in side_by_side(&drawn, GAP) {
                print::line(line)?;
            }
            let captions: Vec<String> = row.iter().map(|&index| self.caption(index, ink)).collect();
            print::line(captions.join(&" ".repeat(GAP)).trim_end())?;
        }
        print::line("")
    }

    /// A prediction, as wide as its picture.
    fn caption(&self, index: usize, ink: Ink) -> String {
        let (read, drawn) = (self.predictions[index], self.labels[index]);
        if read == drawn {
            ink.good(&format!("{:^COLUMNS$}", format!("{read} ✓")))
        } else {
            ink.bad(&format!("{:^COLUMNS$}", format!("{read} ✗ {drawn}")))
        }
    }

    fn print_cost(&self, ink: Ink) -> Result<(), Failure> {
        print::line("")?;
        print::line(ink.bold("What it cost"))?;
        print::line(summary::phases(&self.report.phases).trim_fmt())?;
        let [p0, p1, p2] = self.report.bytes_sent_per_party.map(print::bytes);
        print::line(format!(
            "{} and {} for {}",
            print::count(self.report.rounds as usize, "round"),
            print::time(self.report.wall_s),
            print::count(self.labels.len(), "digit"),
        ))?;
        print::line(format!(
            "server 0 prepares and sent {p0}, servers 1 and 2 answer and sent {p1} and {p2}"
        ))
    }

    fn print_views(&self, ink: Ink) -> Result<(), Failure> {
        const HEIGHT: usize = 5;
        let Some(seen) = &self.report.seen else {
            return Ok(());
        };
        print::line("")?;
        print::line(format!(
            "{}: how often the top four bits of a word are 0 to f",
            ink.bold("What each server saw")
        ))?;
        let all = [
            self.true_values,
            seen[0].top_bits,
            seen[1].top_bits,
            seen[2].top_bits,
        ];
        let titles = ["true values", "server 0", "server 1", "server 2"];
        let full = all.iter().filter_map(spectrum::extremes);
        let full = full.map(|(_, most)| most).fold(0.125, f64::max);
        let row = |cells: &[String]| {
            let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:<16}")).collect();
            print::line(cells.join("   ").trim_end())
        };
        row(&titles.map(str::to_owned))?;
        let drawn = all.map(|counts| spectrum::draw(&counts, HEIGHT, full));
        for line in 0..HEIGHT {
            row(&drawn.each_ref().map(|lines| lines[line].clone()))?;
        }
        row(&["0123456789abcdef"; 4].map(str::to_owned))?;
        row(&all.map(range))?;
        print::line("")?;
        print::line(
            "true values  pictures and activations are small numbers: 0000…, or 1111… if negative",
        )?;
        for (index, seen) in seen.iter().enumerate() {
            print::line(format!("server {index}     {}", verdict(seen)))?;
        }
        Ok(())
    }
}

/// How many are equal.
fn equal(these: &[usize], those: &[usize]) -> usize {
    these.iter().zip(those).filter(|(a, b)| a == b).count()
}

/// The shares of the rarest and the most frequent value.
fn range(counts: Counts) -> String {
    match spectrum::extremes(&counts) {
        Some((least, most)) => format!("{:.1} to {:.1} %", least * 100.0, most * 100.0),
        None => "nothing".to_owned(),
    }
}

/// One sentence on what a server received.
fn verdict(seen: &Seen) -> String {
    let received = print::bytes(seen.bytes);
    match spectrum::excess(&seen.top_bits) {
        None => {
            format!("received {received}: it prepares randomness and learns nothing of a digit")
        }
        Some(excess) if excess < 5.0 => {
            format!("received {received}, all values equally often: noise, whatever is drawn")
        }
        Some(_) => {
            format!("received {received}, some values more often than by chance: look closer")
        }
    }
}
