//! `trefoil guard apply`: guarded confidences of logits that are there already.

use crate::options::{DeployOptions, NumberOptions};
use crate::{Bars, Destination, Failure, Inputs, notice, print, summary};
use clap::Args;
use serde::Serialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use trefoil::guard::{changes, load, logits};
use trefoil::{Backend, Check, Model, Samples, check_all, local};
use trefoil_guard::{Guard, Method};
use trefoil_serve::Report;

/// Queries at once unless the user chooses.
const BATCH: usize = 64;

/// Options of `trefoil guard apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The guard
    #[arg(long, value_name = "GUARD.safetensors")]
    guard: PathBuf,
    /// The logits: an .npy or .npz array, N rows of one logit per class
    #[arg(short, long, value_name = "Z.npy")]
    input: PathBuf,
    /// Where to write the confidences: an .npy array of 32-bit floats, N rows
    #[arg(short, long, value_name = "OUT.npy")]
    output: PathBuf,
    #[command(flatten)]
    deployed: DeployOptions,
    /// Rows at once [default: 64, or N if that is less]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    #[command(flatten)]
    format: NumberOptions,
    /// Compute it in the clear too, and compare
    #[arg(long)]
    check: bool,
}

/// What `--json` shows.
#[derive(Debug, Serialize)]
struct Applied {
    output: String,
    backend: Backend,
    rows: usize,
    classes: usize,
    batch: usize,
    method: Method,
    /// How noise is searched, if it is.
    #[serde(flatten)]
    search: Option<Search>,
    /// Rows whose answer is not the softmax of their logits.
    changed: usize,
    labels_kept: usize,
    #[serde(flatten)]
    check: Option<Check>,
    #[serde(flatten)]
    report: Report,
}

/// How `SIGuard` searches.
#[derive(Debug, Serialize)]
struct Search {
    variant: trefoil_guard::Variant,
    softmax: trefoil_guard::Softmax,
    outer: u32,
    inner: u32,
    beta: f64,
}

impl Search {
    fn of(guard: &Guard) -> Option<Self> {
        let Guard::Siguard(guard) = guard else {
            return None;
        };
        let settings = &guard.settings;
        Some(Self {
            variant: settings.variant,
            softmax: settings.softmax,
            outer: settings.steps.outer,
            inner: settings.steps.inner,
            beta: settings.steps.beta,
        })
    }
}

/// Guard, write, and tell what it took.
pub(crate) fn run(arguments: &Apply, json: bool) -> Result<(), Failure> {
    let parties = arguments.deployed.parties()?;
    let inputs = Inputs::default()
        .with("--guard", [&arguments.guard])
        .with("--input", [&arguments.input])
        .with("--parties", &parties);
    inputs.check()?;
    let destination = Destination::new("--output", &arguments.output, &inputs)?;
    let guard = load(&arguments.guard)?;
    let format = arguments.format.format();
    let limit = guard.settings().logit_limit(format.ring, format.bits());
    let logits = logits(&arguments.input, limit)?;
    let (rows, classes) = logits.dim();
    if rows == 0 {
        return Err(Failure::new(format!(
            "{} has no rows",
            arguments.input.display()
        )));
    }
    if classes != guard.settings().classes() {
        return Err(Failure::new(format!(
            "{} holds logits of {classes} classes, and {} guards {}",
            arguments.input.display(),
            arguments.guard.display(),
            guard.settings().classes()
        ))
        .help(
            "give the logits of the model that the guard was made for: one row a query, one column a class; a single column \
             is the logit of the second of two classes",
        ));
    }
    let batch = arguments.batch.map_or(BATCH.min(rows), NonZeroUsize::get);
    let model = Model::of_guard(&arguments.guard, guard, batch, classes, format)?;
    let queries = Samples::named(
        logits.clone().into_dyn(),
        &arguments.input.display().to_string(),
    );
    let mut bars = Bars::new();
    let deployment = arguments.deployed.deploy(&model)?;
    let mut deployment = deployment.watched(|what, progress| bars.show(what, progress));
    let answers = deployment.answer(&queries)?;
    let report = std::mem::take(&mut deployment.report);
    drop(deployment);
    let check = if arguments.check {
        let clear = local::clear(&model, &queries, &mut |_| ())?;
        match clear.outputs.first() {
            Some(clear) => {
                check_all(&model, &answers, clear)?;
                Some(Check::new(&answers, clear, model.scores()))
            }
            None => None,
        }
    } else {
        None
    };
    let (changed, labels_kept) = changes(&logits, &answers);
    destination.write(&answers)?;
    let Some(guard) = &model.guard else {
        return Err(Failure::new("the guard is gone: a bug"));
    };
    let applied = Applied {
        output: arguments.output.display().to_string(),
        backend: arguments.deployed.backend(),
        rows,
        classes,
        batch,
        method: guard.method(),
        search: Search::of(guard),
        changed,
        labels_kept,
        check,
        report,
    };
    if json {
        return print::json(&applied);
    }
    applied.print()?;
    notice(&arguments.deployed)
}

impl Applied {
    fn print(&self) -> Result<(), Failure> {
        let report = &self.report;
        print::line(format!(
            "{} of {} guarded in {} ({} at once), after a set-up of {}",
            print::count(self.rows, "row"),
            print::count(self.classes, "class"),
            print::time(report.wall_s),
            self.batch,
            print::time(report.setup_s)
        ))?;
        let how = match &self.search {
            Some(search) => format!(
                "{} x {} steps of {}",
                search.outer, search.inner, search.beta
            ),
            None => "values of a table".to_owned(),
        };
        print::line(format!(
            "{how}: {} changed by more than 0.01, {} with the label of the logits",
            print::count(self.changed, "answer"),
            self.labels_kept
        ))?;
        if self.backend == Backend::Secure {
            print::line(summary::sent(report.rounds, report.bytes_sent_per_party))?;
        }
        if let Some(check) = &self.check {
            print::line(format!(
                "against the clear: labels agree for {:.2} %, largest error {:.2e}, mean {:.2e}",
                100.0 * check.label_agreement.unwrap_or_default(),
                check.max_abs_error,
                check.mean_abs_error
            ))?;
        }
        print::line(format!("answers: {}", self.output))
    }
}
