//! `trefoil model`: what owners do with a service.

use crate::options::{ModelOption, NumberOptions, PreparationOptions, RangeOptions, ServiceOption};
use crate::{Bars, Failure, Inputs, print, summary, warn};
use clap::{Args, Subcommand};
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use trefoil::{Compile, Source};

/// Options of `trefoil model`.
#[derive(Debug, Args)]
pub(crate) struct ModelCommands {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Owner: push a model and its guard to the three parties, as shares; it answers in the place of the version before
    Push(Box<Push>),
    /// Show the models that you may ask or have pushed
    List(ServiceOption),
    /// Owner: let a user ask a model
    Grant {
        /// The model's name
        name: String,
        /// The user's name, as the operators' tokens have it
        user: String,
        /// Samples that the user may ask in all [default: without end]
        #[arg(long, value_name = "N")]
        quota: Option<u64>,
        #[command(flatten)]
        service: ServiceOption,
    },
    /// Owner: let a user no longer ask a model
    Revoke {
        /// The model's name
        name: String,
        /// The user's name
        user: String,
        #[command(flatten)]
        service: ServiceOption,
    },
    /// Show what was charged: to you, or to each user of a model of yours
    Usage {
        /// The model's name
        name: String,
        #[command(flatten)]
        service: ServiceOption,
    },
    /// Owner: retire a model; its shares are wiped at all three parties
    Retire {
        /// The model's name
        name: String,
        #[command(flatten)]
        service: ServiceOption,
    },
}

/// Options of `trefoil model push`.
#[derive(Debug, Args)]
struct Push {
    /// What users call the model: a-z, 0-9, `-`, `_` and `.`
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    model: ModelOption,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// Most samples that are computed at once: queries of several users share a batch
    #[arg(long, value_name = "N", default_value = "16")]
    batch: NonZeroUsize,
    /// Guard the answers against membership inference. A file of `trefoil guard train`
    #[arg(long, value_name = "GUARD.safetensors")]
    guard: Option<PathBuf>,
    #[command(flatten)]
    format: NumberOptions,
    #[command(flatten)]
    ranges: RangeOptions,
    #[command(flatten)]
    preparation: PreparationOptions,
    #[command(flatten)]
    service: ServiceOption,
}

/// Do what was asked.
pub(crate) fn run(arguments: &ModelCommands, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        Command::Push(push) => push.run(json),
        Command::List(service) => list(service, json),
        Command::Grant {
            name,
            user,
            quota,
            service,
        } => {
            service.open()?.grant(name, user, *quota)?;
            let quota = quota.map_or("without end".to_owned(), |quota| {
                format!("up to {}", print::count(quota as usize, "sample"))
            });
            done(json, &format!("{user} may ask {name}, {quota}"))
        }
        Command::Revoke {
            name,
            user,
            service,
        } => {
            service.open()?.revoke(name, user)?;
            done(json, &format!("{user} may no longer ask {name}"))
        }
        Command::Usage { name, service } => usage(name, service, json),
        Command::Retire { name, service } => {
            service.open()?.retire(name)?;
            done(json, &format!("{name} is retired, its shares are wiped"))
        }
    }
}

fn done(json: bool, what: &str) -> Result<(), Failure> {
    if json {
        print::json(&json!({ "done": what }))
    } else {
        print::line(what)
    }
}

impl Push {
    fn run(&self, json: bool) -> Result<(), Failure> {
        let file = self.service.file()?;
        let inputs = Inputs::default()
            .with("--model", [self.model.path()])
            .with("--guard", &self.guard)
            .with("--calibrate", self.ranges.file())
            .with("--service", [&file]);
        inputs.check()?;
        let mut service = self.service.open()?;
        let source = Source::open_output(self.model.path(), self.output_name.as_deref())?;
        let batch = self.batch.get();
        let compile = Compile {
            batch: Some(batch),
            format: self.format.format(),
            guard: self.guard.clone(),
            public_scaling: self.ranges.public_scaling,
            ranging: self
                .ranges
                .ranging(&source, &self.preparation.preparation())?,
        };
        let mut bars = Bars::new();
        let model = source.compile_watched(batch, &compile, &mut |what, at| bars.show(what, at))?;
        let known = model.known.as_ref();
        warn(known.and_then(|known| known.warning(&model.plan)));
        if known.is_none() {
            warn(Some(
                "nobody compares this model's answers with the clear: users have no model. Measure its ranges and precision with \
                 --calibrate X.npy"
                    .into(),
            ));
        }
        bars.show("sharing the model", None);
        let version = service.push(&self.name, &model)?;
        drop(bars);
        if json {
            return print::json(&json!({
                "model": self.name,
                "version": version,
                "batch": batch,
                "guarded": model.guard.is_some(),
                "parameters": model.parameters(),
            }));
        }
        print::line(format!(
            "{}@{version} answers at all three parties{}: {} as shares, {} at once",
            self.name,
            if model.guard.is_some() {
                ", guarded"
            } else {
                ""
            },
            print::count(model.parameters() as usize, "weight"),
            print::count(batch, "sample"),
        ))?;
        print::line(format!(
            "let a user ask it: trefoil model grant {} USER",
            self.name
        ))
    }
}

fn list(service: &ServiceOption, json: bool) -> Result<(), Failure> {
    let models = service.open()?.models()?;
    if json {
        return print::json(&models);
    }
    if models.is_empty() {
        return print::line("no model: none was granted to you, and you have pushed none");
    }
    let mut table = summary::table(&[
        "model", "version", "state", "guarded", "batch", "used", "quota",
    ]);
    for model in models {
        let state = json!(model.state);
        table.add_row([
            model.name,
            model.version.to_string(),
            state.as_str().unwrap_or("-").to_owned(),
            if model.guarded { "yes" } else { "no" }.to_owned(),
            model.batch.to_string(),
            model.used.to_string(),
            model
                .quota
                .map_or_else(|| "-".to_owned(), |quota| quota.to_string()),
        ]);
    }
    print::line(table.trim_fmt())
}

fn usage(name: &str, service: &ServiceOption, json: bool) -> Result<(), Failure> {
    let usage = service.open()?.usage(name)?;
    if json {
        return print::json(&usage);
    }
    let mut table = summary::table(&["user", "samples", "quota"]);
    for user in usage {
        table.add_row([
            user.user,
            user.used.to_string(),
            user.quota
                .map_or_else(|| "-".to_owned(), |quota| quota.to_string()),
        ]);
    }
    print::line(table.trim_fmt())
}
