//! The client: brings a model and queries to three parties, and puts the answers together.

use crate::conversation::{Conversation, pipe};
use crate::ends::{Conversations, while_they_run};
use crate::local::Processes;
use crate::outcome::{assemble, batches, report, step_name};
use crate::random::{random_id, random_seed, random_seeds};
use crate::records::Records;
use crate::replay::{BatchReceipt, Receipt};
use crate::session::{Peers, Session};
use crate::task;
use crate::wire::{
    PartyReport, Reply, Request, are_times, receive_elements, say, share_tensors, unexpected,
};
use crate::{
    BenchJob, BenchResult, Limits, Link, Outcome, PartiesFile, Phase, Progress, ServeError,
};
use ndarray::ArrayD;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trefoil_guard::Guard;
use trefoil_mpc::{Share, combine};
use trefoil_net::{
    Hello, LinkOptions, NetworkProfile, Peer, Pulse, Role, Security, Stop, Transport,
    connect_unless, emulated_mesh_with, memory_mesh_with,
};
use trefoil_nn::{Plan, Weights};
use trefoil_ring::{Ring, Seed, Z32, Z64};
use trefoil_verify::replay::digest;

/// Three parties, as their client sees them.
pub struct Client {
    parties: Parties,
    pub(crate) timeout: Duration,
}

enum Parties {
    /// With what each keeps of sessions that are over.
    Threads(Option<NetworkProfile>, [Arc<Records>; 3]),
    Services(Box<Services>),
}

struct Services {
    addresses: [String; 3],
    security: Security,
    /// Ended when this is dropped.
    processes: Option<Processes>,
}

/// What to compute.
#[derive(Clone, Copy)]
pub struct Inference<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its weights.
    pub weights: &'a Weights,
    /// A guard over its only output, which then is confidences in the place of logits.
    pub guard: Option<&'a Guard>,
    /// One array per input of the plan, as many queries along the first axis as one likes: they are split
    /// into batches of the plan's size, the last one filled up with copies of its first query.
    pub inputs: &'a [ArrayD<f64>],
    /// Whether to count what each party receives.
    pub observe: bool,
}

