//! `trefoil he`: one encrypted server in the place of three.

mod compile;
mod steps;

use crate::{Destination, Failure, Inputs};
use clap::{Args, Subcommand};
use std::num::NonZeroUsize;
use std::path::Path;

/// Options of `trefoil he`.
#[derive(Debug, Args)]
pub(crate) struct He {
    #[command(subcommand)]
    command: HeCommand,
}

#[derive(Debug, Subcommand)]
enum HeCommand {
    /// Compile a model: polynomials for its activations, integers for its weights, parameters that carry both
    Compile(Box<compile::Compile>),
    /// Make the owner's secret key, and the evaluation key that the server gets
    Keygen(steps::Keygen),
    /// Encrypt samples (owner)
    Encrypt(steps::Encrypt),
    /// Compute on encrypted samples with the evaluation key alone (server)
    Infer(steps::Infer),
    /// Decrypt answers (owner)
    Decrypt(steps::Decrypt),
}

/// Do what was asked.
pub(crate) fn run(arguments: &He, json: bool) -> Result<(), Failure> {
    match &arguments.command {
        HeCommand::Compile(compile) => compile.run(json),
        HeCommand::Keygen(keygen) => keygen.run(json),
        HeCommand::Encrypt(encrypt) => encrypt.run(json),
        HeCommand::Infer(infer) => infer.run(json),
        HeCommand::Decrypt(decrypt) => decrypt.run(json),
    }
}

/// How many cores are used.
#[derive(Clone, Copy, Debug, Args)]
struct Threads {
    /// Threads that share the work [default: one for each core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    fn count(self) -> NonZeroUsize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores)
    }
}

/// Check, before any work, that new files can be written after these flags: none that is there is ever replaced.
fn fresh(outputs: &[(&str, &Path)], inputs: &Inputs<'_>) -> Result<(), Failure> {
    inputs.check()?;
    for (index, (flag, path)) in outputs.iter().enumerate() {
        let shown = path.display();
        if *path == Path::new("-") {
            return Err(Failure::misuse(format!(
                "{flag} is given `-`, but only decrypted answers go to standard output"
            ))
            .help(format!("name a file after {flag}")));
        }
        if let Some((other, _)) = outputs[..index].iter().find(|(_, other)| other == path) {
            return Err(Failure::misuse(format!(
                "{shown} is given after {other} and after {flag}"
            ))
            .help("name two files"));
        }
        Destination::new(flag, path, inputs)?;
        if path.exists() {
            return Err(
                Failure::new(format!("{shown} after {flag} is there already")).help(
                    "files of encrypted inference are never replaced: remove it, or name another",
                ),
            );
        }
    }
    Ok(())
}
