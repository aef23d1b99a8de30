//! `trefoil infer`: answers of a model to pictures.

mod verified;

use crate::answers::Answers;
use crate::check::{self, Check};
use crate::files::{self, Preparation};
use crate::inputs::Inputs;
use crate::layers::{self, LayerCheck};
use crate::model::{self, Model, NumberFormat, Pictures};
use crate::options::{LinkKind, emulated_only_in_memory, seconds};
use crate::outputs::Destination;
use crate::precision::{self, Looked};
use crate::progress::Bar;
use crate::ranges::RangeOptions;
use crate::recipe::Adapt;
use crate::{Failure, local, print};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use trefoil_net::Network;
use trefoil_nn::Graph;
use trefoil_serve::{Client, Inference, Outcome, PartiesFile};

/// Options of `trefoil infer`.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// The model: an ONNX file with one input, pictures along its first axis
    #[arg(long, value_name = "M.onnx")]
    model: PathBuf,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The pictures: an .npy or .npz array of numbers, N along the first axis (`FILE.npz:NAME` for one of several); MNIST
    /// idx or CIFAR-10 binary; all also gzipped. A PNG or JPEG picture, or a folder of them: in natural order of their names
    /// (1, 2, 10), without hidden files and folders, turned as their EXIF data says
    #[arg(long, value_name = "X.npy")]
    input: PathBuf,
    #[command(flatten)]
    preparation: Preparation,
    /// Where to write the answers: an .npy array of 32-bit floats, N along the first axis
    #[arg(long, value_name = "OUT.npy")]
    output: PathBuf,
    /// The true classes, N integers in an .npy, .npz, idx or CIFAR-10 file: adds the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    /// What computes
    #[arg(long, value_enum, default_value_t = BackendKind::Secure)]
    backend: BackendKind,
    /// What connects the three parties, all on this machine [default: tls]
    #[arg(long, value_enum)]
    link: Option<LinkKind>,
    /// Emulate a network between the parties, with --link memory: `lan` (0.1 ms one way, 10
    /// Gbit/s), `wan` (10 ms, 100 Mbit/s), or milliseconds and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    network: Option<Network>,
    /// Use three running parties, as `trefoil keys` described them
    #[arg(long, value_name = "parties.toml", conflicts_with_all = ["link", "network"])]
    parties: Option<PathBuf>,
    /// Guard the answers against membership inference: confidences in the place of logits, with unchanged labels. A file
    /// of `trefoil guard train`
    #[arg(long, value_name = "GUARD.safetensors")]
    guard: Option<PathBuf>,
    #[command(flatten)]
    format: NumberFormat,
    #[command(flatten)]
    ranges: RangeOptions,
    /// Pictures at once [default: 64, or what takes about 1 GiB at each party, or N if that is less]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Run the model in the clear too, and compare all answers: fails where one is off by more than is allowed. Without,
    /// some are compared
    #[arg(long)]
    check: bool,
    /// Compare no answer with the clear, and take whatever the numbers give
    #[arg(long, conflicts_with = "check")]
    no_check: bool,
    /// Compare every layer, in fixed point against the clear: where precision goes
    #[arg(long, requires = "check")]
    layers: bool,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    verification: verified::Verification,
}

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackendKind {
    /// 64-bit floats, in this process
    Clear,
    /// The parties' arithmetic and rounding, in this process
    Fixed,
    /// Three parties, none of which sees model, pictures or answers
    Secure,
}

