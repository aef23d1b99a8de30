//! `trefoil demo`: three servers read drawn digits that none of them sees, and guard a model's answers
//! against those who ask whether a record was part of its training data.

mod digits;
mod membership;
mod parties;

use crate::options::SeedOption;
use crate::print;
use crate::{Failure, print::json as print_json};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use trefoil_digits::Ink;

/// Options of `trefoil demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    seed: SeedOption,
    /// How many digits to draw
    #[arg(long, value_name = "N", default_value = "24", value_parser = clap::value_parser!(u16).range(1..=600))]
    count: u16,
    /// Show one part alone [default: both]
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Where to write the report on the attacks, the model and its guard
    #[arg(long, value_name = "FOLDER", default_value = "trefoil-demo")]
    report: PathBuf,
    /// Open the report in a browser
    #[arg(long, conflicts_with = "no_open")]
    open: bool,
    /// What is done without --open
    #[arg(long, hide = true)]
    no_open: bool,
}

/// A part of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Private inference on drawn digits: seconds
    Digits,
    /// Membership inference without and with the guard: seconds
    Membership,
}

/// Show what was asked for.
pub(crate) fn run(arguments: &Demo, json: bool) -> Result<(), Failure> {
    let start = Instant::now();
    let seed = arguments.seed.value()?;
    let shows = |part: Part| arguments.only.is_none_or(|only| only == part);
    let mut all = json!({ "seed": seed });
    if shows(Part::Digits) {
        let shown = digits::ask(seed, arguments.count.into())?;
        if json {
            all["digits"] = shown.to_json();
        } else {
            shown.print()?;
        }
    }
    if shows(Part::Membership) {
        if !json && shows(Part::Digits) {
            print::line("")?;
        }
        let found = membership::attack(seed, &arguments.report)?;
        if json {
            all["membership"] = found.to_json();
        } else {
            found.print()?;
            if arguments.open {
                found.open();
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    if json {
        all["elapsed_s"] = json!(seconds);
        return print_json(&all);
    }
    print::line(Ink::here().faint(&format!("\n{} from start to end", print::time(seconds))))
}
