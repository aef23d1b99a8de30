//! `trefoil infer --verify`: queries in a mix of copies and public samples, answers only if all agree.

use super::Infer;
use crate::inputs::Inputs;
use crate::model::{self, Model, NumberFormat};
use crate::ranges::RangeOptions;
use crate::verify_doubts::Doubts;
use crate::verify_replay::replayed;
use crate::verify_servers::{Deployed, at_once, read_public, single};
use crate::{Failure, check, print};
use clap::Args;
use ndarray::{Axis, concatenate};
use serde::Serialize;
use std::path::{Path, PathBuf};
use trefoil_nn::{Graph, Scores};
use trefoil_verify::{
    Comparison, Fingerprint, Mix, MixPlan, PublicSet, Samples, SpentSamples, Verdict,
    derive_tolerance, replay,
};

/// Options of `trefoil infer` that verify the answers.
#[derive(Clone, Debug, Args)]
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
    /// ~/.local/share]
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

/// The model, with its ranges checked, and the format that it has got.
fn compiled(
    arguments: &Infer,
    graph: &Graph,
    runs: usize,
) -> Result<(Model, NumberFormat), Failure> {
    let batch = arguments.batch.map(std::num::NonZeroUsize::get);
    let (format, preparation) = (arguments.format, &arguments.preparation);
    let (model, _) = arguments
        .ranges
        .compile(graph, runs, batch, format, preparation, |_| Ok(()))?;
    let fraction_bits = Some(model.plan.fraction_bits);
    Ok((
        model,
        NumberFormat {
            fraction_bits,
            ..format
        },
    ))
}

/// Ask a mix; write the answers if they are accepted.
// The whole command, in its order.
#[allow(clippy::too_many_lines)]
pub(super) fn run(arguments: &Infer, plan: &Path, json: bool) -> Result<(), Failure> {
    if arguments.guard.is_some() {
        return Err(guarded());
    }
    let destination = arguments.destination()?;
    let verification = &arguments.verification;
    let graph = model::load_output(&arguments.model, arguments.output_name.as_deref())?;
    model::one_input(&graph)?;
    let pictures = model::pictures(&arguments.input, &arguments.preparation, &graph)?;
    let mut mix_plan = MixPlan::load(plan)?.for_queries(pictures.len())?;
    let Some(public_path) = &verification.public else {
        return Err(Failure::misuse("--verify needs --public"));
    };
    let labels_path = verification.public_labels.as_deref().unwrap_or(public_path);
    let public = read_public::set(public_path, labels_path, &arguments.preparation, &graph)?;
    let fingerprint = verification.fingerprint.as_deref();
    let fingerprint = fingerprint.map(Fingerprint::load).transpose()?;
    let probes = fingerprint.as_ref().map_or(0, Fingerprint::len);
    let runs = mix_plan.runs() + probes;
    let (model, format) = compiled(arguments, &graph, runs)?;
    let labels = arguments.labels.as_deref();
    let labels = labels
        .map(|path| check::read_labels(path, pictures.len(), &model))
        .transpose()?;
    let one = single(&graph, format)?;
    let scores = scores(&one)?;
    check_classes(&public, labels_path, scores)?;
    mix_plan.check_model(&one.plan)?;
    if let Some(fingerprint) = &fingerprint {
        fingerprint.check_model(&one.plan)?;
    }
    let known = model::Pictures::of(public.samples().clone());
    model.check_range(&arguments.input, &pictures)?;
    model.check_range(public_path, &known)?;
    RangeOptions::check(&model, &arguments.input, &pictures)?;
    RangeOptions::check(&model, public_path, &known)?;
    let tolerance = if let Some(tolerance) = mix_plan.tolerance.take() {
        tolerance
    } else {
        let few =
            [&pictures.inputs[0], &known.inputs[0]].map(|values| read_public::first(values, 8));
        let few = concatenate(Axis(0), &few.each_ref().map(|few| few.view()));
        derive_tolerance(&one.plan, &one.weights, &few.unwrap_or_default())?
    };
    let spent = SpentSamples::open(&store(verification.spent.as_deref())?)?;
    let deployed = Deployed {
        backend: arguments.backend,
        link: arguments.link,
        network: arguments.network,
        parties: arguments.parties.clone(),
        timeout: arguments.timeout,
    };
    let mut servers = deployed.deploy(&model)?;
    if mix_plan.replays > 0 {
        servers.record()?;
    }
    // Spent from here on: servers may have seen them, whatever happens.
    let drawn = spent.draw(&public, mix_plan.public)?;
    let samples = Samples {
        queries: &pictures.inputs[0],
        public: &drawn,
        fingerprint: fingerprint.as_ref(),
        scores,
    };
    let mix = Mix::new(&mix_plan, samples)?;
    let mut checked = mix.ask(&mut servers, tolerance, at_once(&model), &mut |_| {})?;
    if mix_plan.replays > 0 {
        servers.say("replaying batches".into());
        let found = replay::replay(&mut servers, mix_plan.replays, &mut |_| {})?;
        checked = checked.with_replays(found);
    }
    let comparison = &checked.comparison;
    let report = servers.report.clone();
    drop(servers);
    if let Some(answers) = checked.answers() {
        destination.write(answers)?;
    }
    let answered = checked
        .answers()
        .map(|answers| check::labels(answers, scores));
    let compared = answered.as_ref().zip(labels.as_ref());
    let failed = Doubts::about(&comparison.failed, comparison.public, &public, &one, scores)?;
    let told = Told {
        comparison,
        doubts: &failed,
        output: checked
            .answers()
            .map(|_| arguments.output.display().to_string()),
        queries: pictures.len(),
        wall_s: report.wall_s,
        setup_s: report.setup_s,
        rounds: report.rounds,
        bytes_sent_per_party: report.bytes_sent_per_party,
        accuracy: compared.map(|(answered, labels)| check::share(answered, labels)),
        labels_doubt: compared
            .and_then(|(answered, labels)| check::doubt(answered, labels, scores)),
    };
    if json {
        print::json(&told)?;
    } else {
        told.print()?;
    }
    match comparison.verdict {
        Verdict::Accepted => Ok(()),
        verdict => Err(Failure::rejected(format!(
            "the servers' answers are rejected: {verdict}; {} is not written",
            arguments.output.display()
        ))
        .help(
            "tell no server that it was caught: what you do next must look as if nothing had happened; \
             do not repeat these queries to the same servers",
        )),
    }
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
            let [first, second, third] = self.bytes_sent_per_party.map(print::bytes);
            print::line(format!(
                "{}; sent by party 0 {first}, party 1 {second}, party 2 {third}",
                print::count(self.rounds as usize, "round")
            ))?;
        }
        print::line(format!(
            "copies: {} with differing answers; largest difference {:.2e}, tolerance {:.2e}{}",
            print::count(numbers.disagreeing, "query"),
            numbers.largest_difference,
            numbers.tolerance,
            if numbers.ties > 0 {
                format!("; {} within it with two labels", numbers.ties)
            } else {
                String::new()
            }
        ))?;
        print::line(format!(
            "public samples: {} of {} wrong, {} may be",
            numbers.wrong, numbers.public, numbers.tolerated
        ))?;
        for line in self.doubts.lines() {
            print::line(format!("  {line}"))?;
        }
        if numbers.probes > 0 {
            print::line(format!(
                "fingerprint: {} of {} probes differ",
                numbers.probes_differing, numbers.probes
            ))?;
        }
        if let Some(accuracy) = self.accuracy {
            print::line(format!(
                "against the labels: {:.2} % right",
                100.0 * accuracy
            ))?;
        }
        if let Some(doubt) = &self.labels_doubt {
            print::line(format!("warning: the labels: {doubt}"))?;
        }
        print::line(format!(
            "verdict: {} ({:.1} bits against servers that corrupt selected runs)",
            numbers.verdict, numbers.soundness_bits
        ))?;
        if let Some(replays) = &numbers.replays {
            for line in replayed(replays) {
                print::line(line)?;
            }
        }
        print::line(systematic(numbers))?;
        match &self.output {
            Some(output) => print::line(format!("answers: {output}")),
            None => Ok(()),
        }
    }
}

