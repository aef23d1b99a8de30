//! A protocol as the audit runs it: secrets, program, and what it may open.

use crate::sample::{Sample, Shown};
use crate::view_test::examine;
use crate::world::{Inputs, Opened, Secret, Setup, Vary, views};
use crate::{AuditError, Finding, Random};
use serde::Serialize;
use std::sync::Arc;
use trefoil_mpc::{Abort, Party};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// A corrected p-value below this is a leak. An audit of a hundred views raises a false alarm once in ten thousand.
pub const LEVEL: f64 = 1e-6;
/// Runs that show that a party receives nothing.
const FEW_RUNS: usize = 16;
/// Most runs of a protocol on large tensors: what is looked for there, reuse between pieces, shows in few.
const WIDE_RUNS: usize = 96;

type Experiment = dyn Fn(&Setup) -> Result<Sample, AuditError> + Send + Sync;

/// One protocol of the list.
#[derive(Clone)]
pub struct Entry {
    /// Its name, unique in the list.
    pub name: &'static str,
    /// The public functions that it exercises, as `crate::function`.
    pub covers: &'static [&'static str],
    experiment: Arc<Experiment>,
    /// Most runs per secret.
    most_runs: usize,
}

/// Whether a party's view depends on secrets, as far as the tests can tell.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The protocol.
    pub protocol: String,
    /// The party whose view it is.
    pub party: Role,
    /// Messages that it receives in a run.
    pub messages: usize,
    /// Bytes that it receives in a run.
    pub bytes: usize,
    /// Runs per secret.
    pub runs: usize,
    /// The seed from which everything follows.
    pub seed: u64,
    /// Every test's result; the two that need no statistics come first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The smallest corrected p-value.
    pub fn p(&self) -> f64 {
        self.findings.iter().map(|f| f.p).fold(1.0, f64::min)
    }

    /// Whether a test found a leak.
    pub fn leaks(&self) -> bool {
        self.p() < LEVEL
    }

    /// The findings that are leaks, the most telling first: by p-value, then by effect.
    pub fn leaking(&self) -> Vec<&Finding> {
        let mut leaking: Vec<&Finding> = self.findings.iter().filter(|f| f.p < LEVEL).collect();
        leaking.sort_by(|a, b| a.p.total_cmp(&b.p).then(b.effect.total_cmp(&a.effect)));
        leaking
    }
}

impl Entry {
    /// A protocol over `R` that opens nothing.
    ///
    /// `secrets` makes the two secrets, valid inputs of the same shapes that are as different as the protocol
    /// allows. Sizes should be multiples of 8, so that packed bits fill whole bytes: the bits of a byte that is
    /// filled in part are tested for linear relations alone.
    pub fn new<R: Ring>(
        name: &'static str,
        covers: &'static [&'static str],
        secrets: impl Fn(&mut Random) -> [Secret<R>; 2] + Send + Sync + 'static,
        protocol: impl AsyncFn(&Party, &Inputs<R>) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        Self::build(
            name,
            covers,
            secrets,
            Shown::Nothing,
            async move |party, inputs| protocol(party, inputs).await.map(|()| Opened::new()),
        )
    }

    /// [`Entry::new`] for tensors of several tiles or chunks of keys, in fewer runs: what repeats from one piece to the next
    /// is found in few, and views are large.
    pub fn wide<R: Ring>(
        name: &'static str,
        covers: &'static [&'static str],
        secrets: impl Fn(&mut Random) -> [Secret<R>; 2] + Send + Sync + 'static,
        protocol: impl AsyncFn(&Party, &Inputs<R>) -> Result<(), Abort> + Send + Sync + 'static,
    ) -> Self {
        Self {
            most_runs: WIDE_RUNS,
            ..Self::new(name, covers, secrets, protocol)
        }
    }

    /// A protocol over `R` that opens `ideal(secret)`, one vector for each message of step `Open` that a party
    /// receives (bits in words of 64), and nothing else. The protocol returns each party's shares of what was opened
    /// to it.
    pub fn opening<R: Ring>(
        name: &'static str,
        covers: &'static [&'static str],
        secrets: impl Fn(&mut Random) -> [Secret<R>; 2] + Send + Sync + 'static,
        ideal: impl Fn(&Secret<R>) -> Vec<Vec<u64>> + Send + Sync + 'static,
        protocol: impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort> + Send + Sync + 'static,
    ) -> Self {
        let shown = Shown::Opened(Box::new(ideal));
        Self::build(name, covers, secrets, shown, protocol)
    }

    /// A protocol over `R` that answers a client ([`Inputs::client`]) with outputs of which `may_be(secret, outputs)` holds,
    /// and with nothing else. It returns each party's shares of the outputs, in the order of the answers.
    pub fn answering<R: Ring>(
        name: &'static str,
        covers: &'static [&'static str],
        secrets: impl Fn(&mut Random) -> [Secret<R>; 2] + Send + Sync + 'static,
        may_be: impl Fn(&Secret<R>, &[Vec<R>]) -> bool + Send + Sync + 'static,
        protocol: impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort> + Send + Sync + 'static,
    ) -> Self {
        let shown = Shown::Answered(Box::new(may_be));
        Self::build(name, covers, secrets, shown, protocol)
    }

    fn build<R: Ring>(
        name: &'static str,
        covers: &'static [&'static str],
        secrets: impl Fn(&mut Random) -> [Secret<R>; 2] + Send + Sync + 'static,
        shown: Shown<R>,
        protocol: impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort> + Send + Sync + 'static,
    ) -> Self {
        let experiment = move |setup: &Setup| {
            let secret = &secrets(&mut Random::of(setup.seed, "secrets"))[setup.secret & 1];
            let views = views(name, setup, secret, &protocol)?;
            Ok(Sample::new(views, secret, &shown))
        };
        Self {
            name,
            covers,
            experiment: Arc::new(experiment),
            most_runs: usize::MAX,
        }
    }

    /// Run the protocol `runs` times for each of two secrets, and test what `party` received.
    ///
    /// # Errors
    /// If a party aborts.
    pub fn audit(&self, party: Role, runs: usize, seed: u64) -> Result<Verdict, AuditError> {
        self.audit_varying(party, runs, seed, Vary::Others)
    }

    /// [`Entry::audit`] with another choice of what varies.
    ///
    /// # Errors
    /// If a party aborts.
    pub fn audit_varying(
        &self,
        party: Role,
        runs: usize,
        seed: u64,
        vary: Vary,
    ) -> Result<Verdict, AuditError> {
        // Protocols do not share randomness, so that a false alarm of one says nothing about another.
        let own_seed = Random::of(seed, self.name).word();
        let sample = |secret, runs| {
            (self.experiment)(&Setup {
                corrupt: party,
                seed: own_seed,
                secret,
                runs,
                vary,
            })
        };
        let mut runs = runs.clamp(FEW_RUNS, self.most_runs);
        let few = [sample(0, FEW_RUNS)?, sample(1, FEW_RUNS)?];
        let nothing = few.iter().all(|s| s.shapes.iter().all(Vec::is_empty));
        let samples = if nothing {
            runs = FEW_RUNS;
            few
        } else {
            [sample(0, runs)?, sample(1, runs)?]
        };
        Ok(Verdict {
            protocol: self.name.to_owned(),
            party,
            messages: samples[0].messages(),
            bytes: samples[0].bytes(),
            runs,
            seed,
            findings: examine(&samples, own_seed),
        })
    }
}