/// Answer, write the answers, and tell what it took.
// The whole command, in its order.
#[allow(clippy::too_many_lines)]
pub(crate) fn run(arguments: &Infer, json: bool) -> Result<(), Failure> {
    let link = arguments.link()?;
    if let Some(plan) = &arguments.verification.verify {
        arguments.refuse_with_verify()?;
        return verified::run(arguments, plan, json);
    }
    let destination = arguments.destination()?;
    let mut graph = model::load_output(&arguments.model, arguments.output_name.as_deref())?;
    let pictures = model::pictures(&arguments.input, &arguments.preparation, &graph)?;
    for (index, input) in pictures.inputs.iter().enumerate() {
        graph.bind_samples(index, input.shape());
    }
    let batch = arguments.batch.map(NonZeroUsize::get);
    let guard = |model: &mut Model| match &arguments.guard {
        Some(path) => model.guard(path),
        None => Ok(()),
    };
    let (mut model, known) = arguments.ranges.compile(
        &graph,
        pictures.len(),
        batch,
        arguments.format,
        &arguments.preparation,
        guard,
    )?;
    let scaled = model.scaled(&pictures)?;
    RangeOptions::check(&model, &arguments.input, &scaled)?;
    if arguments.backend != BackendKind::Clear {
        model.check_range(&arguments.input, &scaled)?;
    }
    let looked = arguments.look(&graph, &mut model, &pictures, &guard)?;
    let pictures = scaled;
    // The file's own copy of the weights.
    drop(graph);
    let labels = arguments.labels.as_deref();
    let labels = labels
        .map(|path| check::read_labels(path, pictures.len(), &model))
        .transpose()?;

    let outcome = arguments.answer(link, &model, &pictures)?;
    let Some(answers) = outcome.outputs.into_iter().next() else {
        return Err(Failure::new("the parties returned no answer"));
    };
    let check = if arguments.check {
        let bar = Bar::new("running in the clear");
        let clear = local::clear(&model, &pictures, &mut |progress| bar.show(progress))?;
        match clear.outputs.first() {
            Some(clear) => {
                precision::all(&model, &answers, clear)?;
                Some(Check::new(&answers, clear, model.scores()))
            }
            None => None,
        }
    } else {
        None
    };
    // A guard's answers are not those of the plan.
    let sampled = match &looked {
        Some(looked) if model.guard.is_none() => Some(looked.compare(&answers)?),
        _ => None,
    };
    let compared: Option<Vec<LayerCheck>> = if arguments.layers {
        model.check_range(&arguments.input, &pictures)?;
        Some(layers::compare(&model, &pictures)?)
    } else {
        None
    };
    let compared_labels = labels.zip(model.scores()).map(|(labels, scores)| {
        let answered = check::labels(&answers, scores);
        let doubt = check::doubt(&answered, &labels, scores);
        (check::share(&answered, &labels), doubt)
    });
    let (accuracy, labels_doubt) = compared_labels.unzip();
    let labels_doubt = labels_doubt.flatten();
    destination.write(&answers)?;

    let in_ring = arguments.backend != BackendKind::Clear;
    let told = Answers {
        output: arguments.output.display().to_string(),
        backend: arguments.backend,
        link,
        guard: arguments
            .guard
            .as_ref()
            .map(|path| path.display().to_string()),
        parties: arguments
            .parties
            .as_ref()
            .map(|path| path.display().to_string()),
        network: arguments.network.map(|network| network.to_string()),
        ring: in_ring.then_some(model.plan.ring_bits),
        fraction_bits: in_ring.then_some(model.plan.fraction_bits),
        pictures: pictures.len(),
        files: files::names(&pictures.files),
        batch: model.plan.batch,
        report: outcome.report,
        labels_by: (check.is_some() || accuracy.is_some())
            .then(|| model.scores())
            .flatten()
            .map(|scores| scores.to_string()),
        check,
        sampled_check: sampled,
        unchecked: arguments.no_check,
        public_scaling: model
            .scaling()
            .map(|scaling| scaling.steps().map(ToOwned::to_owned).collect()),
        layers: compared,
        ranges: known.as_ref().map(|known| known.report(&model)),
        accuracy,
        labels_doubt,
    };
    if json {
        print::json(&told)
    } else {
        if let Some(known) = &known {
            print::line(known.headline(&model))?;
        }
        told.print()
    }
}

impl Infer {
    /// Where the answers go: not in the place of a file that is read.
    fn destination(&self) -> Result<Destination, Failure> {
        let inputs = Inputs::default()
            .with("--model", [&self.model])
            .with("--input", [&self.input])
            .with("--labels", &self.labels)
            .with("--parties", &self.parties)
            .with("--guard", &self.guard)
            .with("--calibrate", self.ranges.file());
        let inputs = self.verification.inputs(inputs);
        inputs.check()?;
        Destination::new("--output", &self.output, &inputs)
    }