/// What is known of servers that deviate alike in every run, of which the bits say nothing.
fn systematic(numbers: &Comparison) -> String {
    let probes = if numbers.probes > 0 {
        format!(
            "; {} probes of the model were answered as recorded",
            numbers.probes - numbers.probes_differing
        )
    } else {
        "; probes (--fingerprint) would narrow that".to_owned()
    };
    if let Some(replays) = numbers.replays.as_ref().filter(|it| it.replayed > 0) {
        return format!(
            "a server that deviates alike in every run would have deviated in the {} that {} replayed",
            print::count(replays.replayed, "batch"),
            if replays.replayed == 1 { "was" } else { "were" }
        );
    }
    format!(
        "a server that deviates alike in every run is bounded by the public samples alone: {} % wrong answers pass with \
         95 %, {} % with 5 %{probes}",
        percent(numbers.passes_often),
        percent(numbers.passes_seldom)
    )
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

fn guarded() -> Failure {
    Failure::misuse(
        "--verify and --guard do not go together: verification asks each query several times, and repeated answers to one \
         query are what lets a user average the guard's noise away",
    )
    .help(
        "leave --guard out to verify the model's plain answers, or leave --verify out to have guarded ones",
    )
}

/// What the numbers of an answer are.
fn scores(model: &Model) -> Result<Scores, Failure> {
    model.plan.scores().ok_or_else(|| {
        Failure::new(
            "public samples are judged by their class, and this model's answers name none: they have several axes",
        )
        .help("verify a model that answers with one score for each class, a logit or a probability")
    })
}

/// Refuse labels of classes that the model does not have, before anything is sent.
fn check_classes(public: &PublicSet, path: &Path, scores: Scores) -> Result<(), Failure> {
    let Some(classes) = scores.classes() else {
        return Ok(());
    };
    let labels = public.labels();
    let Some(place) = labels.iter().position(|&label| label >= classes) else {
        return Ok(());
    };
    let from_1 = !labels.contains(&0) && labels.iter().all(|&label| label <= classes);
    Err(Failure::new(format!(
        "{}: public sample {place} has label {}, but the model has {classes} classes, 0 to {}",
        path.display(),
        labels[place],
        classes - 1
    ))
    .help(if from_1 {
        "labels seem to be counted from 1: subtract 1 from each"
    } else {
        "labels are the classes' numbers, counted from 0"
    }))
}

/// The store's file, its folder made.
fn store(given: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = given {
        return Ok(path.to_owned());
    }
    let home = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = home("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| home("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    let Some(data) = data else {
        return Err(
            Failure::new("there is no home folder for the store of spent public samples")
                .help("name a file after --spent"),
        );
    };
    let folder = data.join("trefoil");
    std::fs::create_dir_all(&folder).map_err(|error| {
        Failure::new(format!("cannot make {}: {error}", folder.display()))
            .help("name a file after --spent")
    })?;
    Ok(folder.join("spent.redb"))
}
