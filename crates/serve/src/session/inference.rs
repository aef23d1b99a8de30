//! A session's inference at one party: the model's shares once, then answers as long as the client asks for them.

use super::{Peers, Session, Task, after, shapes};
use crate::observe::Observer;
use crate::records::Kept;
use crate::told::Told;
use crate::wire::{CONTROL_LIMIT, PartyReport, Reply, Turn, say, send_elements};
use crate::{Seen, ServeError};
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_guard::GuardRing;
use trefoil_mpc::{Abort, BatchKeys, PairSeeds, Party, Share};
use trefoil_net::{Role, Transport};
use trefoil_nn::Secure;
use trefoil_ring::Ring;

/// Party 0 begins a batch when all but this many before it are over at both evaluators: it works one batch ahead.
const LEAD: usize = 2;
/// Longest wait for the client's next word before a party looks whether it still lives.
const GLANCE: Duration = Duration::from_millis(500);

/// What an inference holds from its first batch to its last.
struct Inference<'t, R: Ring> {
    task: &'t Task,
    /// Shares of the plan's weights and of the guard's tensors.
    secrets: Vec<Share<R>>,
    told: Told,
    party: Party,
    /// Of which those of each batch are made.
    seeds: PairSeeds,
    /// What was received, where it is counted.
    seen: Option<Arc<Mutex<Seen>>>,
    kept: Kept,
    /// Batches so far; the number of the next one.
    batches: usize,
    /// Batches whose end at the evaluators party 0 has not waited for.
    ahead: usize,
    /// Bytes of comparisons: they belong to the session, and the protocols' cost is without them.
    compared: u64,
}

/// What a party's links have carried so far.
#[derive(Clone, Copy)]
struct Carried {
    bytes: u64,
    wire_bytes: u64,
    frames: u64,
}