    /// Options that a verified run could only ignore.
    fn refuse_with_verify(&self) -> Result<(), Failure> {
        let unused = [
            (
                "--no-check",
                self.no_check,
                "it compares nothing with the clear",
            ),
            (
                "--public-scaling",
                self.ranges.public_scaling(),
                "public samples and fingerprints are of inputs that are not scaled",
            ),
        ];
        match unused.into_iter().find(|(_, given, _)| *given) {
            None => Ok(()),
            Some((flag, _, reason)) => Err(Failure::misuse(format!(
                "{flag} is given with --verify, which does without: {reason}"
            ))
            .help(format!("leave {flag} out, or --verify"))),
        }
    }

    /// What connects parties that this program starts; nothing where it starts none.
    fn link(&self) -> Result<Option<LinkKind>, Failure> {
        if self.backend == BackendKind::Secure {
            if self.parties.is_some() {
                return Ok(None);
            }
            let link = self.link.unwrap_or(LinkKind::Tls);
            emulated_only_in_memory(self.network, link)?;
            return Ok(Some(link));
        }
        let clear = self.backend == BackendKind::Clear;
        let unused = [
            ("--link", self.link.is_some()),
            ("--network", self.network.is_some()),
            ("--parties", self.parties.is_some()),
            ("--no-check", clear && self.no_check),
        ];
        match unused.iter().find(|(_, given)| *given) {
            None => Ok(None),
            Some(("--no-check", _)) => Err(Failure::misuse(
                "--no-check is given, but --backend clear is what others are compared with",
            )
            .help("leave --no-check out, or choose --backend fixed or secure")),
            Some((flag, _)) => Err(Failure::misuse(format!(
                "{flag} is given, but only --backend secure has parties"
            ))
            .help(format!("leave {flag} out, or choose --backend secure"))),
        }
    }

    /// Look at some pictures before anything is shared; softmaxes of logits that lie far apart are widened.
    fn look(
        &self,
        graph: &Graph,
        model: &mut Model,
        pictures: &Pictures,
        adapt: Adapt<'_>,
    ) -> Result<Option<Looked>, Failure> {
        if self.no_check || self.backend == BackendKind::Clear {
            return Ok(None);
        }
        let batch = self.batch.map(NonZeroUsize::get);
        let format = NumberFormat {
            fraction_bits: Some(model.plan.fraction_bits),
            ..self.format
        };
        let mut recipe = self
            .ranges
            .recipe(graph, pictures.len(), batch, format, adapt);
        recipe.far.clone_from(&model.far);
        let looked = precision::before(&recipe, pictures)?;
        if model.far.is_empty() && !looked.far.is_empty() {
            model.widen(&looked.far);
        }
        Ok(Some(looked))
    }

    fn answer(
        &self,
        link: Option<LinkKind>,
        model: &Model,
        pictures: &Pictures,
    ) -> Result<Outcome, Failure> {
        let bar = Bar::new("starting");
        let mut progress = |progress| bar.show(progress);
        match self.backend {
            BackendKind::Clear => local::clear(model, pictures, &mut progress),
            BackendKind::Fixed => local::fixed(model, pictures, &mut progress),
            BackendKind::Secure => {
                let start = Instant::now();
                let mut client = self.client(link)?;
                let started = start.elapsed().as_secs_f64();
                let job = Inference {
                    plan: &model.plan,
                    weights: &model.weights,
                    guard: model.guard.as_ref(),
                    inputs: &pictures.inputs,
                    observe: false,
                };
                let mut outcome = client.infer(&job, &mut progress)?;
                outcome.report.setup_s += started;
                Ok(outcome)
            }
        }
    }

    fn client(&self, link: Option<LinkKind>) -> Result<Client, Failure> {
        let Some(path) = &self.parties else {
            return link
                .unwrap_or(LinkKind::Tls)
                .client(self.network, self.timeout);
        };
        let parties = PartiesFile::load(path).map_err(|error| {
            Failure::new(error).help("make configuration files with: trefoil keys")
        })?;
        Ok(Client::connect(&parties, self.timeout)?)
    }
}
