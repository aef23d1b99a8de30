//! `trefoil ask`: answers of a model that somebody else has pushed.

use crate::options::{PreparationOptions, ServiceOption};
use crate::{Bar, Destination, Failure, Inputs, print};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use trefoil::{Service, data, labels};

/// Options of `trefoil ask`.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The model's name; `trefoil model list` shows those that you may ask
    #[arg(value_name = "NAME")]
    name: String,
    /// The samples: a file as for `trefoil infer --input`. `-` for standard input
    #[arg(short, long, value_name = "X.npy")]
    input: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    /// Where to write the answers: an .npy array of 32-bit floats, N along the first axis. `-` for standard output
    #[arg(short, long, value_name = "OUT.npy")]
    output: PathBuf,
    /// The true classes: adds the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    /// Have a session for each of your batches, shared with no other user: nobody is waited for, and the parties answer fewer queries a second
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    service: ServiceOption,
}

/// Ask, write, and tell.
pub(crate) fn run(arguments: &Ask, json: bool) -> Result<(), Failure> {
    let service = arguments.service.file()?;
    let inputs = Inputs::default()
        .with("--input", [&arguments.input])
        .with("--labels", &arguments.labels)
        .with("--service", [&service]);
    inputs.check()?;
    let destination = Destination::new("--output", &arguments.output, &inputs)?;
    let mut service = arguments.service.open()?;
    service.ask_alone(arguments.alone);
    let bar = Bar::new("fetching the model's plan from three parties");
    let served = service.model(&arguments.name)?;
    let preparation = arguments.preparation.preparation();
    let samples = service.samples(&served, &arguments.input, &preparation)?;
    let scores = Service::scores(&served);
    let known = arguments.labels.as_deref();
    let known = known.map(|path| labels::read_for(path, samples.len(), scores));
    let known = known.transpose()?;
    bar.say("asking".into());
    let start = Instant::now();
    let answers = service.ask(&served, &samples)?;
    let seconds = start.elapsed().as_secs_f64();
    drop(bar);
    let compared = known.zip(scores).map(|(known, scores)| {
        let answered = labels::of(&answers, scores);
        let doubt = labels::doubt(&answered, &known, scores);
        (labels::agreement(&answered, &known), doubt)
    });
    let (accuracy, doubt) = compared.unzip();
    destination.write(&answers)?;
    if json {
        return print::json(&json!({
            "model": served.name,
            "version": served.version,
            "guarded": served.guarded,
            "samples": samples.len(),
            "files": data::names(&samples.files),
            "seconds": seconds,
            "accuracy": accuracy,
            "labels_doubt": doubt.flatten(),
            "output": arguments.output,
        }));
    }
    print::line(format!(
        "{} answered by {}@{}{} in {}",
        print::count(samples.len(), "sample"),
        served.name,
        served.version,
        if served.guarded { ", guarded," } else { "" },
        print::time(seconds)
    ))?;
    if let Some(accuracy) = accuracy {
        print::line(format!("accuracy: {:.2} %", 100.0 * accuracy))?;
    }
    print::warn(doubt.flatten().map(|doubt| format!("the labels: {doubt}")));
    if let Some(quota) = served.quota {
        let used = served.used + samples.len() as u64;
        print::line(format!("quota: about {used} of {quota} samples used"))?;
    }
    print::line(format!("answers: {}", arguments.output.display()))
}
