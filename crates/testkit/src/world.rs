//! Three parties in one process, with a tamper hook and a record of every message.

use crate::Random;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use trefoil_mpc::{Abort, Party, PartyConfig, Share, Traffic};
use trefoil_net::{
    Branch, LinkStats, MemoryTransport, Message, NetError, Role, Tag, Transport, decode_frame,
    encode_frame, memory_mesh,
};
use trefoil_ring::{Ring, Seed};

/// Everything random in a run.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Seed of the input shares.
    pub deal: u64,
    /// Seeds that parties `i` and `i + 1` share.
    pub edges: [[u8; 16]; 3],
    /// A message to change.
    pub tamper: Option<Tamper>,
    /// Longest wait for a message.
    pub timeout: Duration,
}

/// Which message to change, and how.
#[derive(Clone, Copy, Debug)]
pub struct Tamper {
    /// The sender.
    pub from: Role,
    /// The receiver.
    pub to: Role,
    /// The message's branch.
    pub branch: Branch,
    /// The message's number in its branch.
    pub number: u32,
    /// The change.
    pub change: Change,
}

/// A change of a message in transit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The last byte is missing.
    Cut,
    /// A byte too many.
    Lengthen,
    /// Another step's tag.
    Tag,
    /// A flipped bit: not detected by the runtime.
    Flip,
    /// The message is not sent at all.
    Drop,
}

/// One message as it went over a link.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    /// The sender.
    pub from: Role,
    /// The receiver.
    pub to: Role,
    /// The branch that sent it.
    pub branch: Branch,
    /// Its number in the branch.
    pub number: u32,
    /// Its step.
    pub tag: Tag,
    /// Its content.
    pub payload: Vec<u8>,
}

impl Sent {
    /// What of a message must not depend on inputs.
    pub fn shape(&self) -> (usize, usize, [u8; 12], u32, u16, usize) {
        (
            self.from.index(),
            self.to.index(),
            self.branch.0,
            self.number,
            self.tag.0,
            self.payload.len(),
        )
    }
}

/// What one run left behind.
pub struct Run<T> {
    /// Each party's result.
    pub outputs: [Result<T, Abort>; 3],
    /// Each party's traffic.
    pub traffic: [Traffic; 3],
    /// Every message, sorted by link, branch and number: the same order whatever the scheduling.
    pub log: Vec<Sent>,
}

impl<T> Run<T> {
    /// The outputs of a run in which nobody aborted.
    ///
    /// # Panics
    /// If somebody did.
    pub fn unwrap(self) -> [T; 3] {
        self.outputs.map(|out| match out {
            Ok(out) => out,
            Err(abort) => panic!("a party aborted: {abort}"),
        })
    }

    /// Rounds of the run: the longest chain at any party.
    pub fn rounds(&self) -> u32 {
        self.traffic.iter().map(|t| t.rounds).max().unwrap_or(0)
    }
}

type Log = Arc<Mutex<Vec<Sent>>>;

struct Recorder {
    role: Role,
    inner: MemoryTransport,
    tamper: Option<Tamper>,
    log: Log,
}

impl Transport for Recorder {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let mut messages = decode_frame(&body).expect("own frames are well-formed");
        let from = self.role;
        let sent = |m: &Message| Sent {
            from,
            to,
            branch: m.branch,
            number: m.number,
            tag: m.tag,
            payload: m.payload.clone(),
        };
        self.log.lock().unwrap().extend(messages.iter().map(sent));
        let Some(tamper) = self.tamper.filter(|t| t.from == from && t.to == to) else {
            return self.inner.send(to, body);
        };
        let hit = |m: &Message| m.branch == tamper.branch && m.number == tamper.number;
        match tamper.change {
            Change::Drop => messages.retain(|m| !hit(m)),
            change => {
                for m in messages.iter_mut().filter(|m| hit(m)) {
                    match change {
                        Change::Cut => {
                            m.payload.pop();
                        }
                        Change::Lengthen => m.payload.push(7),
                        Change::Tag => m.tag = Tag(m.tag.0 ^ 0x40),
                        _ => m.payload[0] ^= 0x10,
                    }
                }
            }
        }
        if messages.is_empty() {
            Ok(())
        } else {
            self.inner.send(to, encode_frame(&messages))
        }
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        self.inner.receive(awaited, deadline)
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.drain(deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.finish(deadline)
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.inner.stats(peer)
    }
}

