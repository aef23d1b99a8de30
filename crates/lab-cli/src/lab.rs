//! `trefoil lab`: whole experiments on membership inference.

use crate::options::ask_three;
use crate::{Bar, Failure, OutputFolder, print};
use clap::{Args, Subcommand, ValueEnum};
use ndarray::Array2;
use serde_json::json;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use trefoil::{Link, data::regular};
use trefoil_lab::pipeline::{
    Cache, Config, Outcome, Parties, Progress, Sample, Scale, run as experiment,
};
use trefoil_lab::report::write_whole;
use trefoil_lab::train::{Processor, train_on};
use trefoil_serve::Report;

/// Options of `trefoil lab`.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Train a model, defend it, attack it, and report: all that a configuration says
    Run(Run),
}

/// Options of `trefoil lab run`.
#[derive(Debug, Args)]
struct Run {
    /// What to do; examples/lab has configurations
    #[arg(value_name = "CONFIG.toml")]
    config: PathBuf,
    /// The folder of the data sets [default: that in `TREFOIL_DATA`, or data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Where results go [default: lab-NAME, from the configuration's file name]
    #[arg(short, long, alias = "out", value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How much of the literature's effort is spent
    #[arg(long, value_enum, default_value_t = ScaleName::Small)]
    scale: ScaleName,
    /// What trains networks; `gpu` needs a build with --features gpu
    #[arg(long, value_enum, default_value_t = ProcessorName::Cpu)]
    train_on: ProcessorName,
    /// Do not compare a sample with three parties
    #[arg(long)]
    no_parties: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScaleName {
    /// Minutes
    Small,
    /// The paper's numbers of epochs, models and steps
    Paper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProcessorName {
    /// This machine's processor
    Cpu,
    /// A graphics processor, by Vulkan, Metal or DirectX
    Gpu,
}

/// Do what was asked.
pub(crate) fn run(arguments: &Lab, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        LabCommand::Run(run) => run.run(json),
    }
}

impl Run {
    fn run(&self, json: bool) -> Result<(), Failure> {
        let start = Instant::now();
        let scale = match self.scale {
            ScaleName::Small => Scale::Small,
            ScaleName::Paper => Scale::Paper,
        };
        train_on(match self.train_on {
            ProcessorName::Cpu => Processor::Cpu,
            ProcessorName::Gpu => Processor::Gpu,
        })?;
        regular(&self.config)?;
        let config = Config::load(&self.config, scale)?;
        let out = self.output.clone().unwrap_or_else(|| {
            let name = self
                .config
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy();
            PathBuf::from(format!("lab-{name}"))
        });
        let mut kept = OutputFolder::new("--output", &out.join("cache"))?;
        let cache = Cache::new(kept.make()?.to_owned())?;
        let teller = Teller::new(json);
        let mut parties = ThreeParties::default();
        let parties: Option<&mut dyn Parties> = if self.no_parties {
            None
        } else {
            Some(&mut parties)
        };
        let tell = |progress: Progress<'_>| teller.tell(progress);
        let data = self.data.clone().unwrap_or_else(|| {
            std::env::var_os("TREFOIL_DATA").map_or_else(|| PathBuf::from("data"), PathBuf::from)
        });
        let mut outcome = experiment(&config, &data, &cache, parties, &tell)?;
        teller.tell(Progress::Stage("drawing the report"));
        let command: Vec<String> = std::env::args().collect();
        outcome.report.fact("command", command.join(" "));
        outcome.report.fact("scale", scale.name());
        let page = write(&outcome, &out)?;
        if config.export {
            outcome.write_answers(&out.join("answers"))?;
        }
        drop(teller);
        tell_result(&outcome, &out, &page, start.elapsed(), json)
    }
}

fn tell_result(
    outcome: &Outcome,
    out: &Path,
    page: &Path,
    took: Duration,
    json: bool,
) -> Result<(), Failure> {
    if json {
        return print::json(&json!({
            "report": page.display().to_string(),
            "data": out.join("report.json").display().to_string(),
            "seconds": took.as_secs_f64(),
            "three_parties_difference": outcome.difference,
            "results": outcome.report.data.get("results"),
        }));
    }
    print::line(outcome.report.terminal())?;
    print::line(format!(
        "\nreport: {} (after {:.0} s; a second run takes what is there)",
        page.display(),
        took.as_secs_f64()
    ))?;
    print::line(format!(
        "model: {}   guard: {}",
        out.join("target.onnx").display(),
        out.join("guard.safetensors").display()
    ))
}

/// Tells the user what goes on: a bar on a terminal, lines elsewhere.
struct Teller {
    bar: Bar,
    lines: bool,
}

impl Teller {
    /// Also where nobody watches, unless a program reads what is told.
    fn new(json: bool) -> Self {
        Self {
            bar: Bar::new("starting"),
            lines: !json && !stderr().is_terminal(),
        }
    }

    fn tell(&self, progress: Progress<'_>) {
        let (text, line) = match progress {
            Progress::Stage(stage) => (stage.to_owned(), true),
            Progress::Epoch(what, epoch) => {
                let text = format!(
                    "{what}: epoch {} of {}, loss {:.4}, {:.0} records/s",
                    epoch.number, epoch.of, epoch.loss, epoch.throughput
                );
                let tenth = (epoch.of / 10).max(1);
                (text, epoch.number % tenth == 0)
            }
        };
        if self.lines && line {
            // Nobody is left to tell if standard error is closed.
            print::aside(&text);
        }
        self.bar.say(text);
    }
}

/// Three threads of this process that answer a sample.
#[derive(Default)]
struct ThreeParties {
    /// What the last answers cost.
    report: Report,
}

impl Parties for ThreeParties {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String> {
        let model = (&sample.deployed.plan, &sample.deployed.weights);
        let (rows, report) = ask_three(Link::Memory, model, sample.guard, &sample.queries)?;
        self.report = report;
        Ok(rows)
    }
}

/// Write the report, the model and its guard to `folder`; the report's page.
///
/// # Errors
/// If one cannot be written.
fn write(outcome: &Outcome, folder: &Path) -> Result<PathBuf, Failure> {
    let page = outcome.report.write(folder)?;
    write_whole(&folder.join("target.onnx"), &outcome.target)?;
    outcome
        .guard
        .save(&folder.join("guard.safetensors"))
        .map_err(Failure::new)?;
    Ok(page)
}
