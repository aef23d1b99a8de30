//! A model that three parties hold shares of, in a session that stays open from answer to answer.

use super::{Client, Conversations};
use crate::outcome::{Queries, deepest, report, step_name};
use crate::random::{random_id, random_seeds};
use crate::replay::{BatchReceipt, Receipt};
use crate::task;
use crate::wire::{PartyReport, Reply, Request, Turn, receive_elements, share_tensors, unexpected};
use crate::{Outcome, Phase, Progress, ServeError};
use ndarray::ArrayD;
use std::time::{Duration, Instant};
use trefoil_guard::Guard;
use trefoil_mpc::{Share, combine};
use trefoil_net::Role;
use trefoil_nn::{Plan, Weights};
use trefoil_ring::{Ring, Seed, Z32, Z64};
use trefoil_verify::replay::digest;

/// Longest wait for the parties' farewell.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is shared once: a model, and perhaps a guard over its answers.
#[derive(Clone, Copy)]
pub struct SharedModel<'m> {
    /// The plan.
    pub plan: &'m Plan,
    /// Its weights.
    pub weights: &'m Weights,
    /// A guard over its only output, which then is confidences in the place of logits.
    pub guard: Option<&'m Guard>,
    /// Whether to count what each party receives.
    pub observe: bool,
}

/// A model at three parties that answers again and again; made by [`Client::deploy`].
///
/// # Security
/// Every answer has fresh shares and batches with keys of their own, as if each were a session. The parties see that all answers are
/// of one client and one model.
pub struct Deployed<'m> {
    /// None once the session is over.
    parties: Option<Conversations>,
    plan: &'m Plan,
    guarded: bool,
    timeout: Duration,
    session: [u8; 16],
    /// Under which the owner's tensors were shared.
    secrets: [Seed; 2],
    /// What deploying took, until an answer has told of it.
    setup: Option<Setup>,
    /// Batches so far.
    batches: usize,
    /// Rounds so far.
    depth: u32,
}

/// What deploying took.
struct Setup {
    connected: Duration,
    shared: Duration,
    bytes: u64,
}

/// What an answer has gathered.
struct Gathered {
    outputs: Vec<Vec<ArrayD<f64>>>,
    /// Sharing the queries.
    inputs: Duration,
    bytes: u64,
    /// When the newest answer was here.
    answered: Instant,
    receipt: Receipt,
}

impl<'m> Deployed<'m> {
    pub(super) fn begin(
        client: &Client,
        model: &SharedModel<'m>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Self, ServeError> {
        let settings = model.guard.map(Guard::settings);
        let settings = settings.as_ref();
        settings
            .map(|settings| task::check(settings, model.plan))
            .transpose()?;
        model.plan.check_weights(model.weights)?;
        let start = Instant::now();
        progress(Progress::Connecting);
        let session = random_id()?;
        let parties = client.open(session, task::hash(model.plan, settings))?;
        let connected = start.elapsed();
        progress(Progress::Sharing);
        Self::share(model, parties, session, client.timeout, connected)
    }

    /// Share the model in a session that has just been opened.
    pub(super) fn share(
        model: &SharedModel<'m>,
        mut parties: Conversations,
        session: [u8; 16],
        timeout: Duration,
        connected: Duration,
    ) -> Result<Self, ServeError> {
        let SharedModel {
            plan,
            weights,
            guard,
            observe,
        } = *model;
        let (start, secrets) = (Instant::now(), random_seeds()?);
        let request = Request::Infer {
            plan: plan.to_bytes(),
            guard: guard.map(|guard| task::encode(&guard.settings())),
            observe,
        };
        let of_guard = guard.map(Guard::tensors).unwrap_or_default();
        let held = weights.held();
        let tensors = held.iter().map(AsRef::as_ref).chain(&of_guard);
        let shared = match plan.ring_bits {
            32 => share::<Z32>(&mut parties, &request, plan, tensors, &secrets, timeout),
            _ => share::<Z64>(&mut parties, &request, plan, tensors, &secrets, timeout),
        };
        let bytes = parties.or_failures(shared)?;
        Ok(Self {
            parties: Some(parties),
            plan,
            guarded: guard.is_some(),
            timeout,
            session,
            secrets,
            setup: Some(Setup {
                connected,
                shared: start.elapsed(),
                bytes,
            }),
            batches: 0,
            depth: 0,
        })
    }

