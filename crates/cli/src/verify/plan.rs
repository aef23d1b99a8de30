//! `trefoil verify plan`: how many copies and public samples a soundness takes.

use crate::options::{NumberOptions, PreparationOptions};
use crate::{Bar, Destination, Failure, Inputs, print, summary, write_private};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use trefoil::{Source, public};
use trefoil_verify::{AccuracyTest, Demand, MixPlan, derive_tolerance};

/// Options of `trefoil verify plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanMix {
    /// Queries asked at once; more of them make verification cheaper
    #[arg(long, value_name = "R")]
    queries: usize,
    /// A server that cheats passes at most once in 2 to this power
    #[arg(long, value_name = "BITS", default_value_t = 40.0)]
    soundness: f64,
    /// Public samples to mix in [default: as many as make it cheapest]
    #[arg(long, alias = "public", value_name = "T")]
    public_samples: Option<usize>,
    /// Copies of each query [default: as many as make it cheapest]
    #[arg(long, value_name = "B")]
    copies: Option<usize>,
    /// Public samples that may be answered wrongly; 0 for samples that the model is known to answer rightly [default: what
    /// the accuracy test allows]
    #[arg(long, value_name = "t")]
    tolerated: Option<usize>,
    /// Batches that are computed again when all answers are in, message by message: whoever deviated in one is named
    #[arg(long, value_name = "T", default_value_t = 0)]
    replays: usize,
    /// The model's accuracy on the public samples, as its owner claims it [default: 0.95, where --tolerated is not given]
    #[arg(long, value_name = "P0", requires = "reject_below")]
    claimed_accuracy: Option<f64>,
    /// An accuracy at which a model is to be rejected [default: 0.85, where --tolerated is not given]
    #[arg(long, value_name = "P1", requires = "claimed_accuracy")]
    reject_below: Option<f64>,
    /// Most often that the claimed accuracy is rejected [default: 0.01]
    #[arg(long, value_name = "A")]
    alpha: Option<f64>,
    /// Most often that the accuracy to reject is accepted [default: 0.01]
    #[arg(long, value_name = "B")]
    beta: Option<f64>,
    /// Bind the plan to this model, and derive how far copies may differ by its arithmetic
    #[arg(short, long, value_name = "M.onnx", requires = "samples")]
    model: Option<PathBuf>,
    /// Samples to derive that from, with --model: a file as for `trefoil infer --input`
    #[arg(long, value_name = "X.npy", requires = "model")]
    samples: Option<PathBuf>,
    #[command(flatten)]
    preparation: PreparationOptions,
    #[command(flatten)]
    format: NumberOptions,
    /// Write the plan to this file, for `trefoil infer --verify`
    #[arg(short, long, alias = "out", value_name = "PLAN.toml")]
    output: Option<PathBuf>,
}

/// Search, write and show the plan.
pub(crate) fn run(arguments: &PlanMix, json: bool) -> Result<(), Failure> {
    let inputs = Inputs::default()
        .with("--model", &arguments.model)
        .with("--samples", &arguments.samples);
    inputs.check()?;
    if let Some(out) = &arguments.output {
        Destination::new("--output", out, &inputs)?;
    }
    arguments.without_unused()?;
    let accuracy = arguments.accuracy();
    let demand = Demand {
        queries: arguments.queries,
        soundness: arguments.soundness,
        copies: arguments.copies,
        public: arguments.public_samples,
        tolerated: arguments.tolerated,
        accuracy,
    };
    let mut plan = demand.cheapest()?;
    plan.replays = arguments.replays;
    if let (Some(model), Some(samples)) = (&arguments.model, &arguments.samples) {
        let source = Source::open(model)?.one_input()?;
        let samples = source.samples(samples, &arguments.preparation.preparation())?;
        let model = source.single(arguments.format.format())?;
        let bar = Bar::new("deriving the tolerance");
        let few = public::first(&samples.inputs[0], 16);
        plan.tolerance = Some(derive_tolerance(&model.plan, &model.weights, &few)?);
        plan.model = Some(MixPlan::model_digest(&model.plan));
        drop(bar);
    }
    if let Some(out) = &arguments.output {
        write_private(out, &plan.to_toml())?;
    }
    if json {
        print_json(arguments, &plan)
    } else {
        print_table(arguments, &plan)
    }
}