impl Client {
    /// Three threads of this process; with a `network`, their links are paced like it. A party is given
    /// up when all of them have done nothing for `timeout`.
    ///
    /// # Errors
    /// None today; reserved for failures of the system.
    pub fn in_process(
        network: Option<NetworkProfile>,
        timeout: Duration,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            parties: Parties::Threads(network, Default::default()),
            timeout,
        })
    }

    /// Three processes `program party --spawned` on this machine, over loopback, with fresh keys. They end with
    /// this client.
    ///
    /// # Errors
    /// [`ServeError::Spawn`] if one does not start.
    pub fn processes(program: &Path, link: Link, timeout: Duration) -> Result<Self, ServeError> {
        let (mut processes, parties) = Processes::start(program, link, timeout)?;
        let (addresses, security) = (parties.addresses()?, parties.security()?);
        processes.remove_keys();
        Ok(Self {
            parties: Parties::Services(Box::new(Services {
                addresses,
                security,
                processes: Some(processes),
            })),
            timeout,
        })
    }

    /// Three running services.
    ///
    /// # Errors
    /// If the client's keys cannot be read.
    pub fn connect(parties: &PartiesFile, timeout: Duration) -> Result<Self, ServeError> {
        let (addresses, security) = (parties.addresses()?, parties.security()?);
        Ok(Self {
            parties: Parties::Services(Box::new(Services {
                addresses,
                security,
                processes: None,
            })),
            timeout,
        })
    }

    /// Share the model and the queries, let the parties compute, and put the answers together.
    ///
    /// # Security
    /// Party 0 receives seeds, parties 1 and 2 a seed and masked values each; of the answer, shares come back. The
    /// two copies of each component of the answer are compared.
    ///
    /// # Errors
    /// [`ServeError::Input`] before anything is sent, [`ServeError::Parties`] with what each party says,
    /// [`ServeError::Connection`].
    ///
    /// # Panics
    /// If the inputs have different numbers of queries.
    pub fn infer(
        &mut self,
        job: &Inference<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Outcome, ServeError> {
        Ok(self.infer_with_receipt(job, progress)?.0)
    }

    /// The same with the receipt for [`Client::replay`]. In every session the parties commit to all messages of each batch with
    /// their shares of its answer, and keep for an hour what opens it, so that none of them can tell which sessions
    /// will be checked.
    ///
    /// # Cost
    /// At each party a hash over each message, and 50 bytes for it.
    ///
    /// # Errors
    /// As [`Client::infer`].
    ///
    /// # Panics
    /// As [`Client::infer`].
    pub fn infer_with_receipt(
        &mut self,
        job: &Inference<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Outcome, Receipt), ServeError> {
        match job.plan.ring_bits {
            32 => self.infer_in::<Z32>(job, progress),
            _ => self.infer_in::<Z64>(job, progress),
        }
    }

    fn infer_in<R: Ring>(
        &mut self,
        job: &Inference<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Outcome, Receipt), ServeError> {
        let Inference {
            plan,
            weights,
            guard,
            inputs,
            observe,
        } = *job;
        let settings = guard.map(Guard::settings);
        let settings = settings.as_ref();
        settings
            .map(|settings| task::check(settings, plan))
            .transpose()?;
        let queries = inputs.first().map_or(0, |input| input.shape()[0]);
        assert!(
            inputs.iter().all(|input| input.shape()[0] == queries),
            "queries of each input"
        );
        let batches = batches(plan, inputs, queries)?;
        plan.check_weights(weights)?;
        let start = Instant::now();
        progress(Progress::Connecting);
        let (session, seeds) = (random_id()?, random_seeds()?);
        let mut parties = self.open(session, task::hash(plan, settings))?;
        let request = Request::Infer {
            plan: plan.to_bytes(),
            guard: settings.map(task::encode),
            batches: batches.len(),
            observe,
        };
        let connected = start.elapsed();
        progress(Progress::Sharing);
        let of_guard = guard.map(Guard::tensors).unwrap_or_default();
        let held = weights.held();
        let tensors = held.iter().map(AsRef::as_ref);
        let secrets: Vec<&ArrayD<f64>> = tensors.chain(&of_guard).collect();
        let ready = self.begin::<R>(&mut parties, &request, Some((plan, &secrets, &seeds)));
        parties.or_failures(ready)?;
        let shared = start.elapsed();
        let mut state = Run {
            batches: batches.len(),
            outputs: Vec::new(),
            inputs: Duration::ZERO,
            answered: Instant::now(),
            receipt: Receipt::new(session, seeds),
        };
        for (batch, inputs) in batches.iter().enumerate() {
            let done = self.batch::<R>(&mut parties, plan, batch, inputs, &mut state, progress);
            parties.or_failures(done)?;
        }
        let reports = Self::reports(&mut parties, plan);
        let reports = parties.or_failures(reports)?;
        let wall = state
            .answered
            .saturating_duration_since(start)
            .saturating_sub(shared);
        parties.join();
        let mut report = report(plan, guard.is_some(), &reports)?;
        (report.wall_s, report.setup_s) = (wall.as_secs_f64(), shared.as_secs_f64());
        let phase = |name: &str, time: Duration| Phase {
            name: name.into(),
            seconds: time.as_secs_f64(),
            ..Phase::default()
        };
        let before = [
            phase("connect", connected),
            phase("share weights", shared.saturating_sub(connected)),
            phase("share inputs", state.inputs),
        ];
        report.phases.splice(0..0, before);
        let outcome = Outcome {
            outputs: assemble(plan, &state.outputs, queries),
            report,
        };
        Ok((outcome, state.receipt))
    }

    /// Send the request and the weights, and wait until all parties are connected to each other.
    fn begin<R: Ring>(
        &self,
        parties: &mut Conversations,
        request: &Request,
        secrets: Option<Secrets<'_>>,
    ) -> Result<(), ServeError> {
        for role in Role::ALL {
            say(parties.end(role), request, self.deadline())?;
        }
        if let Some((plan, secrets, seeds)) = secrets {
            let deadline = || self.deadline();
            share_tensors::<R>(
                &mut parties.ends,
                secrets.iter().copied(),
                plan.format(),
                seeds,
                deadline,
            )?;
        }
        for role in Role::ALL {
            match parties.reply(role)? {
                Reply::Ready => {}
                other => return Err(unexpected(role, &other)),
            }
        }
        Ok(())
    }

    fn batch<R: Ring>(
        &self,
        parties: &mut Conversations,
        plan: &Plan,
        batch: usize,
        inputs: &[ArrayD<f64>],
        state: &mut Run,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), ServeError> {
        let start = Instant::now();
        let (seeds, deadline) = (random_seeds()?, || self.deadline());
        share_tensors::<R>(&mut parties.ends, inputs, plan.format(), &seeds, deadline)?;
        state.inputs += start.elapsed();
        let mut outputs: [Vec<Share<R>>; 3] = Default::default();
        // Party 1 tells of each step.
        for role in [Role::P1, Role::P2, Role::P0] {
            loop {
                match parties.reply(role)? {
                    Reply::Step(index) if index <= plan.steps.len() => progress(Progress::Step {
                        batch,
                        batches: state.batches,
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
                let mut component = || {
                    receive_elements::<R>(
                        parties.end(role),
                        &role.to_string(),
                        len,
                        self.deadline(),
                    )
                };
                let (mine, next) = (component()?, component()?);
                outputs[role.index()].push(Share::new(shape, mine, next));
            }
        }
        state.answered = Instant::now();
        let mut roots = [[0; 32]; 3];
        for role in Role::ALL {
            match parties.reply(role)? {
                Reply::Root(root) => roots[role.index()] = root,
                other => return Err(unexpected(role, &other)),
            }
        }
        state.receipt.batches.push(BatchReceipt {
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
        state.outputs.push(decoded);
        Ok(())
    }

    fn reports(parties: &mut Conversations, plan: &Plan) -> Result<Vec<PartyReport>, ServeError> {
        let report = |role: Role| match parties.reply(role)? {
            Reply::Done(report) => {
                report.check(role, plan.steps.len())?;
                Ok(report)
            }
            other => Err(unexpected(role, &other)),
        };
        Role::ALL.into_iter().map(report).collect()
    }

    /// Measure a protocol at the three parties, on random shares.
    ///
    /// # Errors
    /// [`ServeError::Benchmark`] for an unknown name; otherwise as [`Client::infer`].
    pub fn bench(&mut self, job: &BenchJob) -> Result<BenchResult, ServeError> {
        job.check()?;
        let mut parties = self.open(random_id()?, [0; 32])?;
        let ready = self.begin::<Z64>(&mut parties, &Request::Bench(job.clone()), None);
        parties.or_failures(ready)?;
        let mut result = BenchResult::of(job);
        let mut depth = [0; 2];
        for role in Role::ALL {
            let reply = parties.reply(role);
            match parties.or_failures(reply)? {
                Reply::Measured {
                    seconds,
                    rounds,
                    bytes,
                } => {
                    let expected = seconds.len() == job.repeats as usize && rounds[0] <= rounds[1];
                    if !expected || !are_times(seconds.iter().copied()) {
                        return Err(ServeError::Conversation {
                            peer: role.to_string(),
                            problem: "reports a measurement that makes no sense".into(),
                        });
                    }
                    result.bytes_sent_per_party[role.index()] = bytes;
                    // A repeat is over when the slower evaluator has its result; rounds are theirs.
                    if role != Role::P0 {
                        depth = [depth[0].max(rounds[0]), depth[1].max(rounds[1])];
                        result.slower(&seconds);
                    }
                }
                other => return Err(unexpected(role, &other)),
            }
        }
        result.rounds = depth[1] - depth[0];
        parties.join();
        Ok(result)
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// A session with all three parties.
    pub(crate) fn open(
        &self,
        session: [u8; 16],
        plan_hash: [u8; 32],
    ) -> Result<Conversations, ServeError> {
        match &self.parties {
            Parties::Threads(network, records) => self.start_threads(*network, records, session),
            Parties::Services(services) => {
                let mut parties = Conversations::new(self.timeout);
                let pulse = parties.pulse.insert(Pulse::start()?);
                let stop = pulse.stop();
                let ends = &mut parties.ends;
                let connect = || self.connect_all(services, session, plan_hash, pulse, ends);
                while_they_run(services.processes.as_ref(), &stop, connect)?;
                Ok(parties)
            }
        }
    }

    fn connect_all(
        &self,
        services: &Services,
        session: [u8; 16],
        plan_hash: [u8; 32],
        pulse: &Pulse,
        ends: &mut Vec<Box<dyn Conversation>>,
    ) -> Result<(), ServeError> {
        for role in Role::ALL {
            let hello = Hello::new(Peer::Client, Peer::Party(role), session, plan_hash);
            let mut channel = connect_unless(
                &services.addresses[role.index()],
                &services.security,
                &hello,
                self.deadline(),
                &pulse.stop(),
            )?;
            // It is known to live while the others are still being connected.
            pulse.tell(&mut channel);
            ends.push(Box::new(channel));
        }
        Ok(())
    }

    fn start_threads(
        &self,
        network: Option<NetworkProfile>,
        records: &[Arc<Records>; 3],
        id: [u8; 16],
    ) -> Result<Conversations, ServeError> {
        let options = LinkOptions {
            patience: self.timeout,
            ..LinkOptions::default()
        };
        let mesh = match network {
            None => memory_mesh_with(options),
            Some(network) => emulated_mesh_with(network, options),
        };
        let edges = [random_seed()?, random_seed()?, random_seed()?];
        let mut parties = Conversations::new(self.timeout);
        for (role, transport) in Role::ALL.into_iter().zip(mesh) {
            let (here, mut there) = pipe("the client", &role.to_string());
            there.show(transport.activity());
            let mut seeds = [None, None, None];
            seeds[role.next().index()] = Some(edges[role.index()].clone());
            seeds[role.prev().index()] = Some(edges[role.prev().index()].clone());
            let timeout = self.timeout;
            let records = Arc::clone(&records[role.index()]);
            let run = move || {
                let transport: Box<dyn Transport> = Box::new(transport);
                let session = Session {
                    role,
                    id,
                    plan_hash: None,
                    client_pin: None,
                    own_program: true,
                    timeout,
                    limits: Limits::LOCAL,
                    records: &records,
                    stop: Stop::default(),
                    client: &mut there,
                };
                // The session tells the client of its failure itself.
                let _ = session.serve(|_| Ok(Peers { transport, seeds }));
            };
            let failed = |error: std::io::Error| ServeError::Spawn {
                role,
                program: "a thread".into(),
                reason: error.to_string(),
            };
            let thread = std::thread::Builder::new()
                .name(role.to_string())
                .spawn(run)
                .map_err(failed)?;
            parties.threads.push(thread);
            parties.ends.push(Box::new(here));
        }
        Ok(parties)
    }
}

/// What an inference has gathered.
struct Run {
    batches: usize,
    outputs: Vec<Vec<ArrayD<f64>>>,
    inputs: Duration,
    /// When the newest answer was here.
    answered: Instant,
    receipt: Receipt,
}

/// A plan, what is secret of the model, and the seeds that mask it.
type Secrets<'a> = (&'a Plan, &'a [&'a ArrayD<f64>], &'a [Seed; 2]);

#[cfg(test)]
mod tests;
