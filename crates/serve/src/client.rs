//! The client: brings a model and queries to three parties, and puts the answers together.

mod deployed;

pub use deployed::{Deployed, SharedModel};

use crate::conversation::{Conversation, pipe};
use crate::ends::{Conversations, while_they_run};
use crate::local::Processes;
use crate::outcome::Queries;
use crate::random::{random_id, random_seed};
use crate::records::Records;
use crate::replay::Receipt;
use crate::session::{Peers, Session};
use crate::wire::{Reply, Request, are_times, unexpected};
use crate::{BenchJob, BenchResult, Limits, Link, Outcome, PartiesFile, Progress, ServeError};
use ndarray::ArrayD;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trefoil_guard::Guard;
use trefoil_net::{
    Hello, LinkOptions, NetworkProfile, Peer, Pulse, Role, Security, Stop, Transport,
    connect_unless, emulated_mesh_with, memory_mesh_with,
};
use trefoil_nn::{Plan, Weights};

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
        // Before anything is sent.
        let queries = Queries::new(job.plan, job.inputs)?;
        let model = SharedModel {
            plan: job.plan,
            weights: job.weights,
            guard: job.guard,
            observe: job.observe,
        };
        self.deploy(&model, progress)?.last(&queries, progress)
    }

    /// Share a model with the three parties, in a session that stays open: [`Deployed::answer`] asks as often as one likes, and
    /// weights and guard are shared this once. The parties serve nobody else until it ends, which is when it is dropped, when they
    /// have been asked nothing for longer than they allow, or after the longest session that they allow.
    ///
    /// # Errors
    /// [`ServeError::Input`] and [`ServeError::Guard`] before anything is sent; else as [`Client::infer`].
    pub fn deploy<'m>(
        &mut self,
        model: &SharedModel<'m>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Deployed<'m>, ServeError> {
        Deployed::begin(self, model, progress)
    }

    /// Measure a protocol at the three parties, on random shares.
    ///
    /// # Errors
    /// [`ServeError::Benchmark`] for an unknown name; otherwise as [`Client::infer`].
    pub fn bench(&mut self, job: &BenchJob) -> Result<BenchResult, ServeError> {
        job.check()?;
        let mut parties = self.open(random_id()?, [0; 32])?;
        let request = Request::Bench(job.clone());
        let asked = parties.say_to_all(&request, self.timeout);
        let ready = asked.and_then(|()| parties.ready());
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

#[cfg(test)]
mod tests;
