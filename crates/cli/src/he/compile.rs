//! `trefoil he compile`: a plan for its owner, a program for the server.

use super::fresh;
use crate::options::{ModelOption, PreparationOptions};
use crate::{Bar, Failure, Inputs, print};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::path::PathBuf;
use trefoil::he::{
    self, Comparison, Compiled, Interval, Method, Options, Packing, Polynomial, Report,
};
use trefoil::{Samples, Source, labels};

/// Options of `trefoil he compile`.
#[derive(Debug, Args)]
pub(crate) struct Compile {
    #[command(flatten)]
    model: ModelOption,
    /// The output that is wanted, of a model with several
    #[arg(long, value_name = "NAME")]
    output_name: Option<String>,
    /// Calibration samples: where the inputs of activations lie, which is where polynomials are fitted. They stay here
    #[arg(long, value_name = "X.npy")]
    calibrate: PathBuf,
    /// Samples on which accuracy is measured before and after [default: those of --calibrate]
    #[arg(short, long, value_name = "X.npy")]
    input: Option<PathBuf>,
    /// The true classes of those samples: adds accuracies
    #[arg(long, value_name = "Y.npy")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    preparation: PreparationOptions,
    /// Where to write the plan, which the owner keeps
    #[arg(long, value_name = "PLAN")]
    plan: PathBuf,
    /// Where to write the program, which the server gets
    #[arg(long, value_name = "PROGRAM")]
    program: PathBuf,
    /// Degree of the polynomials in the place of activations, 2 to 7
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::value_parser!(u8).range(2..=7))]
    degree: u8,
    /// Take the lowest degree, --degree at most, whose largest error on the interval is below this
    #[arg(long, value_name = "ERROR")]
    max_error: Option<f64>,
    /// How polynomials are fitted
    #[arg(long, value_enum, default_value_t = Fitting::LeastSquares)]
    fit: Fitting,
    /// Polynomials that the model was fine-tuned with (this program does not train): JSON of activations' nodes to
    /// coefficients, lowest power first, as in {"relu1": [0.1, 0.5, 0.2]}. Others are fitted
    #[arg(long, value_name = "P.json")]
    polynomials: Option<PathBuf>,
    /// By how much the calibrated interval of each activation is widened, 1 for not at all
    #[arg(long, value_name = "FACTOR", default_value = "1.5")]
    widen: f64,
    /// The least and the greatest number of inputs; others are refused at encryption
    #[arg(long, value_name = "LOW,HIGH", default_value = "0,1", value_parser = interval, allow_hyphen_values = true)]
    input_range: Interval,
    /// Bits of an input, without its sign
    #[arg(long, value_name = "BITS", default_value = "8")]
    input_bits: u32,
    /// Bits of a weight, with its sign
    #[arg(long, value_name = "BITS", default_value = "8")]
    weight_bits: u32,
    /// How samples lie in ciphertexts
    #[arg(long, value_enum, default_value_t = PackingOption::Batch)]
    packing: PackingOption,
    /// Encrypt the weights with every query: the server learns the network's structure and polynomials alone. For very small networks
    #[arg(long)]
    encrypted_model: bool,
}

/// How polynomials are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Fitting {
    /// Small errors where calibration samples are
    LeastSquares,
    /// Close to the smallest maximum error
    Chebyshev,
    /// By the derivative, so that slopes follow the function's
    Integrated,
}

/// How samples lie in ciphertexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PackingOption {
    /// A slot for each sample: thousands for the time of one
    Batch,
    /// A sample in the slots of a ciphertext: the shortest time for one; larger keys
    Single,
}

/// Two numbers, as a user writes them.
fn interval(text: &str) -> Result<Interval, String> {
    let ends = text.split_once(',').map(|(low, high)| {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        number(low).zip(number(high))
    });
    match ends.flatten() {
        Some((low, high)) => Interval::new(low, high).map_err(|error| error.to_string()),
        None => Err("two numbers are expected, such as 0,1".to_owned()),
    }
}

impl Compile {
    /// Compile, compare, write and tell.
    pub(super) fn run(&self, json: bool) -> Result<(), Failure> {
        let inputs = Inputs::default()
            .with("--model", [self.model.path()])
            .with("--calibrate", [&self.calibrate])
            .with("--input", &self.input)
            .with("--labels", &self.labels)
            .with("--polynomials", &self.polynomials);
        let outputs = [
            ("--plan", self.plan.as_path()),
            ("--program", self.program.as_path()),
        ];
        fresh(&outputs, &inputs)?;
        let options = self.options()?;
        let mut source = Source::open_output(self.model.path(), self.output_name.as_deref())?;
        let read = |source: &Source, path| source.samples(path, &self.preparation.preparation());
        let calibration = read(&source, &self.calibrate)?;
        source.bind_samples(&calibration);
        let compared = self.input.as_ref().map(|path| read(&source, path));
        let compared = compared.transpose()?;
        let (compiled, comparison) = {
            let bar = Bar::new("compiling");
            let compiled = he::compile(&source, &calibration, &options)?;
            bar.say("comparing with the model as it was".to_owned());
            let samples = compared.as_ref().unwrap_or(&calibration);
            let comparison = self.compare(&compiled, samples)?;
            (compiled, comparison)
        };
        let report = Report::of(&compiled, comparison)?;
        he::save(&compiled, &self.plan, &self.program)?;
        if json {
            return print::json(&report);
        }
        print::line(report.to_string())?;
        let weights = if self.encrypted_model {
            "no weights"
        } else {
            "the weights in the clear"
        };
        print::line(format!(
            "wrote the plan {}, which stays with its owner, and the program {} for the server, which holds {weights}",
            self.plan.display(),
            self.program.display()
        ))
    }

    fn options(&self) -> Result<Options, Failure> {
        let polynomials: BTreeMap<String, Vec<f64>> = match &self.polynomials {
            None => BTreeMap::new(),
            Some(path) => {
                let wrong = |error: &dyn std::fmt::Display| {
                    Failure::new(format!("{}: {error}", path.display()))
                        .help("JSON of nodes to coefficients is expected, as in {\"relu1\": [0.1, 0.5, 0.2]}")
                };
                let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
                serde_json::from_str(&text).map_err(|error| wrong(&error))?
            }
        };
        let polynomials = polynomials.into_iter();
        Ok(Options {
            degree: usize::from(self.degree),
            error: self.max_error,
            polynomials: polynomials
                .map(|(node, all)| (node, Polynomial::new(all)))
                .collect(),
            method: match self.fit {
                Fitting::LeastSquares => Method::LeastSquares,
                Fitting::Chebyshev => Method::Chebyshev,
                Fitting::Integrated => Method::Integrated,
            },
            widen: self.widen,
            input_range: self.input_range,
            input_bits: self.input_bits,
            weight_bits: self.weight_bits,
            encrypted_model: self.encrypted_model,
            packing: match self.packing {
                PackingOption::Batch => Packing::Batch,
                PackingOption::Single => Packing::Single,
            },
        })
    }

    fn compare(&self, compiled: &Compiled, samples: &Samples) -> Result<Comparison, Failure> {
        let scores = he::scores(&compiled.plan);
        let labels = self.labels.as_deref();
        let labels = labels.map(|path| labels::read_for(path, samples.len(), Some(scores)));
        let labels = labels.transpose()?;
        Ok(he::compare(compiled, samples, labels.as_deref())?)
    }
}
