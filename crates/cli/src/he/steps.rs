//! `trefoil he keygen`, `encrypt`, `infer`, `decrypt`: from file to file.

use super::{Threads, fresh};
use crate::options::PreparationOptions;
use crate::{Bar, Destination, Failure, Inputs, print};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use trefoil::he::{self, Plan, Program};
use trefoil::{Error, labels};

/// Options of `trefoil he keygen`.
#[derive(Debug, Args)]
pub(crate) struct Keygen {
    /// The owner's plan
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// Where to write the secret key, for its owner's eyes alone
    #[arg(long, value_name = "SECRET")]
    secret: PathBuf,
    /// Where to write the evaluation key, which the server gets
    #[arg(long, value_name = "EVALUATION")]
    evaluation: PathBuf,
}

impl Keygen {
    /// Make keys.
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let outputs = [
            ("--secret", self.secret.as_path()),
            ("--evaluation", self.evaluation.as_path()),
        ];
        fresh(&outputs, &Inputs::default().with("--plan", [&self.plan]))?;
        let keys = he::keygen(&self.plan, &self.secret, &self.evaluation)?;
        if json {
            return print::json(&json!({
                "key": keys.id.to_string(),
                "secret_bytes": keys.secret,
                "evaluation_bytes": keys.evaluation,
            }));
        }
        print::line(format!(
            "key {}: the secret one in {} ({}) stays with its owner, the one for evaluation in {} ({}) is for the server",
            keys.id,
            self.secret.display(),
            print::bytes(keys.secret),
            self.evaluation.display(),
            print::bytes(keys.evaluation)
        ))
    }
}

/// Options of `trefoil he encrypt`.
#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The owner's plan
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// The secret key
    #[arg(long, value_name = "SECRET")]
    secret: PathBuf,
    /// The samples, N along the first axis, as for `trefoil infer`
    #[arg(short, long, value_name = "X.npy")]
    input: PathBuf,
    #[command(flatten)]
    preparation: PreparationOptions,
    /// Where to write the query, for the server
    #[arg(short, long, value_name = "QUERY")]
    output: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

impl Encrypt {
    /// Encrypt samples.
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let inputs = Inputs::default()
            .with("--plan", [&self.plan])
            .with("--secret", [&self.secret])
            .with("--input", [&self.input]);
        fresh(&[("--output", &self.output)], &inputs)?;
        let plan = Plan::load(&self.plan).map_err(Error::from)?;
        let samples = he::samples(&plan, &self.input, &self.preparation.preparation())?;
        let start = Instant::now();
        let made = {
            let _bar = Bar::new("checking and encrypting");
            let threads = self.threads.count();
            he::encrypt(&plan, &self.secret, &samples, &self.output, threads)?
        };
        told(json, "encrypted", made, start, &self.output)
    }
}

/// Options of `trefoil he infer`.
#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// The program
    #[arg(long, value_name = "PROGRAM")]
    program: PathBuf,
    /// The owner's evaluation key
    #[arg(long, value_name = "EVALUATION")]
    evaluation: PathBuf,
    /// The query
    #[arg(short, long, value_name = "QUERY")]
    input: PathBuf,
    /// Where to write the answer, which the owner decrypts
    #[arg(short, long, value_name = "ANSWER")]
    output: PathBuf,
    #[command(flatten)]
    threads: Threads,
}

impl Infer {
    /// Compute on ciphertexts.
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let inputs = Inputs::default()
            .with("--program", [&self.program])
            .with("--evaluation", [&self.evaluation])
            .with("--input", [&self.input]);
        fresh(&[("--output", &self.output)], &inputs)?;
        let program = Program::load(&self.program).map_err(Error::from)?;
        let memory = program.sizes().map_err(Error::from)?.memory;
        if !json {
            print::line(format!(
                "computing takes {} of memory at most",
                print::bytes(memory)
            ))?;
        }
        let start = Instant::now();
        let made = {
            let bar = Bar::new("reading");
            let (key, threads) = (&self.evaluation, self.threads.count());
            let mut watch = |done, all, name: &str| bar.count(done, all, name);
            he::infer(
                &program,
                key,
                &self.input,
                &self.output,
                threads,
                &mut watch,
            )?
        };
        told(json, "answered", made, start, &self.output)
    }
}

/// Options of `trefoil he decrypt`.
#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The owner's plan
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// The secret key
    #[arg(long, value_name = "SECRET")]
    secret: PathBuf,
    /// The answer
    #[arg(short, long, value_name = "ANSWER")]
    input: PathBuf,
    /// Where to write the model's outputs: an .npy array of 32-bit floats, N along the first axis. `-` for standard output
    #[arg(short, long, value_name = "OUT.npy")]
    output: PathBuf,
    /// The true classes, N integers: adds the accuracy
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
}

impl Decrypt {
    /// Decrypt answers.
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let inputs = Inputs::default()
            .with("--plan", [&self.plan])
            .with("--secret", [&self.secret])
            .with("--input", [&self.input])
            .with("--labels", &self.labels);
        inputs.check()?;
        let destination = Destination::new("--output", &self.output, &inputs)?;
        let plan = Plan::load(&self.plan).map_err(Error::from)?;
        let answers = he::decrypt(&plan, &self.secret, &self.input)?;
        let samples = answers.nrows();
        let answers = answers.into_dyn();
        let scores = he::scores(&plan);
        let labels = self.labels.as_deref();
        let labels = labels.map(|path| labels::read_for(path, samples, Some(scores)));
        let accuracy = labels
            .transpose()?
            .map(|truth| labels::agreement(&labels::of(&answers, scores), &truth));
        let shape: Vec<usize> = std::iter::once(samples)
            .chain(plan.output_shape.iter().skip(1).copied())
            .collect();
        let answers = answers.into_shape_with_order(shape).map_err(Failure::new)?;
        destination.write(&answers)?;
        if json {
            return print::json(&json!({
                "output": self.output.display().to_string(),
                "samples": samples,
                "accuracy": accuracy,
            }));
        }
        let accuracy = accuracy.map_or_else(String::new, |part| format!(", accuracy {part:.4}"));
        print::line(format!(
            "decrypted the answers to {} into {}{accuracy}",
            print::count(samples, "sample"),
            self.output.display()
        ))
    }
}

/// Tell what a step wrote.
fn told(
    json: bool,
    done: &str,
    made: he::Written,
    start: Instant,
    output: &std::path::Path,
) -> Result<(), Failure> {
    let seconds = start.elapsed().as_secs_f64();
    if json {
        return print::json(&json!({
            "output": output.display().to_string(),
            "samples": made.samples,
            "bytes": made.bytes,
            "seconds": seconds,
        }));
    }
    print::line(format!(
        "{done} {} in {}: {} ({})",
        print::count(made.samples, "sample"),
        print::time(seconds),
        output.display(),
        print::bytes(made.bytes)
    ))
}
