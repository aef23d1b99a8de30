//! Three real parties in one process, some of which deviate from the protocol.

use crate::Servers;
use crate::random::Random;
use ndarray::{ArrayD, Axis, concatenate};
use std::time::{Duration, Instant};
use trefoil_mpc::{Abort, Party, PartyConfig, Share, combine};
use trefoil_net::{
    LinkStats, MemoryTransport, NetError, Role, Transport, decode_frame, encode_frame, memory_mesh,
};
use trefoil_nn::{InputError, Plan, RunRing, Secure, Weights, run};
use trefoil_ring::{Ring, Seed};

/// How parties deviate in the runs they choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// All three negate their shares of the answer: a consistent sharing of a wrong one.
    NegateShares,
    /// Party 1 flips a bit of every word in its message of this number to party 2: an error in the middle of the protocol.
    FlipMessage(u32),
    /// Party 1 adds an error to its share of the answer alone.
    OneShare,
}

/// Three parties as threads of this process, one query at a time. In runs that are chosen, they deviate.
pub struct Parties<'a, R: Ring> {
    plan: &'a Plan,
    weights: [Vec<Share<R>>; 3],
    deviation: Option<Deviation>,
    /// Runs in which they deviate, counted from the first answer.
    chosen: std::collections::HashSet<usize>,
    answered: usize,
    random: Random,
}

/// Why the parties did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PartiesError {
    /// A party stopped, or the client noticed that shares do not fit.
    #[error(transparent)]
    Abort(#[from] Abort),
    /// A sample that cannot be shared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A party's thread panicked.
    #[error("a party's thread panicked")]
    Thread,
    /// No randomness.
    #[error(transparent)]
    Random(#[from] crate::VerifyError),
}

impl<'a, R: RunRing> Parties<'a, R> {
    /// Parties that hold fresh shares of the weights; the plan's batch is 1.
    ///
    /// # Errors
    /// If a weight does not fit the plan's numbers.
    ///
    /// # Panics
    /// If the plan's batch is not 1, or `R` is not its ring.
    pub fn new(plan: &'a Plan, weights: &Weights) -> Result<Self, PartiesError> {
        assert_eq!(plan.batch, 1, "a plan of one sample at once");
        let mut random = Random::system();
        let weights = deal(&weights.encode::<R>(plan)?, &mut random)?;
        Ok(Self {
            plan,
            weights,
            deviation: None,
            chosen: std::collections::HashSet::new(),
            answered: 0,
            random,
        })
    }

    /// From now on, count runs anew and deviate in `count` random ones of the next `runs`.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    ///
    /// # Panics
    /// If `count` exceeds `runs`.
    pub fn deviate(
        &mut self,
        deviation: Deviation,
        count: usize,
        runs: usize,
    ) -> Result<(), PartiesError> {
        assert!(count <= runs, "{count} of {runs} runs");
        let order = crate::Permutation::shuffled(runs, &mut self.random)?;
        self.deviation = Some(deviation);
        self.chosen = order.order().take(count).collect();
        self.answered = 0;
        Ok(())
    }

    fn one(&mut self, query: &ArrayD<f64>) -> Result<ArrayD<f64>, PartiesError> {
        let plan = self.plan;
        plan.check_inputs(std::slice::from_ref(query))?;
        let encoded = query.mapv(|value| plan.format().encode::<R>(value));
        let inputs = deal(&[encoded], &mut self.random)?;
        let deviation = self
            .deviation
            .filter(|_| self.chosen.contains(&self.answered));
        self.answered += 1;
        let mut edges = [[0; 16]; 3];
        for edge in &mut edges {
            for half in edge.chunks_exact_mut(8) {
                half.copy_from_slice(&self.random.word()?.to_le_bytes());
            }
        }
        let weights = &self.weights;
        let shares: Vec<Share<R>> = std::thread::scope(|scope| {
            let threads: Vec<_> = Role::ALL
                .into_iter()
                .zip(memory_mesh())
                .zip(inputs)
                .map(|((role, transport), inputs)| {
                    let weights = &weights[role.index()];
                    scope.spawn(move || {
                        party(plan, role, edges, transport, weights, inputs, deviation)
                    })
                })
                .collect();
            let ended = threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| PartiesError::Thread)?);
            ended.collect::<Result<_, PartiesError>>()
        })?;
        let shares: [Share<R>; 3] = shares.try_into().map_err(|_| PartiesError::Thread)?;
        Ok(plan.format().decode_all(combine(&shares)?.view()))
    }
}