    /// Answer queries: one array per input of the plan, as many along the first axis as one likes. The report is that of this answer;
    /// the first one's has the set-up. The receipt is for [`Client::replay`], which needs the session to be over.
    ///
    /// # Errors
    /// [`ServeError::Input`] before anything is sent; [`ServeError::Parties`] with what each party says, also of what befell it
    /// since the answer before. After any other than [`ServeError::Input`] the session is over: [`ServeError::Over`].
    ///
    /// # Panics
    /// If the inputs have different numbers of queries.
    pub fn answer(
        &mut self,
        inputs: &[ArrayD<f64>],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Outcome, Receipt), ServeError> {
        let queries = Queries::new(self.plan, inputs)?;
        let mut parties = self.parties.take().ok_or(ServeError::Over)?;
        // What has befallen them since is told, and not only that a connection is closed.
        let looked = parties.look_at_all();
        parties.or_failures(looked)?;
        let answered = self.ask(&mut parties, &queries, false, progress)?;
        self.parties = Some(parties);
        Ok(answered)
    }

    /// Answer queries, and end the session.
    pub(super) fn last(
        mut self,
        queries: &Queries,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Outcome, Receipt), ServeError> {
        let mut parties = self.parties.take().ok_or(ServeError::Over)?;
        let answered = self.ask(&mut parties, queries, true, progress)?;
        parties.join();
        Ok(answered)
    }

    fn ask(
        &mut self,
        parties: &mut Conversations,
        queries: &Queries,
        last: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Outcome, Receipt), ServeError> {
        let (gathered, start, reports) = match self.plan.ring_bits {
            32 => self.batches::<Z32>(parties, queries, last, progress)?,
            _ => self.batches::<Z64>(parties, queries, last, progress)?,
        };
        self.outcome(queries, gathered, start, &reports)
    }

    fn batches<R: Ring>(
        &mut self,
        parties: &mut Conversations,
        queries: &Queries,
        last: bool,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Gathered, Instant, Vec<PartyReport>), ServeError> {
        let start = Instant::now();
        let turn = Turn::Answer {
            batches: queries.batches.len(),
            last,
        };
        let said = parties.say_to_all(&turn, self.timeout);
        parties.or_failures(said)?;
        let mut gathered = Gathered {
            outputs: Vec::new(),
            inputs: Duration::ZERO,
            bytes: 0,
            answered: start,
            receipt: Receipt::new(self.session, self.batches, self.secrets.clone()),
        };
        for (batch, inputs) in queries.batches.iter().enumerate() {
            let of = (batch, queries.batches.len());
            let done = self.batch::<R>(parties, of, inputs, &mut gathered, progress);
            parties.or_failures(done)?;
        }
        let reports = self.reports(parties, last);
        let reports = parties.or_failures(reports)?;
        self.batches += queries.batches.len();
        Ok((gathered, start, reports))
    }

