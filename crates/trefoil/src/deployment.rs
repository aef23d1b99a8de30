//! Where a model runs: in this process, or on three parties.

use crate::Error;
use crate::local;
use crate::model::Model;
use crate::samples::Samples;
use crate::watch::Watch;
use ndarray::ArrayD;
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};
use trefoil_net::NetworkProfile;
use trefoil_serve::{
    Client, Deployed, Inference, Outcome, PartiesFile, Receipt, Report, SharedModel,
};
use trefoil_verify::{Blame, Replayed, Servers, VerifyError};

/// Bytes of samples in one request; larger mixes are sent in several.
const REQUEST_BYTES: usize = 256 << 20;

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// 64-bit floats, in this process: the definition of the result.
    Clear,
    /// The parties' arithmetic and rounding, in this process.
    Fixed,
    /// Three parties, none of which sees model, samples or answers.
    Secure,
}

/// What connects three parties on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Three threads of this process.
    Memory,
    /// Three processes over TCP, unencrypted.
    Tcp,
    /// Three processes over TLS 1.3, each knowing the others' keys.
    Tls,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// Three parties that compute for whoever asks them.
///
/// # Security
/// Parties of this machine ([`Parties::in_process`], [`Parties::spawn`]) show what three servers would do; the machine's administrator
/// sees everything. Against one corrupt server protects only [`Parties::connect`], to three machines in different hands.
pub struct Parties {
    pub(crate) client: Client,
    started: Duration,
}

impl Parties {
    /// Three threads of this process; with a `network`, their links are paced like it.
    ///
    /// # Errors
    /// If the system has no threads left.
    pub fn in_process(network: Option<NetworkProfile>, timeout: Duration) -> Result<Self, Error> {
        Self::of(|| Ok(Client::in_process(network, timeout)?))
    }

    /// Three processes of this machine over loopback, with fresh keys, that end with this value. `program` is `trefoil-party` or
    /// `trefoil`. `link` is [`Link::Tcp`] or [`Link::Tls`]; with [`Link::Memory`] it is threads.
    ///
    /// # Errors
    /// If they cannot be started.
    pub fn spawn(program: &Path, link: Link, timeout: Duration) -> Result<Self, Error> {
        let link = match link {
            Link::Memory => return Self::in_process(None, timeout),
            Link::Tcp => trefoil_serve::Link::Tcp,
            Link::Tls => trefoil_serve::Link::Tls,
        };
        Self::of(|| Ok(Client::processes(program, link, timeout)?))
    }

    /// Three running parties anywhere, described by the `parties.toml` of `trefoil keys`.
    ///
    /// # Errors
    /// If the file or the keys that it names cannot be read.
    pub fn connect(file: &Path, timeout: Duration) -> Result<Self, Error> {
        let parties = PartiesFile::load(file).map_err(|error| {
            Error::new(error).with_help("make configuration files with: trefoil keys")
        })?;
        Self::of(|| Ok(Client::connect(&parties, timeout)?))
    }

    fn of(start: impl FnOnce() -> Result<Client, Error>) -> Result<Self, Error> {
        let began = Instant::now();
        let client = start()?;
        let started = began.elapsed();
        Ok(Self { client, started })
    }

    /// Let them compute `model`. Each of them gets shares of its weights once, with the first answer; then the session with them stays
    /// open, and they serve nobody else, until the deployment is [closed](Deployment::close) or dropped.
    pub fn deploy(self, model: &Model) -> Deployment<'_> {
        Deployment::of(model, Place::Parties(self))
    }
}

enum Place {
    Clear,
    Fixed,
    Parties(Parties),
}

/// A deployed model that answers, as often as it is asked.
///
/// Three parties hold shares of it from the first answer on. If one of them fails, or ends the session because it was open for too long
/// without a request, the next call of [`Deployment::answer`] says so, naming the party; the call after that begins anew.
pub struct Deployment<'m> {
    model: &'m Model,
    /// The open session with the parties, which ends before they do.
    session: Option<Deployed<'m>>,
    place: Place,
    watch: Box<Watch<'m>>,
    /// Requests that can be replayed, where that is asked for: the queries and the receipt for them.
    recorded: Option<Vec<(ArrayD<f64>, Receipt)>>,
    /// Cost so far.
    pub report: Report,
}

impl<'m> Deployment<'m> {
    fn of(model: &'m Model, place: Place) -> Self {
        Self {
            model,
            session: None,
            place,
            watch: Box::new(|_, _| ()),
            recorded: None,
            report: Report::default(),
        }
    }

    /// The model in this process, in 64-bit floats.
    pub fn clear(model: &'m Model) -> Self {
        Self::of(model, Place::Clear)
    }

    /// The model in this process, in the parties' arithmetic with their rounding. Its coins are the same for every run, so that
    /// results can be repeated.
    pub fn fixed(model: &'m Model) -> Self {
        Self::of(model, Place::Fixed)
    }