impl PlanMix {
    /// The accuracy test: what is stated, else the default, but for a stated number of errors.
    fn accuracy(&self) -> Option<AccuracyTest> {
        let default = AccuracyTest::DEFAULT;
        if self.claimed_accuracy.is_none() && self.tolerated.is_some() {
            return None;
        }
        Some(AccuracyTest {
            claimed: self.claimed_accuracy.unwrap_or(default.claimed),
            reject_below: self.reject_below.unwrap_or(default.reject_below),
            alpha: self.alpha.unwrap_or(default.alpha),
            beta: self.beta.unwrap_or(default.beta),
        })
    }

    /// Refuse options that would change nothing.
    fn without_unused(&self) -> Result<(), Failure> {
        let tested = self.accuracy().is_some();
        let modelled = self.model.is_some();
        let unused = [
            (
                "--alpha",
                self.alpha.is_some() && !tested,
                "--claimed-accuracy",
            ),
            (
                "--beta",
                self.beta.is_some() && !tested,
                "--claimed-accuracy",
            ),
            ("--ring", self.format.ring != 64 && !modelled, "--model"),
            (
                "--fraction-bits",
                self.format.fraction_bits.is_some() && !modelled,
                "--model",
            ),
            (
                "--unit, --mean, --std or --layout",
                self.preparation.preparation().given() && !modelled,
                "--model",
            ),
        ];
        match unused.iter().find(|(_, given, _)| *given) {
            None => Ok(()),
            Some((flag, _, needs)) => Err(Failure::misuse(format!(
                "{flag} is given, but changes nothing without {needs}"
            ))
            .help(format!("leave {flag} out, or add {needs}"))),
        }
    }
}

fn print_json(arguments: &PlanMix, plan: &MixPlan) -> Result<(), Failure> {
    let mut told = json!(plan.odds());
    told["file"] = json!(arguments.output);
    print::json(&told)
}

fn print_table(arguments: &PlanMix, plan: &MixPlan) -> Result<(), Failure> {
    let odds = plan.odds();
    let header = [
        "queries",
        "copies",
        "public",
        "may be wrong",
        "runs",
        "runs per query",
        "soundness",
    ];
    let mut table = summary::table(&header);
    let counts = [
        odds.queries,
        odds.copies,
        odds.public,
        odds.tolerated,
        odds.runs,
    ];
    let mut cells = counts.map(|count| count.to_string()).to_vec();
    cells.push(format!("{:.2}", odds.runs_per_query));
    cells.push(format!("{:.2} bits", odds.soundness_bits));
    table.add_row(cells);
    print::line(table.trim_fmt())?;
    print::line("")?;
    let [names, shares]: [Vec<String>; 2] = [
        odds.accuracies
            .iter()
            .map(|of| of.accuracy.to_string())
            .collect(),
        odds.accuracies
            .iter()
            .map(|of| percent(of.passes))
            .collect(),
    ];
    print::line(format!(
        "an honest model of accuracy {} passes {} % of the time",
        names.join(" / "),
        shares.join(" / ")
    ))?;
    if let (Some(test), Some(errors)) = (plan.accuracy, odds.accuracy_test) {
        let stated = if arguments.claimed_accuracy.is_some() {
            ""
        } else {
            " (by default: state --claimed-accuracy and --reject-below for this model)"
        };
        print::line(format!(
            "made for a model of accuracy {}, which is rejected {} % of the time; accuracy {} is accepted {} %{stated}",
            test.claimed,
            percent(errors.false_rejection),
            test.reject_below,
            percent(errors.false_acceptance)
        ))?;
    } else if odds.tolerated == 0 {
        print::line(
            "no public sample may be answered wrongly: use samples that the model is known to answer rightly, \
             or state --claimed-accuracy and --reject-below",
        )?;
    }
    print::line(format!(
        "{:.2} bits bound servers that corrupt selected runs; one that deviates alike in every run is bounded by the public \
         samples alone: {:.2} % wrong answers pass with 95 %, {:.2} % with 5 %",
        odds.soundness_bits,
        100.0 * odds.passes_often,
        100.0 * odds.passes_seldom
    ))?;
    if odds.replays > 0 {
        let some = odds.runs.div_ceil(10);
        print::line(format!(
            "{} replayed: in batches of one run, a server that deviates in 1 of {} escapes with {:.2} %, in {some} with {:.2} %, in all \
             of them never",
            print::count(odds.replays.min(odds.runs), "batch"),
            odds.runs,
            100.0 * odds.escapes(1),
            100.0 * odds.escapes(some),
        ))?;
    }
    if let Some(tolerance) = odds.tolerance {
        print::line(format!("copies may differ by {tolerance:.2e}"))?;
    }
    match &arguments.output {
        Some(out) => print::line(format!("plan: {}", out.display())),
        None => Ok(()),
    }
}

fn percent(chance: f64) -> String {
    format!("{:.3}", 100.0 * chance)
}
