//! Three real parties in one process, some of which deviate from the protocol.

use super::meddling::{Change, Meddling, Reshared, Traces};
use crate::random::Random;
use crate::replay::{Blame, Opened, digest, examine, seeds_of};
use crate::{Replayed, Servers, VerifyError};
use ndarray::{ArrayD, Axis, concatenate};
use std::time::Duration;
use trefoil_mpc::{Abort, BatchKeys, Party, PartyConfig, Share, Transcript, combine};
use trefoil_net::{MemoryTransport, Role, Transport, memory_mesh};
use trefoil_nn::{InputError, Plan, RunRing, Secure, Weights, run};
use trefoil_ring::{Ring, Seed};

/// Longest silence of a party.
const TIMEOUT: Duration = Duration::from_secs(20);

/// How parties deviate in the runs they choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deviation {
    /// All three negate their shares of the answer: a consistent sharing of a wrong one.
    NegateShares,
    /// All three answer with their shares of the answer before.
    OldAnswer,
    /// All three compute with another model of the same layers, [`Parties::with_other`].
    OtherModel,
    /// A party flips a bit of every word in its message of this number, counted over both peers: an error in the middle
    /// of the protocol. With `hides`, it commits to the message that it should have sent.
    FlipMessage {
        /// Who.
        role: Role,
        /// Which of its messages.
        number: usize,
        /// Whether it denies it.
        hides: bool,
    },
    /// Party 1 adds an error to its share of the answer alone.
    OneShare,
    /// Party 1 adds a number to every output of the first layer, in its message to party 2 and in its own copy of the
    /// sum alike: all shares match.
    ShiftLayer(f64),
    /// The same to one output of the last layer: a logit moved a little, or a class chosen.
    ShiftLogit(usize, f64),
}

/// Three parties as threads of this process, one query at a time. In runs that are chosen, they deviate.
pub struct Parties<'a, R: Ring> {
    plan: &'a Plan,
    weights: [Vec<Share<R>>; 3],
    /// Shares of another model's weights.
    other: Option<[Vec<Share<R>>; 3]>,
    deviation: Option<Deviation>,
    /// Runs in which they deviate, counted from the first answer.
    chosen: std::collections::HashSet<usize>,
    answered: usize,
    last: Option<[Share<R>; 3]>,
    /// What is needed to replay the runs since they were counted anew, where that is asked for.
    records: Option<Vec<Record<R>>>,
    /// What party 1 sends in a run of the honest protocol.
    reshared: Vec<Reshared>,
    /// Messages that each party sends in it.
    messages: [usize; 3],
    random: Random,
}

/// A run as its client remembers it, and what the parties would open.
struct Record<R> {
    id: [u8; 16],
    inputs: [Vec<Share<R>>; 3],
    answers: [[u8; 32]; 3],
    opened: [Opened; 3],
}

/// One party's end of a run.
struct End<R> {
    output: Share<R>,
    transcript: Transcript,
    traces: Traces,
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
    Random(#[from] VerifyError),
}

impl<'a, R: RunRing> Parties<'a, R> {
    /// Parties that hold fresh shares of the weights; the plan's batch is 1. They compute one run to see what they send.
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
        let mut parties = Self {
            plan,
            weights,
            other: None,
            deviation: None,
            chosen: std::collections::HashSet::new(),
            answered: 0,
            last: None,
            records: None,
            reshared: Vec::new(),
            messages: [0; 3],
            random,
        };
        let shape = plan.inputs.first().map(|input| plan.shape(input.value));
        let ends = parties
            .compute(&ArrayD::zeros(shape.unwrap_or(&[1])), None)?
            .1;
        parties.reshared = ends[Role::P1.index()].traces.reshared();
        parties.messages = ends.each_ref().map(|end| end.traces.sent());
        Ok(parties)
    }

    /// The same with another model at hand, for [`Deviation::OtherModel`].
    ///
    /// # Errors
    /// If a weight does not fit the plan's numbers.
    pub fn with_other(mut self, weights: &Weights) -> Result<Self, PartiesError> {
        let encoded = weights.encode::<R>(self.plan)?;
        self.other = Some(deal(&encoded, &mut self.random)?);
        Ok(self)
    }

