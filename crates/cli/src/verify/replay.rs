//! `trefoil verify replay`: queries as anybody asks them, some of which are computed again, message by message.

use crate::options::{DeployOptions, ModelOption, NumberOptions, PreparationOptions};
use crate::{Bars, Failure, Inputs, notice, print};
use clap::Args;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use trefoil::{Compile, Source, conclusions};
use trefoil_verify::replay;

/// Options of `trefoil verify replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplaySome {
    #[command(flatten)]
    model: ModelOption,
    /// Queries: a file as for `trefoil infer --input`
    #[arg(short, long, value_name = "X.npy")]
    input: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    #[command(flatten)]
    format: NumberOptions,
    /// Batches to compute again, chosen at random when all answers are in
    #[arg(long, value_name = "T")]
    replays: NonZeroUsize,
    /// Queries in a batch, the unit that is replayed
    #[arg(long, value_name = "N", default_value = "1")]
    batch: NonZeroUsize,
    #[command(flatten)]
    deployed: DeployOptions,
}

/// Ask, choose, and compute again.
pub(crate) fn run(arguments: &ReplaySome, json: bool) -> Result<(), Failure> {
    let parties = arguments.deployed.parties()?;
    let inputs = Inputs::default()
        .with("--model", [arguments.model.path()])
        .with("--input", [&arguments.input])
        .with("--parties", &parties);
    inputs.check()?;
    let source = Source::open(arguments.model.path())?.one_input()?;
    let queries = source.samples(&arguments.input, &arguments.preparation.preparation())?;
    let compile = Compile {
        batch: Some(arguments.batch.get()),
        format: arguments.format.format(),
        ..Compile::default()
    };
    let model = source.compile(queries.len(), &compile)?;
    model.check(&queries)?;
    let mut bars = Bars::new();
    let servers = arguments.deployed.deploy(&model)?;
    let mut servers = servers.watched(|what, progress| bars.show(what, progress));
    servers.record()?;
    let (count, size) = (queries.len(), servers.at_once());
    for start in (0..count).step_by(size) {
        let numbers: Vec<usize> = (start..count.min(start + size)).collect();
        servers.answer(&queries.select(&numbers))?;
    }
    let wall_s = servers.report.wall_s;
    servers.tell("replaying batches", None);
    let start = std::time::Instant::now();
    let found = replay::replay(&mut servers, arguments.replays.get(), &mut |_| {})?;
    let replay_s = start.elapsed().as_secs_f64();
    drop(servers);
    let named: Vec<String> = found.named().iter().map(ToString::to_string).collect();
    if json {
        print::json(&json!({
            "queries": count,
            "wall_s": wall_s,
            "replay_s": replay_s,
            "replays": &found,
            "named": &named,
        }))?;
    } else {
        print::line(format!(
            "{} answered in {}, replays took {}",
            print::count(count, "query"),
            print::time(wall_s),
            print::time(replay_s)
        ))?;
        for line in conclusions::replayed(&found) {
            print::line(line)?;
        }
        notice(&arguments.deployed)?;
    }
    if found.deviations.is_empty() {
        return Ok(());
    }
    Err(Failure::found(format!(
        "a server deviated from the protocol: {}",
        named.join(" or ")
    ))
    .help("nothing that these servers answered is to be believed"))
}
