//! One party inside one session: messages, correlated randomness, counted traffic, and the
//! runtime that merges the rounds of independent branches.
//!
//! A protocol is an `async fn` over whole tensors. A message is posted at once and leaves when
//! nothing can go on; receiving parks the branch until the peer's message of the same branch and
//! number is there. So all messages of all branches that are parked together travel in one frame
//! per link. Branches have their own message numbers and their own randomness, so neither the
//! result nor the round count depends on scheduling, and no order of arrival can deadlock.

mod runtime;
mod side_by_side;

pub use side_by_side::together;

use crate::point::HashKeys;
use crate::transcript::{BatchKeys, MessageName, PairSeeds, Transcript};
use crate::{Abort, MessageKind};
use runtime::{MESSAGE, Runtime, link};
use side_by_side::all_of;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use trefoil_net::{Branch, LinkStats, Message, NetError, Role, Transport};
use trefoil_ring::{Prg, Ring, Seed};

/// A frame leaves at once when this much is posted for one peer.
const FULL_FRAME: usize = 256 << 10;
/// Party 0 never waits, so its messages leave at the latest after this time.
const LINGER: Duration = Duration::from_micros(20);

/// What a party needs to enter a session.
pub struct PartyConfig {
    /// This party's role.
    pub role: Role,
    /// The session that all three parties run.
    pub session: [u8; 16],
    /// The PRG seeds shared with each peer, by the peer's index; the own index is not read.
    pub seeds: [Option<Seed>; 3],
    /// Longest silence: how long a peer may give no sign of life, or all of them no sign of work, while this
    /// party waits. Where links carry no signs of life, the longest wait for any one frame.
    pub timeout: Duration,
}

/// Payload traffic of one party, exact and independent of scheduling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Rounds: the longest chain of dependent messages so far in this branch.
    pub rounds: u32,
    /// Payload bytes sent to each party.
    pub sent: [u64; 3],
    /// Messages sent to each party.
    pub messages: [u64; 3],
}

impl Traffic {
    /// Payload bytes sent to all peers.
    pub fn bytes_sent(&self) -> u64 {
        self.sent.iter().sum()
    }
}

/// What is drawn from and hashed with, in a session or in a batch of its own.
struct Keys {
    prgs: [Option<Prg>; 3],
    hash: HashKeys,
}

impl Keys {
    /// Those of the session, or batch, `id`.
    ///
    /// # Panics
    /// If a peer's seed is missing.
    fn new(role: Role, id: &[u8; 16], seeds: &PairSeeds) -> Rc<Self> {
        Rc::new(Self {
            prgs: generators(role, seeds),
            hash: HashKeys::of(id),
        })
    }
}

/// One party, seen from one branch of the protocol.
pub struct Party {
    runtime: Rc<Runtime>,
    keys: Rc<Keys>,
    transcript: Option<Rc<RefCell<Transcript>>>,
    branch: Branch,
    children: Cell<u32>,
    sent: [Cell<u32>; 3],
    received: [Cell<u32>; 3],
    positions: [Cell<u32>; 3],
    depth: Cell<u32>,
}

impl Party {
    /// Enter a session over `transport`.
    ///
    /// # Panics
    /// If a peer's seed is missing.
    pub fn new(config: PartyConfig, transport: Box<dyn Transport>) -> Self {
        let PartyConfig {
            role,
            session,
            seeds,
            timeout,
        } = config;
        let keys = Keys::new(role, &session, &seeds);
        let root = branch_id(&session, 0);
        let runtime = Runtime::new(role, timeout, transport);
        Self::at(Rc::new(runtime), keys, None, root, 0)
    }

    fn at(
        runtime: Rc<Runtime>,
        keys: Rc<Keys>,
        transcript: Option<Rc<RefCell<Transcript>>>,
        branch: Branch,
        depth: u32,
    ) -> Self {
        Self {
            runtime,
            keys,
            transcript,
            branch,
            children: Cell::new(0),
            sent: Default::default(),
            received: Default::default(),
            positions: Default::default(),
            depth: Cell::new(depth),
        }
    }