/// What one party does.
fn party<R: RunRing>(
    plan: &Plan,
    role: Role,
    edges: [[u8; 16]; 3],
    transport: MemoryTransport,
    weights: &[Share<R>],
    inputs: Vec<Share<R>>,
    deviation: Option<Deviation>,
) -> Result<Share<R>, PartiesError> {
    let mut seeds = [None, None, None];
    seeds[role.next().index()] = Some(Seed(edges[role.index()]));
    seeds[role.prev().index()] = Some(Seed(edges[role.prev().index()]));
    let config = PartyConfig {
        role,
        session: *b"trefoil cheating",
        seeds,
        timeout: Duration::from_secs(20),
    };
    let transport: Box<dyn Transport> = match deviation {
        Some(Deviation::FlipMessage(number)) if role == Role::P1 => Box::new(Flipping {
            inner: transport,
            number,
            sent: 0,
        }),
        _ => Box::new(transport),
    };
    let party = Party::new(config, transport);
    let outputs = party.run(async |party| {
        let backend = Secure::<R>::new(party.fork(), plan.format());
        let outputs = run(plan, &backend, weights, inputs, &mut ()).await;
        party.merge(&[backend.party()]);
        outputs
    })?;
    party.finish()?;
    let Some(output) = outputs.into_iter().next() else {
        return Err(PartiesError::Thread);
    };
    Ok(match deviation {
        Some(Deviation::NegateShares) => output.neg(),
        Some(Deviation::OneShare) if role == Role::P1 => {
            let error = R::from_i64(1 << plan.fraction_bits);
            let moved = output.mine().iter().map(|&word| word + error).collect();
            Share::new(output.shape(), moved, output.next().to_vec())
        }
        _ => output,
    })
}

impl<R: RunRing> Servers for Parties<'_, R> {
    type Error = PartiesError;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, PartiesError> {
        let mut answers = Vec::new();
        for query in queries.outer_iter() {
            answers.push(self.one(&query.insert_axis(Axis(0)).to_owned())?);
        }
        let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
        Ok(concatenate(Axis(0), &views).unwrap_or_default())
    }
}

/// Replicated shares of tensors for the three parties.
fn deal<R: Ring>(
    tensors: &[ArrayD<R>],
    random: &mut Random,
) -> Result<[Vec<Share<R>>; 3], crate::VerifyError> {
    let mut parties: [Vec<Share<R>>; 3] = Default::default();
    for tensor in tensors {
        let mut components: [Vec<R>; 3] = Default::default();
        for &value in tensor {
            let [first, second] = [R::from_u64(random.word()?), R::from_u64(random.word()?)];
            components[0].push(first);
            components[1].push(second);
            components[2].push(value - first - second);
        }
        for (i, party) in parties.iter_mut().enumerate() {
            let (mine, next) = (components[i].clone(), components[(i + 1) % 3].clone());
            party.push(Share::new(tensor.shape(), mine, next));
        }
    }
    Ok(parties)
}

/// A link of party 1 on which one message to party 2 is altered.
struct Flipping {
    inner: MemoryTransport,
    number: u32,
    sent: u32,
}

impl Transport for Flipping {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let Some(mut messages) = decode_frame(&body) else {
            return self.inner.send(to, body);
        };
        for message in messages.iter_mut().filter(|_| to == Role::P2) {
            if self.sent == self.number {
                for byte in message.payload.iter_mut().skip(3).step_by(8) {
                    *byte ^= 0x10;
                }
            }
            self.sent += 1;
        }
        self.inner.send(to, encode_frame(&messages))
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
