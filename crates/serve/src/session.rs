//! One session at one party: from the client's request to the last answer.

mod inference;

use crate::bench::run_benchmark;
use crate::conversation::Conversation;
use crate::records::{Batch, Records};
use crate::task;
use crate::told::Told;
use crate::wire::{Reply, Request, SharedTensors, hear, say};
use crate::{Limits, ServeError};
use std::time::{Duration, Instant};
use trefoil_guard::{GuardRing, GuardSettings, Held};
use trefoil_mpc::{Abort, PairSeeds, Party, PartyConfig, Share};
use trefoil_net::{Pin, Role, Stop, Transport};
use trefoil_nn::{Plan, Port, Secure};
use trefoil_ring::{Ring, Z32, Z64};

/// Links to the two peers and the seeds shared with them.
pub(crate) struct Peers {
    pub(crate) transport: Box<dyn Transport>,
    pub(crate) seeds: PairSeeds,
}

/// What a session computes.
pub(crate) struct Task {
    pub(crate) plan: Plan,
    pub(crate) guard: Option<GuardSettings>,
}

impl Task {
    /// The shapes of the owner's tensors: the plan's weights, then the guard's.
    fn secrets(&self) -> Vec<Vec<usize>> {
        let mut secrets = shapes(&self.plan, &self.plan.weights);
        secrets.extend(self.guard.iter().flat_map(GuardSettings::tensors));
        secrets
    }

    /// One batch, of shares of the owner's tensors and of the inputs. `observer` hears of each step of the plan, and of the
    /// guard behind them.
    pub(crate) async fn compute<R: GuardRing>(
        &self,
        backend: &Secure<R>,
        secrets: &[Share<R>],
        inputs: Vec<Share<R>>,
        observer: &mut impl FnMut(usize, &str, Duration),
    ) -> Result<Vec<Share<R>>, Abort> {
        let plan = &self.plan;
        let (weights, of_guard) = secrets.split_at(plan.weights.len());
        let mut outputs = trefoil_nn::run(plan, backend, weights, inputs, observer).await?;
        if let (Some(settings), Some(logits)) = (&self.guard, outputs.first_mut()) {
            let start = Instant::now();
            let guard = Held::new(backend, settings, of_guard).await?;
            *logits = guard.answer(backend, logits).await?;
            observer(plan.steps.len(), "guard", start.elapsed());
        }
        Ok(outputs)
    }
}

fn shapes(plan: &Plan, ports: &[Port]) -> Vec<Vec<usize>> {
    ports
        .iter()
        .map(|port| plan.shape(port.value).to_vec())
        .collect()
}

/// What a session knows before the client's request.
pub(crate) struct Session<'a> {
    pub(crate) role: Role,
    pub(crate) id: [u8; 16],
    /// What the client's hello named; `None` inside one process.
    pub(crate) plan_hash: Option<[u8; 32]>,
    /// The client's proved identity; `None` without TLS and inside one process.
    pub(crate) client_pin: Option<Pin>,
    /// Whether the client's own program started this party, so that it may ask what the party receives.
    pub(crate) own_program: bool,
    /// Longest silence of a peer or the client.
    pub(crate) timeout: Duration,
    pub(crate) limits: Limits,
    /// What this party keeps of sessions that are over.
    pub(crate) records: &'a Records,
    /// What ends the session from outside.
    pub(crate) stop: Stop,
    pub(crate) client: &'a mut dyn Conversation,
}

impl Session<'_> {
    /// Hear the request, connect to the peers by `connect`, and do it. A failure is also told to the client.
    pub(crate) fn serve(
        mut self,
        connect: impl FnOnce(Instant) -> Result<Peers, ServeError>,
    ) -> Result<(), ServeError> {
        let done = self.answer(connect).map_err(|error| {
            // What broke when the session was stopped tells nobody why.
            let reason = self.stop.reason();
            reason.map_or(error, |reason| ServeError::Stopped { reason })
        });
        if let Err(error) = &done {
            let failed = Reply::Failed {
                reason: error.to_string(),
                blames: error.blames(),
            };
            // The client may be gone: then nobody is left to tell.
            let _ = say(
                self.client,
                &failed,
                Instant::now() + Duration::from_secs(1),
            );
        }
        done
    }

    fn answer(
        &mut self,
        connect: impl FnOnce(Instant) -> Result<Peers, ServeError>,
    ) -> Result<(), ServeError> {
        let request: Request = hear(self.client, "the client", after(self.timeout))?;
        // Plain structures of numbers and texts always encode.
        let told = postcard::to_stdvec(&request).unwrap_or_default();
        let told = Told::new(self.client_pin, &told);
        match request {
            Request::Bench(job) => {
                job.check()?;
                self.limits.check_bench(&job)?;
                let party = self.party(connect(after(self.timeout))?);
                say(self.client, &Reply::Ready, after(self.timeout))?;
                let measured = run_benchmark(&party, &job)?;
                party.finish()?;
                say(self.client, &measured, after(self.timeout))?;
                party.linger();
                Ok(())
            }
            Request::Infer {
                plan,
                guard,
                observe,
            } => {
                if observe && !self.own_program {
                    return Err(ServeError::Observed { role: self.role });
                }
                let plan = Plan::from_bytes(&plan)?;
                let guard = guard.map(|bytes| task::decode(&bytes, &plan)).transpose()?;
                let hash = task::hash(&plan, guard.as_ref());
                if self.plan_hash.is_some_and(|told| told != hash) {
                    let problem = "sent another plan than its hello named".into();
                    return Err(ServeError::Conversation {
                        peer: "the client".into(),
                        problem,
                    });
                }
                let task = Task { plan, guard };
                self.limits.check(&task.plan, &task.secrets())?;
                match task.plan.ring_bits {
                    32 => self.infer::<Z32>(&task, told, observe, connect),
                    _ => self.infer::<Z64>(&task, told, observe, connect),
                }
            }
            Request::Open { session, batch } => {
                let kept = self.records.open(&session, self.client_pin, batch);
                let role = self.role;
                let Batch { seeds, entries } = kept.ok_or(ServeError::NotKept { role, batch })?;
                let seeds = seeds.map(|seed| seed.map(|seed| seed.0));
                let opened = Reply::Opened { seeds, entries };
                say(self.client, &opened, after(self.timeout))
            }
        }
    }

    /// The client's shares of all tensors of these shapes.
    fn receive_all<R: Ring>(
        &mut self,
        shapes: &[Vec<usize>],
        told: &mut Told,
    ) -> Result<Vec<Share<R>>, ServeError> {
        let timeout = self.timeout;
        let mut shared = SharedTensors::begin(self.client, self.role, told, after(timeout))?;
        let mut next = |shape: &Vec<usize>| shared.next(self.client, shape, told, after(timeout));
        shapes.iter().map(&mut next).collect()
    }

    fn party(&self, peers: Peers) -> Party {
        let Peers { transport, seeds } = peers;
        let config = PartyConfig {
            role: self.role,
            session: self.id,
            seeds,
            timeout: self.timeout,
        };
        let party = Party::new(config, transport);
        party.keep_unread(self.limits.bytes);
        party
    }
}

/// The end of a wait that begins now.
fn after(timeout: Duration) -> Instant {
    Instant::now() + timeout
}