impl World {
    /// A world in which everything follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let edges = [random.seed(), random.seed(), random.seed()];
        Self {
            deal: random.word(),
            edges,
            tamper: None,
            timeout: Duration::from_secs(20),
        }
    }

    /// The same world but for the seed that the two parties other than `fixed` share.
    #[must_use]
    pub fn vary_others(mut self, fixed: Role, seed: u64) -> Self {
        self.edges[fixed.next().index()] = Random::new(seed).seed();
        self
    }

    /// Run `protocol` at three parties on shares of `inputs` (shape, values).
    pub fn run<R: Ring, T: Send>(
        &self,
        inputs: &[(Vec<usize>, Vec<R>)],
        protocol: impl AsyncFn(&Party, &[Share<R>]) -> Result<T, Abort> + Sync,
    ) -> Run<T> {
        let log = Log::default();
        let shares = self.deal(inputs);
        let done: Vec<(Result<T, Abort>, Traffic)> = thread::scope(|scope| {
            let mesh = memory_mesh();
            let threads: Vec<_> = Role::ALL
                .into_iter()
                .zip(mesh)
                .zip(shares)
                .map(|((role, inner), shares)| {
                    let recorder = Recorder {
                        role,
                        inner,
                        tamper: self.tamper,
                        log: Arc::clone(&log),
                    };
                    let config = self.config(role);
                    let protocol = &protocol;
                    scope.spawn(move || {
                        let party = Party::new(config, Box::new(recorder));
                        let out = party.run(async |party| protocol(party, &shares).await);
                        let out = out.and_then(|out| party.finish().map(|()| out));
                        (out, party.traffic())
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().expect("a party panicked"))
                .collect()
        });
        let traffic = [done[0].1, done[1].1, done[2].1];
        let mut outputs = done.into_iter().map(|(out, _)| out);
        let outputs = std::array::from_fn(|_| outputs.next().expect("three outputs"));
        let mut log = std::mem::take(&mut *log.lock().unwrap());
        log.sort_by_key(Sent::shape);
        Run {
            outputs,
            traffic,
            log,
        }
    }

    fn config(&self, role: Role) -> PartyConfig {
        let mut seeds = [None, None, None];
        seeds[role.next().index()] = Some(Seed(self.edges[role.index()]));
        seeds[role.prev().index()] = Some(Seed(self.edges[role.prev().index()]));
        PartyConfig {
            role,
            session: *b"test session 123",
            seeds,
            timeout: self.timeout,
        }
    }

    /// Shares of `inputs` for the three parties.
    pub fn deal<R: Ring>(&self, inputs: &[(Vec<usize>, Vec<R>)]) -> [Vec<Share<R>>; 3] {
        let mut random = Random::new(self.deal);
        let mut parties: [Vec<Share<R>>; 3] = Default::default();
        for (shape, values) in inputs {
            let x_0 = random.elements::<R>(values.len());
            let x_1 = random.elements::<R>(values.len());
            let x_2 = values
                .iter()
                .zip(x_0.iter().zip(&x_1))
                .map(|(&v, (&a, &b))| v - a - b)
                .collect();
            let components = [x_0, x_1, x_2];
            for (i, party) in parties.iter_mut().enumerate() {
                party.push(Share::new(
                    shape,
                    components[i].clone(),
                    components[(i + 1) % 3].clone(),
                ));
            }
        }
        parties
    }
}

/// The value behind three shares, after checking that they are one replicated sharing.
///
/// # Panics
/// If two parties hold different copies of a component.
pub fn reconstruct<R: Ring>(shares: [&Share<R>; 3]) -> Vec<R> {
    for i in 0..3 {
        assert!(
            shares[i].next() == shares[(i + 1) % 3].mine(),
            "party {i} and the next hold different components"
        );
    }
    let sums = shares[0]
        .mine()
        .iter()
        .zip(shares[1].mine())
        .zip(shares[2].mine());
    sums.map(|((&a, &b), &c)| a + b + c).collect()
}
