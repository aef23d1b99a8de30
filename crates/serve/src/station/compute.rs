//! One session's computation: the requests of a batch, over shares that are in memory.

use super::books::Model;
use super::desk::Job;
use super::parts;
use crate::session::Task;
use crate::{Limits, ServeError, task};
use std::time::Duration;
use trefoil_guard::{GuardRing, GuardSettings};
use trefoil_mpc::{Abort, PairSeeds, Party, PartyConfig, Share};
use trefoil_net::{Role, Rotated, Rotation, Transport};
use trefoil_nn::{Plan, Secure};
use trefoil_ring::{Ring, Z32, Z64};

/// A version of a model, ready to compute.
pub(crate) struct Loaded {
    task: Task,
    weights: Weights,
}

/// A party's shares of weights and guard.
enum Weights {
    Z32(Vec<Share<Z32>>),
    Z64(Vec<Share<Z64>>),
}

/// What a session needs beside the model and the requests.
pub(crate) struct SessionContext {
    /// This party's place among the three: its role in everything but the computation.
    pub(crate) place: Role,
    /// The roles of the computation: preparing, which is less work, goes round.
    pub(crate) rotation: Rotation,
    pub(crate) id: [u8; 16],
    /// The seeds shared with each peer, by its place.
    pub(crate) seeds: PairSeeds,
    /// Longest wait for one frame.
    pub(crate) timeout: Duration,
    /// Most bytes that are kept unread from one peer.
    pub(crate) bytes: u64,
    pub(crate) transport: Box<dyn Transport>,
}

/// What comes of a session at this party.
pub(crate) struct Computed {
    /// Its shares of the answer of each request.
    pub(crate) answers: Vec<Vec<u8>>,
    /// Rounds that it waited for.
    pub(crate) rounds: u64,
    /// Bytes that it sent to its peers.
    pub(crate) bytes_sent: u64,
}

/// What is public of a pushed version, checked.
pub(crate) struct Public {
    pub(crate) plan: Plan,
    pub(crate) guard: Option<GuardSettings>,
}

impl Public {
    /// Read an encoded plan and guard, which may come from anyone, and check that this party would compute them.
    pub(crate) fn read(
        plan: &[u8],
        guard: Option<&[u8]>,
        limits: &Limits,
    ) -> Result<Self, ServeError> {
        let plan = Plan::from_bytes(plan)?;
        let guard = guard.map(|bytes| task::decode(bytes, &plan)).transpose()?;
        if let Some(place) = plan.mixes_samples() {
            return Err(ServeError::Conversation {
                peer: "the owner".into(),
                problem: format!(
                    "pushed a plan in which the samples of a batch meet (in `{place}`): one user's answer would depend on \
                     another's query; compile the model for a batch of its own"
                ),
            });
        }
        let public = Self { plan, guard };
        limits.check(&public.plan, &public.secrets())?;
        Ok(public)
    }

    /// The shapes of the owner's tensors: the plan's weights, then the guard's.
    pub(crate) fn secrets(&self) -> Vec<Vec<usize>> {
        let weights = self.plan.weights.iter();
        let mut secrets: Vec<_> = weights
            .map(|port| self.plan.shape(port.value).to_vec())
            .collect();
        secrets.extend(self.guard.iter().flat_map(GuardSettings::tensors));
        secrets
    }
}

/// The shapes of a plan's inputs for `samples` samples.
pub(crate) fn inputs(plan: &Plan, samples: usize) -> Vec<Vec<usize>> {
    rows(plan, &plan.inputs, samples)
}

/// The shapes of a plan's outputs for `samples` samples.
pub(crate) fn outputs(plan: &Plan, samples: usize) -> Vec<Vec<usize>> {
    rows(plan, &plan.outputs, samples)
}

fn rows(plan: &Plan, ports: &[trefoil_nn::Port], samples: usize) -> Vec<Vec<usize>> {
    let shape = |port: &trefoil_nn::Port| {
        let mut shape = plan.shape(port.value).to_vec();
        if let Some(first) = shape.first_mut() {
            *first = samples;
        }
        shape
    };
    ports.iter().map(shape).collect()
}

