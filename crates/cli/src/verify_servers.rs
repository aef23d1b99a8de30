//! Models as a verifying client meets them: servers that answer, public samples, files of its own.

use crate::files::{self, Preparation};
use crate::infer::BackendKind;
use crate::model::{self, Model, NumberFormat, Pictures};
use crate::options::{LinkKind, emulated_only_in_memory, seconds};
use crate::progress::Bar;
use crate::{Failure, local};
use clap::Args;
use ndarray::ArrayD;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trefoil_net::Network;
use trefoil_nn::Graph;
use trefoil_serve::{Client, Inference, PartiesFile, Receipt, Report};
use trefoil_verify::{Blame, Replayed, Servers, VerifyError};

/// Bytes of samples in one request; larger mixes are sent in several.
const REQUEST_BYTES: usize = 256 << 20;

/// Where a model is deployed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Deployed {
    /// What computes
    #[arg(long, value_enum, default_value_t = BackendKind::Secure)]
    pub(crate) backend: BackendKind,
    /// What connects the three parties, all on this machine [default: tls]
    #[arg(long, value_enum)]
    pub(crate) link: Option<LinkKind>,
    /// Emulate a network between the parties, with --link memory: `lan`, `wan`, or milliseconds and Mbit/s
    #[arg(long, value_name = "lan|wan|MS,MBIT")]
    pub(crate) network: Option<Network>,
    /// Use three running parties, as `trefoil keys` described them
    #[arg(long, value_name = "parties.toml", conflicts_with_all = ["link", "network"])]
    pub(crate) parties: Option<PathBuf>,
    /// How long to wait for a party before giving up
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// A deployed model that answers.
pub(crate) struct Deployment<'a> {
    deployed: &'a Deployed,
    model: &'a Model,
    client: Option<Client>,
    bar: Bar,
    /// Requests that can be replayed, where that is asked for: the queries and the receipt for them.
    recorded: Option<Vec<(ArrayD<f64>, Receipt)>>,
    /// Cost so far.
    pub(crate) report: Report,
}

impl Deployment<'_> {
    /// From now on, remember what is needed to replay batches.
    ///
    /// # Errors
    /// If no parties answer.
    pub(crate) fn record(&mut self) -> Result<(), Failure> {
        if self.client.is_none() {
            return Err(Failure::misuse(
                "replays are of the messages of three parties, and this back end has none",
            )
            .help("choose --backend secure, or a plan without replays"));
        }
        self.recorded = Some(Vec::new());
        Ok(())
    }

    /// Say what is being done.
    pub(crate) fn say(&self, what: String) {
        self.bar.say(what);
    }
}

impl Deployed {
    /// Get ready to ask; parties on this machine are started.
    ///
    /// # Errors
    /// If options contradict each other, or parties cannot be started or reached.
    pub(crate) fn deploy<'a>(&'a self, model: &'a Model) -> Result<Deployment<'a>, Failure> {
        let client = match (self.backend, &self.parties) {
            (BackendKind::Secure, Some(path)) => {
                let parties = PartiesFile::load(path).map_err(|error| {
                    Failure::new(error).help("make configuration files with: trefoil keys")
                })?;
                Some(Client::connect(&parties, self.timeout)?)
            }
            (BackendKind::Secure, None) => {
                let link = self.link.unwrap_or(LinkKind::Tls);
                emulated_only_in_memory(self.network, link)?;
                Some(link.client(self.network, self.timeout)?)
            }
            (_, parties) => {
                if parties.is_some() || self.link.is_some() || self.network.is_some() {
                    return Err(Failure::misuse(
                        "--link, --network and --parties are for --backend secure only",
                    )
                    .help("leave them out, or choose --backend secure"));
                }
                None
            }
        };
        Ok(Deployment {
            deployed: self,
            model,
            client,
            bar: Bar::new("starting"),
            recorded: None,
            report: Report::default(),
        })
    }
}

impl Servers for Deployment<'_> {
    type Error = Failure;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Failure> {
        let bar = &self.bar;
        let mut progress = |progress| bar.show(progress);
        let outcome = match &mut self.client {
            None => {
                let values = queries.clone();
                let pictures = Pictures::of(values);
                if self.deployed.backend == BackendKind::Clear {
                    local::clear(self.model, &pictures, &mut progress)?
                } else {
                    local::fixed(self.model, &pictures, &mut progress)?
                }
            }
            Some(client) => {
                let job = Inference {
                    plan: &self.model.plan,
                    weights: &self.model.weights,
                    guard: self.model.guard.as_ref(),
                    inputs: std::slice::from_ref(queries),
                    observe: false,
                };
                if let Some(recorded) = &mut self.recorded {
                    let (outcome, receipt) = client.infer_with_receipt(&job, &mut progress)?;
                    recorded.push((queries.clone(), receipt));
                    outcome
                } else {
                    client.infer(&job, &mut progress)?
                }
            }
        };
        self.report.wall_s += outcome.report.wall_s;
        self.report.setup_s += outcome.report.setup_s;
        self.report.rounds += outcome.report.rounds;
        for role in 0..3 {
            self.report.bytes_sent_per_party[role] += outcome.report.bytes_sent_per_party[role];
        }
        let answers = outcome.outputs.into_iter().next();
        answers.ok_or_else(|| Failure::new("the parties returned no answer"))
    }
}

