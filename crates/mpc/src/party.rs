//! One party inside one session: messages, correlated randomness, counted traffic, and the
//! runtime that merges the rounds of independent branches.
//!
//! A protocol is an `async fn` over whole tensors. A message is posted at once and leaves when
//! nothing can go on; receiving parks the branch until the peer's message of the same branch and
//! number is there. So all messages of all branches that are parked together travel in one frame
//! per link. Branches have their own message numbers and their own randomness, so neither the
//! result nor the round count depends on scheduling, and no order of arrival can deadlock.

use crate::point::HashKeys;
use crate::transcript::{BatchKeys, MessageName, PairSeeds, Transcript};
use crate::{Abort, MessageKind};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use trefoil_net::{
    Branch, LinkStats, Message, NetError, Role, Transport, decode_frame, encode_frame,
};
use trefoil_ring::{Prg, Ring, Seed};

/// A frame leaves at once when this much is posted for one peer.
const FULL_FRAME: usize = 256 << 10;
/// Party 0 never waits, so its messages leave at the latest after this time.
const LINGER: Duration = Duration::from_micros(20);
/// Most bytes kept unread from one peer where nothing else is set.
const FAR_AHEAD: u64 = 8 << 30;
/// What an unread message takes beside its payload: its header, and its place in the table.
const MESSAGE: u64 = 128;
/// Longest wait before a party looks whether its peers still live.
const GLANCE: Duration = Duration::from_millis(500);

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

type Key = (Role, Branch, u32);

