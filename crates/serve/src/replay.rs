//! Replaying a batch: the parties open it, and the client computes all three of them again.

use crate::outcome::Queries;
use crate::random::random_id;
use crate::session::Task;
use crate::wire::{Reply, Request, unexpected};
use crate::{Client, Inference, ServeError};
use ndarray::ArrayD;
use trefoil_guard::{Guard, GuardRing};
use trefoil_mpc::{BatchKeys, Component, Share};
use trefoil_net::Role;
use trefoil_nn::Secure;
use trefoil_ring::{FixedPoint, Ring, Seed, Z32, Z64};
use trefoil_verify::Blame;
use trefoil_verify::replay::{Opened, digest, examine};

/// What a client remembers of an answer: enough to replay its batches, with the job itself.
#[derive(Clone)]
pub struct Receipt {
    session: [u8; 16],
    /// The number of its first batch in the session.
    first: usize,
    /// Under which the owner's tensors were shared.
    secrets: [Seed; 2],
    pub(crate) batches: Vec<BatchReceipt>,
}

/// What a client remembers of a batch.
#[derive(Clone)]
pub(crate) struct BatchReceipt {
    /// Under which the inputs were shared.
    pub(crate) inputs: [Seed; 2],
    /// What each party committed to.
    pub(crate) roots: [[u8; 32]; 3],
    /// Digests of their shares of the answer.
    pub(crate) answers: [[u8; 32]; 3],
}

impl Receipt {
    pub(crate) fn new(session: [u8; 16], first: usize, secrets: [Seed; 2]) -> Self {
        Self {
            session,
            first,
            secrets,
            batches: Vec::new(),
        }
    }

    /// Batches of the answer.
    pub fn batches(&self) -> usize {
        self.batches.len()
    }
}

impl Client {
    /// Replay a batch of `job`, which [`Client::infer_with_receipt`] gave the receipt for: who deviated in it, if anybody.
    /// Every message of every party, and its share of the answer, is compared with what is computed again here.
    ///
    /// # Security
    /// The parties learn that the batch is checked, and open its own seeds alone: those of other batches and of the session do
    /// not follow from them. Ask when all answers are in, and the session is over: the parties serve one at a time.
    ///
    /// # Errors
    /// [`ServeError::Parties`] if a party does not open the batch, [`ServeError::Connection`], [`ServeError::Replay`].
    ///
    /// # Panics
    /// If the answer has no such batch, or the job is another one.
    pub fn replay(
        &mut self,
        job: &Inference<'_>,
        receipt: &Receipt,
        batch: usize,
    ) -> Result<Option<Blame>, ServeError> {
        let opened = self.opened(receipt, batch)?;
        match job.plan.ring_bits {
            32 => self.examine::<Z32>(job, receipt, batch, &opened),
            _ => self.examine::<Z64>(job, receipt, batch, &opened),
        }
    }

    /// What the parties open of a batch.
    fn opened(&self, receipt: &Receipt, batch: usize) -> Result<[Opened; 3], ServeError> {
        let mut parties = self.open(random_id()?, [0; 32])?;
        let mut opened = Vec::new();
        let request = Request::Open {
            session: receipt.session,
            batch: receipt.first + batch,
        };
        let asked = parties.say_to_all(&request, self.timeout);
        parties.or_failures(asked)?;
        for role in Role::ALL {
            let reply = parties.reply(role);
            match parties.or_failures(reply)? {
                Reply::Opened { seeds, entries } => opened.push(Opened {
                    root: receipt.batches[batch].roots[role.index()],
                    seeds: seeds.map(|seed| seed.map(Seed)),
                    entries,
                }),
                other => return Err(unexpected(role, &other)),
            }
        }
        parties.join();
        opened.try_into().map_err(|_| ServeError::Bug)
    }

    fn examine<R: GuardRing>(
        &self,
        job: &Inference<'_>,
        receipt: &Receipt,
        batch: usize,
        opened: &[Opened; 3],
    ) -> Result<Option<Blame>, ServeError> {
        let plan = job.plan;
        let format = plan.format();
        let of_guard = job.guard.map(Guard::tensors).unwrap_or_default();
        let held = job.weights.held();
        let secrets = held.iter().map(AsRef::as_ref).chain(&of_guard);
        let secrets = shares::<R>(secrets, format, &receipt.secrets);
        let inputs = &Queries::new(plan, job.inputs)?.batches[batch];
        let its = &receipt.batches[batch];
        let inputs = shares::<R>(inputs, format, &its.inputs);
        let [first, second, third] = inputs;
        let given = [
            (&secrets[0], first),
            (&secrets[1], second),
            (&secrets[2], third),
        ];
        let task = Task {
            plan: plan.clone(),
            guard: job.guard.map(Guard::settings),
        };
        let number = (receipt.first + batch) as u32;
        let id = BatchKeys::of(&receipt.session, number, &[None, None, None]).id;
        let blame = examine(
            id,
            opened,
            &its.answers,
            given,
            self.timeout,
            |party, (secrets, inputs)| {
                party.run(async |party| {
                    let backend = Secure::<R>::new(party.fork(), format);
                    let mut ignore = |_: usize, _: &str, _| {};
                    let outputs = task.compute(&backend, secrets, inputs, &mut ignore).await?;
                    party.merge(&[backend.party()]);
                    Ok(digest(&outputs))
                })
            },
        );
        Ok(blame?)
    }
}

/// The three parties' shares of tensors that were shared under `seeds`.
fn shares<'a, R: Ring>(
    tensors: impl IntoIterator<Item = &'a ArrayD<f64>>,
    format: FixedPoint,
    seeds: &[Seed; 2],
) -> [Vec<Share<R>>; 3] {
    let mut drawn = seeds.each_ref().map(Component::<R>::new);
    let mut shares: [Vec<Share<R>>; 3] = Default::default();
    for tensor in tensors {
        let [x_0, x_1] = drawn
            .each_mut()
            .map(|component| component.draw(tensor.len()));
        let masked: Vec<R> = tensor
            .iter()
            .zip(x_0.iter().zip(&x_1))
            .map(|(&value, (&x_0, &x_1))| format.encode::<R>(value) - x_0 - x_1)
            .collect();
        let components = [x_0, x_1, masked];
        for (role, shares) in Role::ALL.into_iter().zip(&mut shares) {
            let (mine, next) = (role.index(), role.next().index());
            let share = Share::new(
                tensor.shape(),
                components[mine].clone(),
                components[next].clone(),
            );
            shares.push(share);
        }
    }
    shares
}