impl Loaded {
    /// From what the books have of a version, and this party's part of its weights and guard.
    pub(crate) fn new(
        role: Role,
        model: &Model,
        part: &[u8],
        limits: &Limits,
    ) -> Result<Self, ServeError> {
        let public = Public::read(&model.plan, model.guard.as_deref(), limits)?;
        let secrets = public.secrets();
        let wrong = || ServeError::Conversation {
            peer: "the store".into(),
            problem: "holds a part of another length than the plan's weights".into(),
        };
        let weights = if public.plan.ring_bits == 32 {
            Weights::Z32(parts::expand(role, part, &secrets).ok_or_else(wrong)?)
        } else {
            Weights::Z64(parts::expand(role, part, &secrets).ok_or_else(wrong)?)
        };
        let Public { plan, guard } = public;
        Ok(Self {
            task: Task { plan, guard },
            weights,
        })
    }

    /// What it computes.
    pub(crate) fn plan(&self) -> &Plan {
        &self.task.plan
    }

    /// Run a session.
    pub(crate) fn compute(
        &self,
        session: SessionContext,
        job: &Job,
    ) -> Result<Computed, ServeError> {
        match &self.weights {
            Weights::Z32(weights) => self.compute_in(weights, session, job),
            Weights::Z64(weights) => self.compute_in(weights, session, job),
        }
    }

    fn compute_in<R: GuardRing>(
        &self,
        weights: &[Share<R>],
        session: SessionContext,
        job: &Job,
    ) -> Result<Computed, ServeError> {
        let SessionContext {
            place,
            rotation,
            id,
            seeds,
            timeout,
            bytes,
            transport,
        } = session;
        // Components are held by place: those of `place` are those of its role, counted from another one.
        let inputs = self.gather::<R>(place, job)?;
        let config = PartyConfig {
            role: rotation.role(place),
            session: id,
            seeds: Role::ALL.map(|role| seeds[rotation.place(role).index()].clone()),
            timeout,
        };
        let party = Party::new(config, Box::new(Rotated::new(transport, rotation)));
        party.keep_unread(bytes);
        let outputs = party.run(async |party| {
            let backend = Secure::<R>::new(party.fork(), self.task.plan.format());
            let outputs = self
                .task
                .compute(&backend, weights, inputs, &mut |_, _, _| ())
                .await?;
            Ok::<_, Abort>(outputs)
        });
        let outputs = outputs.map_err(|abort| abort.renamed(|role| rotation.place(role)))?;
        let mut answers = Vec::with_capacity(job.parts.len());
        let mut first = 0;
        for (samples, _) in &job.parts {
            let samples = *samples as usize;
            answers.push(answer_of(
                &outputs,
                self.task.plan.batch,
                first..first + samples,
            ));
            first += samples;
        }
        let traffic = party.traffic();
        Ok(Computed {
            answers,
            rounds: traffic.rounds.into(),
            bytes_sent: traffic.bytes_sent(),
        })
    }

    /// The rows of all requests in one batch. What is left over is filled with the first ones again: whatever a plan
    /// demands of inputs, they fulfil, and nobody receives what comes of it.
    fn gather<R: Ring>(&self, role: Role, job: &Job) -> Result<Vec<Share<R>>, ServeError> {
        let plan = &self.task.plan;
        let wrong = || ServeError::Conversation {
            peer: "a user".into(),
            problem: "sent a part of another length than the plan's inputs".into(),
        };
        let mut gathered: Vec<(Vec<R>, Vec<R>)> = vec![Default::default(); plan.inputs.len()];
        for (samples, part) in &job.parts {
            let shapes = inputs(plan, *samples as usize);
            let shares = parts::expand::<R>(role, part, &shapes).ok_or_else(wrong)?;
            for ((mine, next), share) in gathered.iter_mut().zip(&shares) {
                mine.extend_from_slice(share.mine());
                next.extend_from_slice(share.next());
            }
        }
        let mut shares = Vec::with_capacity(gathered.len());
        for ((mut mine, mut next), port) in gathered.into_iter().zip(&plan.inputs) {
            let shape = plan.shape(port.value);
            let (len, there) = (shape.iter().product::<usize>(), mine.len());
            if there == 0 || there > len {
                return Err(wrong());
            }
            for at in there..len {
                let (a, b) = (mine[at - there], next[at - there]);
                mine.push(a);
                next.push(b);
            }
            shares.push(Share::new(shape, mine, next));
        }
        Ok(shares)
    }
}

/// Both components of these rows of each output, as bytes.
fn answer_of<R: Ring>(outputs: &[Share<R>], batch: usize, rows: std::ops::Range<usize>) -> Vec<u8> {
    let mut answer = Vec::new();
    for output in outputs {
        let row = output.len() / batch.max(1);
        for component in trefoil_mpc::answer(output) {
            let rows = &component[rows.start * row..rows.end * row];
            answer.extend_from_slice(bytemuck::cast_slice::<R, u8>(rows));
        }
    }
    answer
}
