//! `trefoil infer --verify`: queries in a mix of copies and public samples, answers only if all agree.

use super::Infer;
use crate::{Bars, Failure, Inputs, notice, print, summary, warn};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use trefoil::{Checks, Doubts, conclusions, data, labels, verified};
use trefoil_term::settings::Settings;
use trefoil_verify::{Comparison, MixPlan};

/// Options of `trefoil infer` that verify the answers.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Verification")]
pub(super) struct Verification {
    /// Take answers only if the servers pass this plan of `trefoil verify plan`: exit code 3 if they do not
    #[arg(
        long,
        value_name = "PLAN.toml",
        requires = "public",
        conflicts_with = "check"
    )]
    pub(super) verify: Option<PathBuf>,
    /// Samples with known answers to mix in, each used once in a lifetime: an .npz archive of `pictures` and
    /// `labels`, or a CIFAR-10 binary
    #[arg(long, value_name = "PUBLIC.npz", requires = "verify")]
    public: Option<PathBuf>,
    /// The public samples' classes, where they are in a file of their own
    #[arg(long, value_name = "Y.npy", requires = "public")]
    public_labels: Option<PathBuf>,
    /// Which public samples are spent is remembered here [default: trefoil/spent.redb in `$XDG_DATA_HOME` or
    /// ~/.local/share] [env: `TREFOIL_SPENT`]
    #[arg(long, value_name = "FILE", requires = "verify")]
    spent: Option<PathBuf>,
    /// Mix the probes of this fingerprint in, too
    #[arg(long, value_name = "FILE", requires = "verify")]
    fingerprint: Option<PathBuf>,
}

impl Verification {
    /// With the files that a verification reads.
    pub(super) fn inputs<'a>(&'a self, inputs: Inputs<'a>) -> Inputs<'a> {
        inputs
            .with("--verify", &self.verify)
            .with("--public", &self.public)
            .with("--public-labels", &self.public_labels)
            .with("--spent", &self.spent)
            .with("--fingerprint", &self.fingerprint)
    }
}

/// A verified run, as `--json` shows it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    comparison: &'a Comparison,
    output: Option<String>,
    queries: usize,
    wall_s: f64,
    setup_s: f64,
    rounds: u32,
    bytes_sent_per_party: [u64; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels_doubt: Option<String>,
    doubts: &'a Doubts,
}

/// Ask a mix; write the answers if they are accepted.
pub(super) fn run(arguments: &Infer, plan: &Path, json: bool) -> Result<(), Failure> {
    let destination = arguments.destination()?;
    let verification = &arguments.verification;
    let (source, samples) = arguments.source()?;
    let source = source.one_input()?;
    let compile = arguments.compile(&source)?;
    let Some(public) = &verification.public else {
        return Err(Failure::misuse("--verify needs --public"));
    };
    data::regular(plan)?;
    let checks = Checks {
        plan: MixPlan::load(plan)?,
        public: public.clone(),
        public_labels: verification.public_labels.clone(),
        spent: match &verification.spent {
            Some(path) => path.clone(),
            None => match Settings::load()?.spent {
                Some(path) => path,
                None => verified::default_store()?,
            },
        },
        fingerprint: verification.fingerprint.clone(),
    };
    let mut bars = Bars::new();
    let preparation = arguments.preparation.preparation();
    let mixed = source.mix(
        &samples,
        &compile,
        &preparation,
        &checks,
        &mut |what, progress| bars.show(what, progress),
    )?;
    drop(source);
    let known = mixed.model.known.as_ref();
    warn(known.and_then(|known| known.warning(&mixed.model.plan)));
    let labels = arguments.labels.as_deref();
    let labels = labels
        .map(|path| labels::read(path, samples.len(), &mixed.model))
        .transpose()?;
    let mut servers = arguments
        .deploy
        .deploy(&mixed.model)?
        .watched(|what, progress| bars.show(what, progress));
    let verified = mixed.ask(&mut servers)?;
    drop(servers);
    if let Some(answers) = &verified.answers {
        destination.write(answers)?;
    }
    let scores = mixed.scores;
    let answered = verified.answers.as_ref();
    let answered = answered.map(|answers| labels::of(answers, scores));
    let compared = answered.as_ref().zip(labels.as_ref());
    let report = &verified.report;
    let told = Told {
        comparison: &verified.comparison,
        doubts: &verified.doubts,
        output: answered
            .as_ref()
            .map(|_| arguments.output.display().to_string()),
        queries: samples.len(),
        wall_s: report.wall_s,
        setup_s: report.setup_s,
        rounds: report.rounds,
        bytes_sent_per_party: report.bytes_sent_per_party,
        accuracy: compared.map(|(answered, labels)| labels::agreement(answered, labels)),
        labels_doubt: compared
            .and_then(|(answered, labels)| labels::doubt(answered, labels, scores)),
    };
    if json {
        print::json(&told)?;
    } else {
        told.print()?;
        notice(&arguments.deploy)?;
    }
    if verified.accepted() {
        return Ok(());
    }
    Err(Failure::found(format!(
        "the servers' answers are rejected: {}; {} is not written",
        verified.comparison.verdict,
        arguments.output.display()
    ))
    .help(
        "tell no server that it was caught: what you do next must look as if nothing had happened; \
         do not repeat these queries to the same servers",
    ))
}

impl Told<'_> {
    fn print(&self) -> Result<(), Failure> {
        let numbers = self.comparison;
        print::line(format!(
            "{} as {} in {}, after a set-up of {}: {:.2} runs for each query",
            print::count(self.queries, "query"),
            print::count(numbers.runs, "run"),
            print::time(self.wall_s),
            print::time(self.setup_s),
            numbers.runs_per_query
        ))?;
        if self.rounds > 0 {
            print::line(summary::sent(self.rounds, self.bytes_sent_per_party))?;
        }
        for line in conclusions::evidence(numbers, self.doubts) {
            print::line(line)?;
        }
        if let Some(accuracy) = self.accuracy {
            print::line(format!("accuracy: {:.2} %", 100.0 * accuracy))?;
        }
        if let Some(doubt) = &self.labels_doubt {
            print::line(format!("warning: the labels: {doubt}"))?;
        }
        print::line(format!(
            "verdict: {} ({:.1} bits against servers that corrupt selected runs)",
            numbers.verdict, numbers.soundness_bits
        ))?;
        if let Some(replays) = &numbers.replays {
            for line in conclusions::replayed(replays) {
                print::line(line)?;
            }
        }
        print::line(conclusions::systematic(numbers))?;
        match &self.output {
            Some(output) => print::line(format!("answers: {output}")),
            None => Ok(()),
        }
    }
}