    /// Messages that a party sends in one run.
    pub fn messages(&self, role: Role) -> usize {
        self.messages[role.index()]
    }

    /// From now on, keep what is needed to replay runs.
    pub fn record(&mut self) {
        self.records = Some(Vec::new());
    }

    /// From now on, count runs anew and deviate in `count` random ones of the next `runs`.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    ///
    /// # Panics
    /// If `count` exceeds `runs`, or the parties have no other model and should use it.
    pub fn deviate(
        &mut self,
        deviation: Deviation,
        count: usize,
        runs: usize,
    ) -> Result<(), PartiesError> {
        assert!(count <= runs, "{count} of {runs} runs");
        assert!(
            deviation != Deviation::OtherModel || self.other.is_some(),
            "parties with another model"
        );
        let order = crate::Permutation::shuffled(runs, &mut self.random)?;
        self.deviation = Some(deviation);
        self.chosen = order.order().take(count).collect();
        self.answered = 0;
        if let Some(records) = &mut self.records {
            records.clear();
        }
        Ok(())
    }

    fn one(&mut self, query: &ArrayD<f64>) -> Result<ArrayD<f64>, PartiesError> {
        let deviation = self
            .deviation
            .filter(|_| self.chosen.contains(&self.answered));
        self.answered += 1;
        let (mut record, ends) = self.compute(query, deviation)?;
        let outputs = ends.map(|end| end.output);
        let sent = match (deviation, &self.last) {
            (Some(Deviation::OldAnswer), Some(last)) => last.clone(),
            _ => outputs.clone(),
        };
        self.last = Some(outputs);
        if let Some(records) = &mut self.records {
            record.answers = sent
                .each_ref()
                .map(|share| digest(std::slice::from_ref(share)));
            records.push(record);
        }
        Ok(self.plan.format().decode_all(combine(&sent)?.view()))
    }

    /// A run under keys of its own, and what it leaves behind.
    fn compute(
        &mut self,
        query: &ArrayD<f64>,
        deviation: Option<Deviation>,
    ) -> Result<(Record<R>, [End<R>; 3]), PartiesError> {
        let plan = self.plan;
        plan.check_inputs(std::slice::from_ref(query))?;
        let encoded = query.mapv(|value| plan.format().encode::<R>(value));
        let inputs = deal(&[encoded], &mut self.random)?;
        let mut words = [[0; 16]; 4];
        for word in &mut words {
            for half in word.chunks_exact_mut(8) {
                half.copy_from_slice(&self.random.word()?.to_le_bytes());
            }
        }
        let [id, pairs @ ..] = words;
        let pairs = pairs.map(Seed);
        let weights = match (deviation, &self.other) {
            (Some(Deviation::OtherModel), Some(other)) => other,
            _ => &self.weights,
        };
        let changes = Role::ALL.map(|role| self.change(role, deviation));
        let ends: Vec<End<R>> = std::thread::scope(|scope| {
            let threads: Vec<_> = Role::ALL
                .into_iter()
                .zip(memory_mesh())
                .zip(inputs.clone())
                .map(|((role, transport), inputs)| {
                    let keys = BatchKeys {
                        id,
                        seeds: seeds_of(role, &pairs),
                    };
                    let (weights, change) = (&weights[role.index()], changes[role.index()]);
                    scope
                        .spawn(move || party(plan, role, &keys, transport, weights, inputs, change))
                })
                .collect();
            let ended = threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| PartiesError::Thread)?);
            ended.collect::<Result<_, PartiesError>>()
        })?;
        let mut ends: [End<R>; 3] = ends.try_into().map_err(|_| PartiesError::Thread)?;
        for (role, end) in Role::ALL.into_iter().zip(&mut ends) {
            end.output = self.sent_by(role, &end.output, deviation);
        }
        let opened = ends.each_ref().map(|end| Opened {
            root: end.transcript.root(),
            seeds: seeds_of(end.transcript.role(), &pairs),
            entries: end.transcript.to_bytes(),
        });
        let record = Record {
            id,
            inputs,
            answers: [[0; 32]; 3],
            opened,
        };
        Ok((record, ends))
    }

    /// What `role` does to its messages.
    fn change(&self, role: Role, deviation: Option<Deviation>) -> Option<Change> {
        // Before it is truncated, a product has twice the fraction bits.
        let error = |value: f64| (value * f64::from(2 * self.plan.fraction_bits).exp2()) as i64;
        let classes = self.plan.outputs.first()?;
        let classes: usize = self.plan.shape(classes.value).iter().product();
        match deviation? {
            Deviation::FlipMessage {
                role: who,
                number,
                hides,
            } if who == role => Some(Change::Flip { number, hides }),
            Deviation::ShiftLayer(by) if role == Role::P1 => Some(Change::Shift {
                number: 0,
                word: None,
                error: error(by),
            }),
            Deviation::ShiftLogit(class, by) if role == Role::P1 => Some(Change::Shift {
                number: self.reshared.iter().rposition(|it| it.words == classes)?,
                word: Some(class),
                error: error(by),
            }),
            _ => None,
        }
    }

    /// The share that `role` sends to the client.
    fn sent_by(&self, role: Role, output: &Share<R>, deviation: Option<Deviation>) -> Share<R> {
        match deviation {
            Some(Deviation::NegateShares) => output.neg(),
            Some(Deviation::OneShare) if role == Role::P1 => {
                let error = R::from_i64(1 << self.plan.fraction_bits);
                let moved = output.mine().iter().map(|&word| word + error).collect();
                Share::new(output.shape(), moved, output.next().to_vec())
            }
            _ => output.clone(),
        }
    }
}

