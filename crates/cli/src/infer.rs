//! `trefoil infer`: answers of a model to samples.

mod answers;
mod verified;

use crate::options::{DeployOptions, ModelOption, NumberOptions, PreparationOptions, RangeOptions};
use crate::{Bars, Destination, Failure, Inputs, notice, print, warn};
use answers::Told;
use clap::Args;
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use trefoil::{
    Backend, Checking, Compile, LayerCheck, Samples, Source, compare_layers, data, labels,
};

/// Options of `trefoil infer`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Infer {
    #[command(flatten)]
    model: ModelOption,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// The samples: an .npy or .npz array of numbers, N along the first axis (`FILE.npz:NAME` for one of several); MNIST
    /// idx or CIFAR-10 binary; all also gzipped. A PNG or JPEG picture, or a folder of them: in natural order of their names
    /// (1, 2, 10), without hidden files and folders, turned as their EXIF data says. `-` for standard input
    #[arg(short, long, value_name = "X.npy")]
    input: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    /// Where to write the answers: an .npy array of 32-bit floats, N along the first axis. `-` for standard output
    #[arg(short, long, value_name = "OUT.npy")]
    output: PathBuf,
    /// The true classes, N integers in an .npy, .npz, idx or CIFAR-10 file: adds the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    deploy: DeployOptions,
    /// Guard the answers against membership inference: confidences in the place of logits, with unchanged labels. A file
    /// of `trefoil guard train`
    #[arg(long, value_name = "GUARD.safetensors")]
    guard: Option<PathBuf>,
    #[command(flatten)]
    format: NumberOptions,
    #[command(flatten)]
    ranges: RangeOptions,
    /// Samples at once [default: 64, or what takes about 1 GiB at each party, or N if that is less]
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
    /// Show what each step took: time, rounds and bytes
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    verification: verified::Verification,
}

/// Answer, write the answers, and tell what it took.
pub(crate) fn run(arguments: &Infer, json: bool) -> Result<(), Failure> {
    let link = arguments.link()?;
    if let Some(plan) = &arguments.verification.verify {
        arguments.refuse_with_verify()?;
        return verified::run(arguments, plan, json);
    }
    let destination = arguments.destination()?;
    let (source, samples) = arguments.source()?;
    let compile = arguments.compile(&source)?;
    let backend = arguments.deploy.backend();
    let bars = RefCell::new(Bars::new());
    let prepared = source.prepare(
        &samples,
        &compile,
        backend,
        arguments.checking(),
        &mut |what, progress| bars.borrow_mut().show(what, progress),
    )?;
    // The file's own copy of the weights.
    drop(source);
    let model = &prepared.model;
    let known = model.known.as_ref();
    warn(known.and_then(|known| known.warning(&model.plan)));
    let labels = arguments.labels.as_deref();
    let labels = labels
        .map(|path| labels::read(path, samples.len(), model))
        .transpose()?;
    let answers = {
        let mut servers = arguments
            .deploy
            .deploy(model)?
            .watched(|what, progress| bars.borrow_mut().show(what, progress));
        prepared.answer(&mut servers)?
    };
    let layers: Option<Vec<LayerCheck>> = if arguments.layers {
        Some(compare_layers(
            model,
            &prepared.samples,
            &mut |what, progress| bars.borrow_mut().show(what, progress),
        )?)
    } else {
        None
    };
    drop(bars);
    let compared = labels.zip(model.scores()).map(|(labels, scores)| {
        let answered = labels::of(&answers.values, scores);
        let doubt = labels::doubt(&answered, &labels, scores);
        (labels::agreement(&answered, &labels), doubt)
    });
    let (accuracy, labels_doubt) = compared.unzip();
    destination.write(&answers.values)?;

    let in_ring = backend != Backend::Clear;
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let told = Told {
        output: arguments.output.display().to_string(),
        backend,
        link,
        guard: shown(&arguments.guard),
        parties: shown(&arguments.deploy.parties()?),
        network: arguments.deploy.network.map(|network| network.to_string()),
        ring: in_ring.then_some(model.plan.ring_bits),
        fraction_bits: in_ring.then_some(model.plan.fraction_bits),
        samples: samples.len(),
        files: data::names(&samples.files),
        batch: model.plan.batch,
        report: answers.report,
        labels_by: (answers.check.is_some() || accuracy.is_some())
            .then(|| model.scores())
            .flatten()
            .map(|scores| scores.to_string()),
        check: answers.check,
        sampled_check: answers.sampled,
        unchecked: arguments.no_check,
        public_scaling: model
            .scaling()
            .map(|scaling| scaling.steps().map(ToOwned::to_owned).collect()),
        layers,
        ranges: known.map(|known| known.report(&model.plan)),
        accuracy,
        labels_doubt: labels_doubt.flatten(),
    };
    if json {
        return print::json(&told);
    }
    if let Some(known) = known {
        print::line(known.headline(&model.plan))?;
    }
    told.print(arguments.timings)?;
    notice(&arguments.deploy)
}

impl Infer {
    /// The model and the samples.
    fn source(&self) -> Result<(Source, Samples), Failure> {
        let mut source = Source::open_output(self.model.path(), self.output_name.as_deref())?;
        let samples = source.samples(&self.input, &self.preparation.preparation())?;
        source.bind_samples(&samples);
        Ok((source, samples))
    }

    fn compile(&self, source: &Source) -> Result<Compile, Failure> {
        Ok(Compile {
            batch: self.batch.map(NonZeroUsize::get),
            format: self.format.format(),
            guard: self.guard.clone(),
            public_scaling: self.ranges.public_scaling,
            ranging: self
                .ranges
                .ranging(source, &self.preparation.preparation())?,
        })
    }

    fn checking(&self) -> Checking {
        match (self.check, self.no_check) {
            (true, _) => Checking::All,
            (_, true) => Checking::Nothing,
            _ => Checking::Some,
        }
    }

    /// Where the answers go: not in the place of a file that is read.
    fn destination(&self) -> Result<Destination, Failure> {
        let parties = self.deploy.parties()?;
        let inputs = Inputs::default()
            .with("--model", [self.model.path()])
            .with("--input", [&self.input])
            .with("--labels", &self.labels)
            .with("--parties", &parties)
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
                self.ranges.public_scaling,
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
    fn link(&self) -> Result<Option<trefoil::Link>, Failure> {
        let link = self.deploy.link()?;
        if self.deploy.backend() == Backend::Clear && self.no_check {
            return Err(Failure::misuse(
                "--no-check is given, but --backend clear is what others are compared with",
            )
            .help("leave --no-check out, or choose --backend fixed or secure"));
        }
        Ok(link)
    }
}