    fn batch<R: Ring>(
        &self,
        parties: &mut Conversations,
        (batch, batches): (usize, usize),
        inputs: &[ArrayD<f64>],
        gathered: &mut Gathered,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ServeError> {
        let plan = self.plan;
        let start = Instant::now();
        let (seeds, deadline) = (random_seeds()?, || Instant::now() + self.timeout);
        gathered.bytes +=
            share_tensors::<R>(&mut parties.ends, inputs, plan.format(), &seeds, deadline)?;
        gathered.inputs += start.elapsed();
        let mut outputs: [Vec<Share<R>>; 3] = Default::default();
        // Party 1 tells of each step.
        for role in [Role::P1, Role::P2, Role::P0] {
            loop {
                match parties.reply(role)? {
                    Reply::Step(index) if index <= plan.steps.len() => progress(Progress::Step {
                        batch,
                        batches,
                        index,
                        steps: plan.steps.len(),
                        name: step_name(plan, index).to_owned(),
                    }),
                    Reply::Output => break,
                    other => return Err(unexpected(role, &other)),
                }
            }
            for port in &plan.outputs {
                let shape = plan.shape(port.value);
                let len = shape.iter().product();
                let mut component =
                    || receive_elements::<R>(parties.end(role), &role.to_string(), len, deadline());
                let (mine, next) = (component()?, component()?);
                outputs[role.index()].push(Share::new(shape, mine, next));
            }
        }
        gathered.answered = Instant::now();
        let mut roots = [[0; 32]; 3];
        for role in Role::ALL {
            match parties.reply(role)? {
                Reply::Root(root) => roots[role.index()] = root,
                other => return Err(unexpected(role, &other)),
            }
        }
        gathered.receipt.batches.push(BatchReceipt {
            inputs: seeds,
            roots,
            answers: outputs.each_ref().map(|shares| digest(shares)),
        });
        let mut decoded = Vec::new();
        let [first, second, third] = outputs;
        for ((a, b), c) in first.into_iter().zip(second).zip(third) {
            let shares = [a, b, c];
            decoded.push(plan.format().decode_all(combine(&shares)?.view()));
        }
        gathered.outputs.push(decoded);
        Ok(())
    }

    fn reports(
        &self,
        parties: &mut Conversations,
        last: bool,
    ) -> Result<Vec<PartyReport>, ServeError> {
        let report = |role: Role| match (parties.reply(role)?, last) {
            (Reply::Done(report), true) | (Reply::Answered(report), false) => {
                report.check(role, self.plan.steps.len())?;
                Ok(report)
            }
            (other, _) => Err(unexpected(role, &other)),
        };
        Role::ALL.into_iter().map(report).collect()
    }

    /// Put answers and reports together.
    fn outcome(
        &mut self,
        queries: &Queries,
        gathered: Gathered,
        start: Instant,
        reports: &[PartyReport],
    ) -> Result<(Outcome, Receipt), ServeError> {
        let mut report = report(self.plan, self.guarded, self.depth, reports)?;
        self.depth = self.depth.max(deepest(reports));
        report.wall_s = gathered
            .answered
            .saturating_duration_since(start)
            .as_secs_f64();
        report.shared_bytes = gathered.bytes;
        let phase = |name: &str, time: Duration| Phase {
            name: name.into(),
            seconds: time.as_secs_f64(),
            ..Phase::default()
        };
        let mut before = Vec::new();
        if let Some(setup) = self.setup.take() {
            report.setup_s = (setup.connected + setup.shared).as_secs_f64();
            report.shared_bytes += setup.bytes;
            before.push(phase("connect", setup.connected));
            before.push(phase("share weights", setup.shared));
        }
        before.push(phase("share inputs", gathered.inputs));
        report.phases.splice(0..0, before);
        let outcome = Outcome {
            outputs: queries.assemble(self.plan, &gathered.outputs),
            report,
        };
        Ok((outcome, gathered.receipt))
    }
}

impl Drop for Deployed<'_> {
    fn drop(&mut self) {
        if let Some(parties) = self.parties.take() {
            parties.farewell(FAREWELL);
        }
    }
}

/// Send the request and the owner's tensors, and wait until all parties are connected to each other. Returns the bytes shared.
fn share<'a, R: Ring>(
    parties: &mut Conversations,
    request: &Request,
    plan: &Plan,
    tensors: impl Iterator<Item = &'a ArrayD<f64>>,
    seeds: &[Seed; 2],
    patience: Duration,
) -> Result<u64, ServeError> {
    parties.say_to_all(request, patience)?;
    let deadline = || Instant::now() + patience;
    let bytes = share_tensors::<R>(&mut parties.ends, tensors, plan.format(), seeds, deadline)?;
    parties.ready()?;
    Ok(bytes)
}