/// What one party does.
fn party<R: RunRing>(
    plan: &Plan,
    role: Role,
    keys: &BatchKeys,
    transport: MemoryTransport,
    weights: &[Share<R>],
    inputs: Vec<Share<R>>,
    change: Option<Change>,
) -> Result<End<R>, PartiesError> {
    let config = PartyConfig {
        role,
        session: keys.id,
        seeds: keys.seeds.clone(),
        timeout: TIMEOUT,
    };
    let (transport, traces) = Meddling::new(transport, role, change, &keys.seeds);
    let transport: Box<dyn Transport> = Box::new(transport);
    let party = Party::new(config, transport);
    let batch = party.batch(keys);
    let output = evaluate(plan, &batch, weights, inputs)?;
    party.finish()?;
    // It commits to what crossed its links, or to what should have.
    let hides = matches!(change, Some(Change::Flip { hides: true, .. }));
    let own = if hides { batch.transcript() } else { None };
    let transcript = own.unwrap_or_else(|| traces.truth());
    Ok(End {
        output,
        transcript,
        traces,
    })
}

/// The protocol.
fn evaluate<R: RunRing>(
    plan: &Plan,
    batch: &Party,
    weights: &[Share<R>],
    inputs: Vec<Share<R>>,
) -> Result<Share<R>, Abort> {
    let mut outputs = batch.run(async |party| {
        let backend = Secure::<R>::new(party.fork(), plan.format());
        let outputs = run(plan, &backend, weights, inputs, &mut ()).await;
        party.merge(&[backend.party()]);
        outputs
    })?;
    Ok(outputs.swap_remove(0))
}

impl<R: RunRing> Replayed for Parties<'_, R> {
    fn batches(&self) -> usize {
        self.records.as_ref().map_or(0, Vec::len)
    }

    fn replay(&mut self, batch: usize) -> Result<Option<Blame>, PartiesError> {
        let record = self.records.as_ref().and_then(|records| records.get(batch));
        let record = record.ok_or(VerifyError::NotRecorded { batch })?;
        let [first, second, third] = record.inputs.clone();
        let [of_first, of_second, of_third] = &self.weights;
        let given = [(of_first, first), (of_second, second), (of_third, third)];
        let blame = examine(
            record.id,
            &record.opened,
            &record.answers,
            given,
            TIMEOUT,
            |batch, (weights, inputs)| {
                let output = evaluate(self.plan, batch, weights, inputs)?;
                Ok(digest(&[output]))
            },
        );
        blame.map_err(|error| VerifyError::Servers(Box::new(error)).into())
    }
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
) -> Result<[Vec<Share<R>>; 3], VerifyError> {
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