impl Replayed for Deployment<'_> {
    fn batches(&self) -> usize {
        let recorded = self.recorded.iter().flatten();
        recorded.map(|(_, receipt)| receipt.batches()).sum()
    }

    fn replay(&mut self, batch: usize) -> Result<Option<Blame>, Failure> {
        let mut before = 0;
        for (queries, receipt) in self.recorded.iter().flatten() {
            if batch < before + receipt.batches() {
                let job = Inference {
                    plan: &self.model.plan,
                    weights: &self.model.weights,
                    guard: self.model.guard.as_ref(),
                    inputs: std::slice::from_ref(queries),
                    observe: false,
                };
                let client = self.client.as_mut();
                let client = client.ok_or(VerifyError::NotRecorded { batch })?;
                return Ok(client.replay(&job, receipt, batch - before)?);
            }
            before += receipt.batches();
        }
        Err(VerifyError::NotRecorded { batch }.into())
    }
}

/// Runs that one request holds: whole batches.
pub(crate) fn at_once(model: &Model) -> usize {
    let sample: usize = model.plan.inputs.first().map_or(1, |input| {
        model.plan.shape(input.value).iter().skip(1).product()
    });
    let batches = REQUEST_BYTES / (8 * sample.max(1) * model.plan.batch).max(1);
    batches.max(1) * model.plan.batch
}

/// A model compiled for one sample at once, whose gradients and tolerances are known.
///
/// # Errors
/// If it cannot be compiled so.
pub(crate) fn single(graph: &Graph, format: NumberFormat) -> Result<Model, Failure> {
    Model::compile(graph, 1, Some(1), format)
}

/// Public samples in files.
pub(crate) mod read_public {
    use super::{Failure, Graph, Path, Preparation, files, model};
    use ndarray::{ArrayD, Axis, Slice};
    use trefoil_verify::PublicSet;

    /// Read samples for the input of `graph` from `path` and their labels from `labels`, which may be the same file: an .npz
    /// archive of `pictures` and `labels`, or a CIFAR-10 binary.
    ///
    /// # Errors
    /// If one is missing or they do not fit each other or the model.
    pub(crate) fn set(
        path: &Path,
        labels: &Path,
        preparation: &Preparation,
        graph: &Graph,
    ) -> Result<PublicSet, Failure> {
        let pictures = model::pictures(path, preparation, graph)?;
        let shown = labels.display();
        let labels = files::labels(labels)?;
        let is_class = |v: f64| v.fract() == 0.0 && (0.0..1e9).contains(&v);
        if let Some((index, value)) = crate::arrays::first(&labels, |v| !is_class(v)) {
            return Err(Failure::new(format!(
                "labels of {shown}: {value} at {index:?} is not a class"
            ))
            .help("labels are the classes' numbers, counted from 0"));
        }
        let labels = labels.iter().map(|&label| label as usize).collect();
        let [samples] = <[_; 1]>::try_from(pictures.inputs)
            .map_err(|_| Failure::new("public samples are of models with one input"))?;
        PublicSet::new(samples, labels).map_err(|error| {
            Failure::new(format!("{shown}: {error}"))
                .help("numpy.savez(path, pictures=…, labels=…)")
        })
    }

    /// At most the first `count` samples.
    pub(crate) fn first(samples: &ArrayD<f64>, count: usize) -> ArrayD<f64> {
        let end = count.min(samples.len_of(Axis(0)));
        samples.slice_axis(Axis(0), Slice::from(..end)).to_owned()
    }
}

/// Write a text file that only its owner can read: it appears whole, or not at all.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let save = || -> Result<(), Box<dyn std::error::Error>> {
        let mut file = tempfile::Builder::new()
            .prefix(".trefoil-")
            .suffix(".tmp")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    save().map_err(|error| {
        Failure::new(format!("cannot write {}: {error}", path.display()))
            .help("check that its folder exists and that you may write to it")
    })
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let help = match &error {
            VerifyError::Servers(_) => {
                "nothing is accepted, and public samples that were sent are spent; see that the servers run, \
                 then ask again"
            }
            VerifyError::TooFewPublic { .. } | VerifyError::TooWeak { .. } => {
                "make another plan with `trefoil verify plan`, or bring more public samples"
            }
            VerifyError::NoGradient { .. } => {
                "fingerprints need a model of those layers. For `infer --verify`, write `tolerance = …` into the plan of the mix, \
                 measured from repeated answers to one query"
            }
            _ => return Self::new(error),
        };
        Self::new(error).help(help)
    }
}
