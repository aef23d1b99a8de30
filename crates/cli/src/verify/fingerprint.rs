//! `trefoil verify fingerprint`: probes of a model, and whether the deployed one still answers them.

use crate::options::{DeployOptions, ModelOption, NumberOptions, PreparationOptions};
use crate::{Bar, Bars, Destination, Failure, Inputs, notice, print, write_private};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use trefoil::{Compile, Source, public};
use trefoil_verify::{Ascent, Fingerprint, Mode};

/// Options of `trefoil verify fingerprint make`.
#[derive(Debug, Args)]
pub(crate) struct MakeFingerprint {
    #[command(flatten)]
    model: ModelOption,
    /// Natural samples to start from: a file as for `trefoil infer --input`
    #[arg(long, value_name = "X.npy")]
    natural: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    #[command(flatten)]
    format: NumberOptions,
    /// Probes to choose
    #[arg(long, value_name = "N", default_value_t = 5)]
    probes: usize,
    /// Natural samples to climb from, of which the probes are chosen
    #[arg(long, value_name = "N", default_value_t = 50)]
    candidates: usize,
    /// What is compared: `confidences` (every score), `top1` (the label), or a number of best labels in order
    #[arg(long, value_name = "MODE", default_value = "confidences", value_parser = mode)]
    mode: Mode,
    /// No value of a probe is farther from its natural sample [default: a tenth of the samples' range]
    #[arg(long, value_name = "E")]
    epsilon: Option<f64>,
    /// Steps of the ascent
    #[arg(long, value_name = "N", default_value_t = 20)]
    steps: usize,
    /// Where to write the fingerprint: JSON, secret from the servers
    #[arg(short, long, alias = "out", value_name = "FILE")]
    output: PathBuf,
}

/// Options of `trefoil verify fingerprint check`.
#[derive(Debug, Args)]
pub(crate) struct CheckFingerprint {
    #[command(flatten)]
    model: ModelOption,
    /// The fingerprint of the model that was uploaded
    #[arg(long, value_name = "FILE")]
    fingerprint: PathBuf,
    #[command(flatten)]
    format: NumberOptions,
    #[command(flatten)]
    deployed: DeployOptions,
}

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "confidences" => Ok(Mode::Confidences),
        "top1" => Ok(Mode::Top1),
        _ => match text.trim_start_matches("top").parse() {
            Ok(k) if k > 0 => Ok(Mode::TopK(k)),
            _ => Err("`confidences`, `top1` or `topK` with a number K is expected".into()),
        },
    }
}

/// Search and write probes.
pub(crate) fn make(arguments: &MakeFingerprint, json: bool) -> Result<(), Failure> {
    let inputs = Inputs::default()
        .with("--model", [arguments.model.path()])
        .with("--natural", [&arguments.natural]);
    inputs.check()?;
    Destination::new("--output", &arguments.output, &inputs)?;
    let source = Source::open(arguments.model.path())?.one_input()?;
    let natural = source.samples(&arguments.natural, &arguments.preparation.preparation())?;
    let model = source.single(arguments.format.format())?;
    model.check(&natural)?;
    let natural = public::first(&natural.inputs[0], arguments.candidates);
    let low = natural.iter().copied().fold(f64::INFINITY, f64::min);
    let high = natural.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut ascent = Ascent::within(low, high).steps(arguments.steps);
    if let Some(epsilon) = arguments.epsilon {
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            let message = format!("--epsilon is {epsilon}");
            return Err(Failure::misuse(message).help("give a distance that is not negative"));
        }
        ascent = ascent.epsilon(epsilon);
    }
    let bar = Bar::new("searching probes");
    let total = natural.shape()[0];
    let fingerprint = Fingerprint::make(
        &model.plan,
        &model.weights,
        &natural,
        arguments.probes,
        arguments.mode,
        &ascent,
        &mut |done| bar.say(format!("searching probes: {done} of {total} samples")),
    )?;
    drop(bar);
    write_private(&arguments.output, &fingerprint.to_json())?;
    let file = arguments.output.display().to_string();
    if json {
        return print::json(&json!({
            "fingerprint": file,
            "probes": fingerprint.len(),
            "mode": fingerprint.mode,
            "tolerance": fingerprint.tolerance,
            "sensitivities": fingerprint.sensitivities(),
        }));
    }
    print::line(format!(
        "{} chosen from {}, within {} of natural ones; scores may move by {:.2e}",
        print::count(fingerprint.len(), "probe"),
        print::count(total, "sample"),
        ascent.epsilon,
        fingerprint.tolerance
    ))?;
    print::line(format!("fingerprint: {file}; keep it from the servers"))
}

/// Ask and compare.
pub(crate) fn check(arguments: &CheckFingerprint, json: bool) -> Result<(), Failure> {
    let parties = arguments.deployed.parties()?;
    let inputs = Inputs::default()
        .with("--model", [arguments.model.path()])
        .with("--fingerprint", [&arguments.fingerprint])
        .with("--parties", &parties);
    inputs.check()?;
    let fingerprint = Fingerprint::load(&arguments.fingerprint)?;
    let source = Source::open(arguments.model.path())?.one_input()?;
    let format = arguments.format.format();
    let compile = Compile {
        format,
        ..Compile::default()
    };
    let model = source.compile(fingerprint.len(), &compile)?;
    fingerprint.check_model(&source.single(format)?.plan)?;
    let mut bars = Bars::new();
    let servers = arguments.deployed.deploy(&model)?;
    let mut servers = servers.watched(|what, progress| bars.show(what, progress));
    let check = fingerprint.check(&mut servers)?;
    drop(servers);
    let verdict = if check.same() {
        "same model"
    } else {
        "model differs"
    };
    if json {
        let mut told = json!(check);
        told["verdict"] = json!(verdict);
        print::json(&told)?;
    } else {
        print::line(format!(
            "{} of {} probes differ; largest difference {:.2e}, {:.2e} may be",
            check.differing, check.probes, check.largest_difference, check.tolerance
        ))?;
        print::line(format!("verdict: {verdict}"))?;
        notice(&arguments.deployed)?;
    }
    if check.same() {
        return Ok(());
    }
    Err(
        Failure::found("the deployed model is not the one that the fingerprint was made of")
            .help("the probes are known to the servers now; make new ones for the next check"),
    )
}