struct Runtime {
    role: Role,
    transport: RefCell<Box<dyn Transport>>,
    timeout: Duration,
    posted: RefCell<[Vec<Message>; 3]>,
    posted_bytes: [Cell<usize>; 3],
    last_flush: Cell<Instant>,
    arrived: RefCell<HashMap<Key, Message>>,
    unread: [Cell<u64>; 3],
    far_ahead: Cell<u64>,
    awaited: RefCell<Vec<(Role, MessageKind)>>,
    yielded: Cell<bool>,
    failure: RefCell<Option<Abort>>,
    sent: [Cell<u64>; 3],
    messages: [Cell<u64>; 3],
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
    session: Rc<Runtime>,
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
        let session = Runtime {
            role,
            transport: RefCell::new(transport),
            timeout,
            posted: RefCell::default(),
            posted_bytes: Default::default(),
            last_flush: Cell::new(Instant::now()),
            arrived: RefCell::default(),
            unread: Default::default(),
            far_ahead: Cell::new(FAR_AHEAD),
            awaited: RefCell::default(),
            yielded: Cell::new(false),
            failure: RefCell::default(),
            sent: Default::default(),
            messages: Default::default(),
        };
        Self::at(Rc::new(session), keys, None, root, 0)
    }

    fn at(
        session: Rc<Runtime>,
        keys: Rc<Keys>,
        transcript: Option<Rc<RefCell<Transcript>>>,
        branch: Branch,
        depth: u32,
    ) -> Self {
        Self {
            session,
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
            Rc::clone(&self.session),
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
        self.session.role
    }

    /// The keys of the point functions' hash in this session, or in this batch if it has keys of its own.
    pub(crate) fn hash_keys(&self) -> &HashKeys {
        &self.keys.hash
    }

    /// Traffic of the session so far, and the depth of this branch.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            rounds: self.depth.get(),
            sent: std::array::from_fn(|peer| self.session.sent[peer].get()),
            messages: std::array::from_fn(|peer| self.session.messages[peer].get()),
        }
    }

    /// Run `program` to its end: poll it, send what it posted, wait for what it needs.
    ///
    /// # Errors
    /// What the program returns; any [`Abort`] of its messages.
    pub fn run<T>(&self, program: impl AsyncFnOnce(&Self) -> Result<T, Abort>) -> Result<T, Abort> {
        let session = &*self.session;
        let mut context = Context::from_waker(Waker::noop());
        let mut program = pin!(program(self));
        loop {
            session.awaited.borrow_mut().clear();
            let state = program.as_mut().poll(&mut context);
            if let Poll::Ready(Err(abort)) = state {
                return Err(abort);
            }
            if let Err(abort) = session.flush() {
                session.fail(abort);
            }
            // A program that waits for nobody, as party 0's, would not see it.
            if state.is_pending()
                && let Some(abort) = &*session.failure.borrow()
            {
                return Err(abort.clone());
            }
            match state {
                Poll::Ready(done) => {
                    // What comes next may take long: no peer shall wait for a message meanwhile.
                    let deadline = Instant::now() + session.timeout;
                    let drained = session.transport.borrow_mut().drain(deadline);
                    return drained.map_err(|source| link("sending", source)).and(done);
                }
                Poll::Pending if session.yielded.take() => {}
                Poll::Pending => {
                    session.receive_frame()?;
                }
            }
        }
    }

    /// Frames and bytes of the link to `peer`, as its transport counts them.
    ///
    /// # Panics
    /// If `peer` is this party.
    pub fn link_stats(&self, peer: Role) -> LinkStats {
        self.session.transport.borrow().stats(peer)
    }

    /// From now on keep at most `bytes` unread from each peer; 8 GiB if nothing is said.
    pub fn keep_unread(&self, bytes: u64) {
        self.session.far_ahead.set(bytes);
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
            self.session.flush()?;
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
        let deadline = Instant::now() + self.session.timeout;
        self.session.transport.borrow_mut().linger(deadline);
    }

    /// Push out what is still queued and say goodbye to the peers.
    pub fn finish(&self) -> Result<(), Abort> {
        self.session.flush()?;
        let deadline = Instant::now() + self.session.timeout;
        self.session
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
            Rc::clone(&self.session),
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
        let session = &*self.session;
        let number = count(&self.sent[to.index()], "messages to one peer");
        let count = &session.sent[to.index()];
        count.set(count.get() + payload.len() as u64);
        session.messages[to.index()].set(session.messages[to.index()].get() + 1);
        let bytes = &session.posted_bytes[to.index()];
        bytes.set(bytes.get() + payload.len());
        self.note(self.role(), to, number, kind, &payload);
        let message = Message {
            branch: self.branch,
            number,
            depth: self.depth.get(),
            tag: kind.tag(),
            payload,
        };
        session.posted.borrow_mut()[to.index()].push(message);
        let linger = session.role == Role::P0 && session.last_flush.get().elapsed() > LINGER;
        if (linger || bytes.get() >= FULL_FRAME)
            && let Err(abort) = session.flush()
        {
            session.fail(abort);
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
        let session = &*self.session;
        let message = poll_fn(|_| {
            if let Some(abort) = &*session.failure.borrow() {
                return Poll::Ready(Err(abort.clone()));
            }
            if let Some(message) = session.arrived.borrow_mut().remove(&key) {
                return Poll::Ready(Ok(message));
            }
            session.awaited.borrow_mut().push((from, kind));
            Poll::Pending
        })
        .await?;
        let unread = &session.unread[from.index()];
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
            self.session.yielded.set(true);
            Poll::Pending
        })
        .await;
    }
}

/// Two futures of branches of one party side by side, for callers that fork branches themselves.
pub async fn together<A, B>(f: impl Future<Output = A>, g: impl Future<Output = B>) -> (A, B) {
    futures_util::future::join(f, g).await
}

/// The results of all futures, in order.
///
/// Each is polled whenever the session goes on: its futures wake nobody, and a combinator that polls only
/// what was woken would wait for ever.
async fn all_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Option<Pin<Box<F>>>> = futures.map(|f| Some(Box::pin(f))).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut all = Poll::Ready(());
        for (slot, done) in running.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    *done = Some(output);
                    *slot = None;
                }
                Poll::Pending => all = Poll::Pending,
            }
        }
        all
    })
    .await;
    done.into_iter().flatten().collect()
}