    /// This, with somebody who is told what goes on.
    #[must_use]
    pub fn watched(
        self,
        watch: impl FnMut(&'static str, Option<trefoil_serve::Progress>) + 'm,
    ) -> Self {
        Self {
            watch: Box::new(watch),
            ..self
        }
    }

    /// Tell who watches.
    pub fn tell(&mut self, what: &'static str, progress: Option<trefoil_serve::Progress>) {
        (self.watch)(what, progress);
    }

    /// From now on, remember what is needed to replay batches.
    ///
    /// # Errors
    /// If no parties answer.
    pub fn record(&mut self) -> Result<(), Error> {
        if !matches!(self.place, Place::Parties(_)) {
            return Err(Error::misuse(
                "replays are of the messages of three parties, and this back end has none",
            )
            .with_help("choose --backend secure, or a plan without replays"));
        }
        self.recorded = Some(Vec::new());
        Ok(())
    }

    /// The model's answers `[N, …]` to samples of it.
    ///
    /// Nothing is compared with the clear: [`crate::Prepared::answer`] does that.
    ///
    /// # Errors
    /// If the numbers cannot hold the samples, they are outside the declared range, or the servers fail.
    pub fn answer(&mut self, samples: &Samples) -> Result<ArrayD<f64>, Error> {
        let scaled = self.model.scaled(samples)?;
        self.model.check_declared(&scaled)?;
        if !matches!(self.place, Place::Clear) {
            self.model.check_range(&scaled)?;
        }
        let answers = self.run(&scaled)?.outputs.into_iter().next();
        answers.ok_or_else(|| Error::new("the parties returned no answer"))
    }

    /// Run the model on samples as its plan takes them.
    pub(crate) fn run(&mut self, samples: &Samples) -> Result<Outcome, Error> {
        let watch = &mut self.watch;
        let mut progress = |progress| watch("starting", Some(progress));
        let outcome = match &mut self.place {
            Place::Clear => local::clear(self.model, samples, &mut progress)?,
            Place::Fixed => local::fixed(self.model, samples, &mut progress)?,
            Place::Parties(parties) => {
                let mut session = if let Some(session) = self.session.take() {
                    session
                } else {
                    let shared = shared(self.model);
                    parties.client.deploy(&shared, &mut progress)?
                };
                // A session that has failed is left behind.
                let (mut outcome, receipt) = session.answer(&samples.inputs, &mut progress)?;
                self.session = Some(session);
                if let Some(recorded) = &mut self.recorded {
                    recorded.extend(samples.inputs.first().map(|first| (first.clone(), receipt)));
                }
                outcome.report.setup_s += std::mem::take(&mut parties.started).as_secs_f64();
                outcome
            }
        };
        self.report.wall_s += outcome.report.wall_s;
        self.report.setup_s += outcome.report.setup_s;
        self.report.rounds += outcome.report.rounds;
        self.report.shared_bytes += outcome.report.shared_bytes;
        for role in 0..3 {
            self.report.bytes_sent_per_party[role] += outcome.report.bytes_sent_per_party[role];
        }
        Ok(outcome)
    }

    /// End the session with the parties, so that they serve others; the next answer begins another one. Does nothing where there
    /// is none.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// Samples that one request holds: whole batches.
    pub fn at_once(&self) -> usize {
        let plan = &self.model.plan;
        let sample: usize = plan
            .inputs
            .first()
            .map_or(1, |input| plan.shape(input.value).iter().skip(1).product());
        let batches = REQUEST_BYTES / (8 * sample.max(1) * plan.batch).max(1);
        batches.max(1) * plan.batch
    }
}

fn shared(model: &Model) -> SharedModel<'_> {
    SharedModel {
        plan: &model.plan,
        weights: &model.weights,
        guard: model.guard.as_ref(),
        observe: false,
    }
}

impl Servers for Deployment<'_> {
    type Error = Error;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Error> {
        let outcome = self.run(&Samples::of(queries.clone()))?;
        let answers = outcome.outputs.into_iter().next();
        answers.ok_or_else(|| Error::new("the parties returned no answer"))
    }
}

impl Replayed for Deployment<'_> {
    fn batches(&self) -> usize {
        let recorded = self.recorded.iter().flatten();
        recorded.map(|(_, receipt)| receipt.batches()).sum()
    }

    fn replay(&mut self, batch: usize) -> Result<Option<Blame>, Error> {
        // The parties open batches of sessions that are over.
        self.close();
        let Place::Parties(parties) = &mut self.place else {
            return Err(VerifyError::NotRecorded { batch }.into());
        };
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
                return Ok(parties.client.replay(&job, receipt, batch - before)?);
            }
            before += receipt.batches();
        }
        Err(VerifyError::NotRecorded { batch }.into())
    }
}