impl Session<'_> {
    /// Take the model's shares, and answer until the client ends the session.
    pub(super) fn infer<R: GuardRing>(
        &mut self,
        task: &Task,
        mut told: Told,
        observe: bool,
        connect: impl FnOnce(Instant) -> Result<Peers, ServeError>,
    ) -> Result<(), ServeError> {
        // Before the weights, which may take longer than a peer waits for a connection.
        let Peers { transport, seeds } = connect(after(self.timeout))?;
        let secrets = self.receive_all::<R>(&task.secrets(), &mut told)?;
        let (transport, seen): (Box<dyn Transport>, _) = if observe {
            let (observer, seen) = Observer::new(transport);
            (Box::new(observer), Some(seen))
        } else {
            (transport, None)
        };
        let mut inference = Inference {
            task,
            secrets,
            told,
            party: self.party(Peers {
                transport,
                seeds: seeds.clone(),
            }),
            seeds,
            seen,
            kept: Kept::default(),
            batches: 0,
            ahead: 0,
            compared: 0,
        };
        say(self.client, &Reply::Ready, after(self.timeout))?;
        let done = self.answers(&mut inference);
        // What was answered can be replayed, however the session ends.
        let kept = std::mem::take(&mut inference.kept);
        if !kept.is_empty() {
            self.records.keep(self.id, self.client_pin, kept);
        }
        done?;
        // The client has its answers, and may close everything before the peers have ended in peace.
        let _ = inference.farewell();
        Ok(())
    }

    /// One answer after the other.
    fn answers<R: GuardRing>(&mut self, of: &mut Inference<'_, R>) -> Result<(), ServeError> {
        let mut answered = false;
        loop {
            let Turn::Answer { batches, last } = self.turn(&mut of.told, answered)? else {
                of.evaluator_finishes()?;
                return say(self.client, &Reply::Ended, after(self.timeout));
            };
            let so_far = (of.batches as u64).saturating_add(batches as u64);
            self.limits.check_batches(so_far)?;
            let report = self.answer_with(of, batches, last)?;
            answered = true;
            if last {
                return say(self.client, &Reply::Done(report), after(self.timeout));
            }
            say(self.client, &Reply::Answered(report), after(self.timeout))?;
        }
    }

    /// What the client asks for next. Once it has been answered it may be idle for as long as the operator allows; before that,
    /// and on the way to another party, only its silence counts.
    fn turn(&mut self, told: &mut Told, answered: bool) -> Result<Turn, ServeError> {
        let start = Instant::now();
        let idle = self.limits.idle();
        loop {
            let left = if answered {
                idle.saturating_sub(start.elapsed())
            } else {
                GLANCE
            };
            let glance = Instant::now() + left.min(GLANCE);
            if let Some(body) = self.client.receive_before(CONTROL_LIMIT, glance)? {
                let Ok((turn, [])) = postcard::take_from_bytes(&body) else {
                    return Err(ServeError::Conversation {
                        peer: "the client".into(),
                        problem: "said something that makes no sense in an open session".into(),
                    });
                };
                told.turn(&body);
                return Ok(turn);
            }
            if answered && start.elapsed() >= idle {
                let seconds = idle.as_secs();
                return Err(ServeError::Idle { seconds });
            }
            let silence = self.client.silence(start);
            if silence >= self.timeout {
                return Err(ServeError::Conversation {
                    peer: "the client".into(),
                    problem: format!("has given no sign of life for {silence:.1?}"),
                });
            }
        }
    }

    /// Answer so many batches, the last of the session or not.
    fn answer_with<R: GuardRing>(
        &mut self,
        of: &mut Inference<'_, R>,
        batches: usize,
        last: bool,
    ) -> Result<PartyReport, ServeError> {
        let before = of.carried();
        let mut report = PartyReport {
            steps: vec![Default::default(); of.task.plan.steps.len() + 1],
            ..PartyReport::default()
        };
        for _ in 0..batches {
            of.await_ends(LEAD - 1)?;
            self.batch(of, &mut report)?;
        }
        if last {
            of.evaluator_finishes()?;
        } else {
            // Party 0 is done before the others: its client is not idle as long as they compute.
            of.await_ends(0)?;
        }
        report.depth = of.party.traffic().rounds;
        let now = of.carried();
        report.bytes = now.bytes - before.bytes;
        report.wire_bytes = now.wire_bytes - before.wire_bytes;
        report.frames = now.frames - before.frames;
        report.seen = of
            .seen
            .as_ref()
            .map(|seen| std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner)));
        Ok(report)
    }

    /// One batch, from the shares of its inputs to the client's shares of its outputs.
    fn batch<R: GuardRing>(
        &mut self,
        of: &mut Inference<'_, R>,
        report: &mut PartyReport,
    ) -> Result<(), ServeError> {
        let plan = &of.task.plan;
        let inputs = self.receive_all::<R>(&shapes(plan, &plan.inputs), &mut of.told)?;
        let keys = BatchKeys::of(&self.id, of.batches as u32, &of.seeds);
        let within = of.party.batch(&keys);
        let (outputs, compared) = self.compute(of, &within, inputs, report)?;
        of.party.end_batch()?;
        of.batches += 1;
        of.ahead += 1;
        of.compared += compared;
        say(self.client, &Reply::Output, after(self.timeout))?;
        for output in outputs {
            for component in trefoil_mpc::answer(&output) {
                send_elements(self.client, component, after(self.timeout))?;
            }
        }
        // Before anybody says whether this batch will be replayed; the client has its answer, and waits for no hash.
        if let Some(transcript) = within.transcript() {
            let root = Reply::Root(transcript.root());
            say(self.client, &root, after(self.timeout))?;
            of.kept.push(keys.seeds, &transcript);
        }
        Ok(())
    }

    /// Compute a batch; party 1 tells the client of each step. The guard is a step behind those of the plan.
    ///
    /// Beside it the parties compare what the client told them, before any of them answers; returns the bytes
    /// that this party sent for that, too. That is of the session; the batch itself runs on `within`, which has keys of
    /// its own.
    fn compute<R: GuardRing>(
        &mut self,
        of: &Inference<'_, R>,
        within: &Party,
        inputs: Vec<Share<R>>,
        report: &mut PartyReport,
    ) -> Result<(Vec<Share<R>>, u64), ServeError> {
        let (tells, timeout) = (self.role == Role::P1, self.timeout);
        let client = &mut *self.client;
        let mut lost = None;
        let mut compared = 0;
        let outputs = of.party.run(async |party| {
            // On a branch of its own, whose rounds are not waited for: the digests travel with the first layer.
            let aside = party.fork();
            compared = of.told.post(&aside);
            let backend = Secure::<R>::new(within.fork(), of.task.plan.format());
            let before = Cell::new(backend.party().traffic());
            let mut observer = |index: usize, _: &str, elapsed: Duration| {
                let (now, then) = (backend.party().traffic(), before.get());
                before.set(now);
                let step = &mut report.steps[index];
                step.0 += elapsed.as_secs_f64();
                step.1 += now.rounds - then.rounds;
                step.2 += now.bytes_sent() - then.bytes_sent();
                if tells && lost.is_none() {
                    lost = say(client, &Reply::Step(index), after(timeout)).err();
                }
            };
            let outputs = of
                .task
                .compute(&backend, &of.secrets, inputs, &mut observer);
            let outputs = outputs.await?;
            party.merge(&[backend.party()]);
            of.told.compare(&aside).await?;
            Ok(outputs)
        })?;
        lost.map_or(Ok((outputs, compared)), Err)
    }
}

impl<R: Ring> Inference<'_, R> {
    /// What the links have carried, the comparisons left out of the payload.
    fn carried(&self) -> Carried {
        let mut carried = Carried {
            bytes: self.party.traffic().bytes_sent() - self.compared,
            wire_bytes: 0,
            frames: 0,
        };
        let role = self.party.role();
        for peer in [role.next(), role.prev()] {
            let stats = self.party.link_stats(peer);
            carried.wire_bytes += stats.bytes_sent;
            carried.frames += stats.frames_sent;
        }
        carried
    }

    /// Party 0 waits until at most `left` batches are not over at the evaluators.
    fn await_ends(&mut self, left: usize) -> Result<(), Abort> {
        while self.ahead > left {
            self.party.await_batch_end()?;
            self.ahead -= 1;
        }
        Ok(())
    }

    fn evaluator_finishes(&self) -> Result<(), Abort> {
        if self.party.role() == Role::P0 {
            return Ok(());
        }
        self.party.finish()
    }

    /// Let the peers end in peace: party 0, which is ahead of them, stays until they have taken all that it sent.
    fn farewell(&mut self) -> Result<(), Abort> {
        if self.party.role() == Role::P0 {
            self.await_ends(0)?;
            self.party.finish()?;
        }
        self.party.linger();
        Ok(())
    }
}