impl Runtime {
    fn fail(&self, abort: Abort) {
        self.failure.borrow_mut().get_or_insert(abort);
    }

    fn doing(&self) -> String {
        self.awaited
            .borrow()
            .first()
            .map_or_else(|| "sending".to_owned(), |(_, kind)| kind.to_string())
    }

    fn flush(&self) -> Result<(), Abort> {
        self.last_flush.set(Instant::now());
        for peer in Role::ALL {
            let posted = std::mem::take(&mut self.posted.borrow_mut()[peer.index()]);
            self.posted_bytes[peer.index()].set(0);
            if !posted.is_empty() {
                let body = encode_frame(&posted);
                self.transport
                    .borrow_mut()
                    .send(peer, body)
                    .map_err(|source| link(&self.doing(), source))?;
            }
        }
        Ok(())
    }

    /// The next frame, however long it takes, as long as both peers live and somebody works.
    fn receive_while_they_live(&self, awaited: &[Role]) -> Result<(Role, Vec<u8>), NetError> {
        let start = Instant::now();
        let mut transport = self.transport.borrow_mut();
        let glance = (self.timeout / 8).min(GLANCE);
        loop {
            let received = transport.receive(awaited, Instant::now() + glance);
            let Err(NetError::Timeout { .. }) = received else {
                return received;
            };
            let now = Instant::now();
            let since = |sign: Instant| now.saturating_duration_since(sign.max(start));
            let (mut silent, mut stuck) = (Vec::new(), now - start);
            for peer in [self.role.next(), self.role.prev()] {
                let Some(heard) = transport.heard(peer) else {
                    continue;
                };
                stuck = stuck.min(since(heard.work));
                if since(heard.any) >= self.timeout {
                    silent.push((peer, since(heard.any)));
                }
            }
            // Who gives no sign of life is named, whether it is waited for or one of the others waits for it.
            let waited = silent.iter().map(|&(_, silence)| silence).max();
            if let Some(waited) = waited {
                let peers = silent.into_iter().map(|(peer, _)| peer).collect();
                return Err(NetError::Timeout { peers, waited });
            }
            // All live and nobody works: the message was lost, and will not come.
            if stuck >= self.timeout {
                let (peers, waited) = (awaited.to_vec(), now - start);
                return Err(NetError::Timeout { peers, waited });
            }
        }
    }

    fn receive_frame(&self) -> Result<(), Abort> {
        let mut peers: Vec<Role> = self
            .awaited
            .borrow()
            .iter()
            .map(|(peer, _)| *peer)
            .collect();
        peers.sort_unstable();
        peers.dedup();
        let received = self.receive_while_they_live(&peers);
        let (peer, body) = received.map_err(|source| link(&self.doing(), source))?;
        let malformed = || {
            link(
                &self.doing(),
                NetError::Malformed {
                    peer,
                    bytes: body.len(),
                },
            )
        };
        let messages = decode_frame(&body).ok_or_else(malformed)?;
        let mut arrived = self.arrived.borrow_mut();
        for message in messages {
            let unread = &self.unread[peer.index()];
            unread.set(unread.get() + MESSAGE + message.payload.len() as u64);
            let limit = self.far_ahead.get();
            if unread.get() > limit {
                return Err(Abort::TooFarAhead {
                    peer,
                    bytes: unread.get(),
                    limit,
                });
            }
            match arrived.entry((peer, message.branch, message.number)) {
                Entry::Occupied(_) => {
                    return Err(Abort::Surplus {
                        peer,
                        found: MessageKind::name(message.tag),
                    });
                }
                Entry::Vacant(place) => place.insert(message),
            };
        }
        Ok(())
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

fn link(step: &str, source: NetError) -> Abort {
    Abort::Link {
        step: step.to_owned(),
        source,
    }
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