    /// A branch for one batch of the session, with an id and seeds of its own, as if it were a session of its own over the
    /// same links. Every message of it and its branches is written down: [`Party::transcript`].
    ///
    /// # Panics
    /// If a peer's seed is missing.
    #[must_use]
    pub fn batch(&self, keys: &BatchKeys) -> Self {
        let role = self.role();
        let transcript = Rc::new(RefCell::new(Transcript::new(role, &keys.seeds)));
        Self::at(
            Rc::clone(&self.runtime),
            Keys::new(role, &keys.id, &keys.seeds),
            Some(transcript),
            branch_id(&keys.id, 0),
            self.depth.get(),
        )
    }

    /// What was sent and received so far in a [batch](Party::batch); elsewhere nothing is written down.
    pub fn transcript(&self) -> Option<Transcript> {
        self.transcript.as_ref().map(|transcript| {
            let mut transcript = transcript.borrow_mut();
            transcript.settle();
            transcript.clone()
        })
    }

    /// This party's role.
    pub fn role(&self) -> Role {
        self.runtime.role
    }

    /// The keys of the point functions' hash in this session, or in this batch if it has keys of its own.
    pub(crate) fn hash_keys(&self) -> &HashKeys {
        &self.keys.hash
    }

    /// Traffic of the session so far, and the depth of this branch.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            rounds: self.depth.get(),
            sent: std::array::from_fn(|peer| self.runtime.sent[peer].get()),
            messages: std::array::from_fn(|peer| self.runtime.messages[peer].get()),
        }
    }

    /// Run `program` to its end: poll it, send what it posted, wait for what it needs.
    ///
    /// # Errors
    /// What the program returns; any [`Abort`] of its messages.
    pub fn run<T>(&self, program: impl AsyncFnOnce(&Self) -> Result<T, Abort>) -> Result<T, Abort> {
        let runtime = &*self.runtime;
        let mut context = Context::from_waker(Waker::noop());
        let mut program = pin!(program(self));
        loop {
            runtime.awaited.borrow_mut().clear();
            let state = program.as_mut().poll(&mut context);
            if let Poll::Ready(Err(abort)) = state {
                return Err(abort);
            }
            if let Err(abort) = runtime.flush() {
                runtime.fail(abort);
            }
            // A program that waits for nobody, as party 0's, would not see it.
            if state.is_pending()
                && let Some(abort) = &*runtime.failure.borrow()
            {
                return Err(abort.clone());
            }
            match state {
                Poll::Ready(done) => {
                    // What comes next may take long: no peer shall wait for a message meanwhile.
                    let deadline = Instant::now() + runtime.timeout;
                    let drained = runtime.transport.borrow_mut().drain(deadline);
                    return drained.map_err(|source| link("sending", source)).and(done);
                }
                Poll::Pending if runtime.yielded.take() => {}
                Poll::Pending => {
                    runtime.receive_frame()?;
                }
            }
        }
    }

    /// Frames and bytes of the link to `peer`, as its transport counts them.
    ///
    /// # Panics
    /// If `peer` is this party.
    pub fn link_stats(&self, peer: Role) -> LinkStats {
        self.runtime.transport.borrow().stats(peer)
    }

    /// From now on keep at most `bytes` unread from each peer; 8 GiB if nothing is said.
    pub fn keep_unread(&self, bytes: u64) {
        self.runtime.far_ahead.set(bytes);
    }

    /// The evaluators tell party 0 that a batch is over; party 0 does nothing. [`Party::await_batch_end`] is the
    /// other half.
    ///
    /// # Cost
    /// No round and no payload: party 0, which waits for nobody in a batch, so learns how far ahead it is.
    ///
    /// # Errors
    /// [`Abort::Link`].
    pub fn end_batch(&self) -> Result<(), Abort> {
        if self.role() != Role::P0 {
            self.post(Role::P0, MessageKind::BatchEnd, Vec::new());
            self.runtime.flush()?;
        }
        Ok(())
    }

    /// Party 0 waits until both evaluators have ended the next batch that it has not waited for yet; they do nothing.
    ///
    /// # Errors
    /// [`Abort::Link`], [`Abort::Unexpected`].
    pub fn await_batch_end(&self) -> Result<(), Abort> {
        if self.role() != Role::P0 {
            return Ok(());
        }
        self.run(async |party| {
            for evaluator in [Role::P1, Role::P2] {
                party.take(evaluator, MessageKind::BatchEnd, 0).await?;
            }
            Ok(())
        })
    }

    /// After [`Party::finish`]: wait until the peers have said goodbye too, at most the time-out. Whoever closes its
    /// links before that may destroy what is under way to them.
    pub fn linger(&self) {
        let deadline = Instant::now() + self.runtime.timeout;
        self.runtime.transport.borrow_mut().linger(deadline);
    }

    /// Push out what is still queued and say goodbye to the peers.
    pub fn finish(&self) -> Result<(), Abort> {
        self.runtime.flush()?;
        let deadline = Instant::now() + self.runtime.timeout;
        self.runtime
            .transport
            .borrow_mut()
            .finish(deadline)
            .map_err(|source| link("goodbye", source))
    }

    /// Go on where all of `branches` are done: the rounds of the deepest one count.
    pub fn merge(&self, branches: &[&Self]) {
        let deepest = branches
            .iter()
            .map(|branch| branch.depth.get())
            .max()
            .unwrap_or(0);
        self.depth.set(self.depth.get().max(deepest));
    }

    /// Run two independent sub-protocols side by side: their messages share rounds.
    pub async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        let (left, right) = (self.fork(), self.fork());
        let both = futures_util::future::join(f(&left), g(&right)).await;
        self.merge(&[&left, &right]);
        both
    }

    /// As [`Party::join`] for any number of sub-protocols of one kind.
    pub async fn join_all<T, A>(&self, items: Vec<T>, f: impl AsyncFn(&Self, T) -> A) -> Vec<A> {
        let branches: Vec<Self> = items.iter().map(|_| self.fork()).collect();
        let all = branches
            .iter()
            .zip(items)
            .map(|(branch, item)| f(branch, item));
        let done = all_of(all).await;
        self.merge(&branches.iter().collect::<Vec<_>>());
        done
    }

    /// A branch of its own, for work beside other branches; end it with [`Party::merge`]. [`Party::join`] does
    /// both.
    ///
    /// # Panics
    /// After 2^32 - 1 sub-protocols of one branch: a number that came again would bring the same masks again.
    #[must_use]
    pub fn fork(&self) -> Self {
        let child = count(&self.children, "sub-protocols") + 1;
        Self::at(
            Rc::clone(&self.runtime),
            Rc::clone(&self.keys),
            self.transcript.clone(),
            branch_id(&self.branch.0, child),
            self.depth.get(),
        )
    }

    /// `len` elements that this party and `peer` draw alike and the third party cannot know.
    ///
    /// # Panics
    /// If `peer` is this party.
    pub fn draw<R: Ring>(&self, peer: Role, len: usize) -> Vec<R> {
        let mut out = vec![R::zero(); len];
        self.fill(peer, bytemuck::cast_slice_mut(&mut out));
        out
    }

    /// As [`Party::draw`], bytes.
    pub(crate) fn fill(&self, peer: Role, out: &mut [u8]) {
        let Some(prg) = &self.keys.prgs[peer.index()] else {
            assert_ne!(
                peer,
                self.role(),
                "a party shares no randomness with itself"
            );
            return;
        };
        let position = &self.positions[peer.index()];
        position.set(prg.fill(self.branch.0, position.get(), out));
    }

    /// Post a message for `to`; it leaves with everything else when this party stalls.
    ///
    /// # Security
    /// The payload is sent as it is: whoever writes a protocol masks it with a draw that `to` does not know.
    pub fn post(&self, to: Role, kind: MessageKind, payload: Vec<u8>) {
        let runtime = &*self.runtime;
        let number = count(&self.sent[to.index()], "messages to one peer");
        let count = &runtime.sent[to.index()];
        count.set(count.get() + payload.len() as u64);
        runtime.messages[to.index()].set(runtime.messages[to.index()].get() + 1);
        let bytes = &runtime.posted_bytes[to.index()];
        bytes.set(bytes.get() + payload.len());
        self.note(self.role(), to, number, kind, &payload);
        let message = Message {
            branch: self.branch,
            number,
            depth: self.depth.get(),
            tag: kind.tag(),
            payload,
        };
        runtime.posted.borrow_mut()[to.index()].push(message);
        let linger = runtime.role == Role::P0 && runtime.last_flush.get().elapsed() > LINGER;
        if (linger || bytes.get() >= FULL_FRAME)
            && let Err(abort) = runtime.flush()
        {
            runtime.fail(abort);
        }
    }

    /// The next message of this branch from `from`: the one place where a peer's messages are
    /// checked for kind and length.
    ///
    /// # Errors
    /// [`Abort::Unexpected`] for a wrong kind or length; [`Abort::Link`].
    pub async fn take(
        &self,
        from: Role,
        kind: MessageKind,
        bytes: usize,
    ) -> Result<Vec<u8>, Abort> {
        let number = count(&self.received[from.index()], "messages of one peer");
        let key = (from, self.branch, number);
        let runtime = &*self.runtime;
        let message = poll_fn(|_| {
            if let Some(abort) = &*runtime.failure.borrow() {
                return Poll::Ready(Err(abort.clone()));
            }
            if let Some(message) = runtime.arrived.borrow_mut().remove(&key) {
                return Poll::Ready(Ok(message));
            }
            runtime.awaited.borrow_mut().push((from, kind));
            Poll::Pending
        })
        .await?;
        let unread = &runtime.unread[from.index()];
        let kept = MESSAGE + message.payload.len() as u64;
        unread.set(unread.get().saturating_sub(kept));
        if message.tag != kind.tag() || message.payload.len() != bytes {
            return Err(Abort::Unexpected {
                peer: from,
                expected: kind.to_string(),
                expected_bytes: bytes,
                found: MessageKind::name(message.tag),
                found_bytes: message.payload.len(),
            });
        }
        self.note(from, self.role(), number, kind, &message.payload);
        // Party 0's messages depend on no input: they are preprocessing and deepen nothing. Nor does the word that a
        // batch is over.
        if from != Role::P0 && kind != MessageKind::BatchEnd {
            let malformed = || NetError::Malformed { peer: from, bytes };
            let depth = message.depth.checked_add(1);
            let depth = depth.ok_or_else(|| link(&kind.to_string(), malformed()))?;
            self.depth.set(self.depth.get().max(depth));
        }
        Ok(message.payload)
    }

    /// Write a message down, where that is asked for.
    fn note(&self, from: Role, to: Role, number: u32, kind: MessageKind, payload: &[u8]) {
        if let Some(transcript) = &self.transcript {
            let name = MessageName {
                from,
                to,
                branch: self.branch.0,
                number,
            };
            transcript.borrow_mut().note(name, kind, payload);
        }
    }

    /// One round between the evaluators: send `payload` to the other one and take as many bytes. As for
    /// [`Party::post`], the caller masks it.
    pub async fn exchange(&self, kind: MessageKind, payload: Vec<u8>) -> Result<Vec<u8>, Abort> {
        let other = if self.role() == Role::P1 {
            Role::P2
        } else {
            Role::P1
        };
        let bytes = payload.len();
        self.post(other, kind, payload);
        self.take(other, kind, bytes).await
    }

    /// Let other branches go on: party 0, which never waits, calls this where the others would wait.
    pub async fn pause(&self) {
        let mut paused = false;
        poll_fn(|_| {
            if std::mem::replace(&mut paused, true) {
                return Poll::Ready(());
            }
            self.runtime.yielded.set(true);
            Poll::Pending
        })
        .await;
    }
}

/// The generators shared with each peer.
fn generators(role: Role, seeds: &[Option<Seed>; 3]) -> [Option<Prg>; 3] {
    std::array::from_fn(|peer| {
        assert!(
            peer == role.index() || seeds[peer].is_some(),
            "the seed shared with party {peer}"
        );
        seeds[peer]
            .as_ref()
            .filter(|_| peer != role.index())
            .map(Prg::new)
    })
}

/// The next number of a counter, which never comes back to a number that was used.
fn count(counter: &Cell<u32>, what: &str) -> u32 {
    let number = counter.get();
    assert!(number < u32::MAX, "2^32 {what} in one branch");
    counter.set(number + 1);
    number
}

/// The id of a branch: a hash of the path to it, the same at all parties whatever the scheduling.
/// 96 bits: two of a million branches collide with probability below 2^-56.
fn branch_id(parent: &[u8], child: u32) -> Branch {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"trefoil branch");
    hasher.update(parent);
    hasher.update(&child.to_le_bytes());
    let mut id = [0; 12];
    hasher.finalize_xof().fill(&mut id);
    Branch(id)
}

#[cfg(test)]
mod tests;
