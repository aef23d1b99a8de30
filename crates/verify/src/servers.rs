//! Whoever answers queries, and those that need no network.

use crate::Blame;
use ndarray::{ArrayD, Axis, Slice, concatenate};
use std::convert::Infallible;
use trefoil_nn::{
    Clear, Fixed, InputError, Plan, PlanBackend, RunRing, Weights, filled, ready, run,
};
use trefoil_ring::Ring;

/// Servers that answer queries, as their client sees them: nothing else of a back end is known here.
pub trait Servers {
    /// Why they did not answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The answers `[n, …]` to the queries `[n, …]`, in their order.
    ///
    /// An implementation sends each query as a fresh one: two equal queries must look unrelated to the
    /// servers, as fresh shares of them do.
    ///
    /// # Errors
    /// If there is no answer. The caller then takes none of them.
    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Self::Error>;
}

/// Servers that commit to their messages, batch by batch, so that batches can be computed again.
pub trait Replayed: Servers {
    /// Batches answered so far that can be replayed, in the order of the answers.
    fn batches(&self) -> usize;

    /// Replay a batch: who deviated in it, if anybody. The servers learn that it is checked.
    ///
    /// # Errors
    /// If a server does not open it: nothing of what it answered is to be believed.
    fn replay(&mut self, batch: usize) -> Result<Option<Blame>, Self::Error>;
}

/// A model in this process, in 64-bit floats.
pub struct InTheClear<'a> {
    plan: &'a Plan,
    weights: Vec<ArrayD<f64>>,
}

impl<'a> InTheClear<'a> {
    /// The model of one input and one output.
    pub fn new(plan: &'a Plan, weights: &Weights) -> Self {
        let weights = weights.to_clear();
        Self { plan, weights }
    }
}

impl Servers for InTheClear<'_> {
    type Error = Infallible;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Infallible> {
        let code = (|batch: ArrayD<f64>| batch, |answer: ArrayD<f64>| answer);
        Ok(in_batches(&Clear, self.plan, &self.weights, queries, code))
    }
}

/// A model in this process, in the parties' arithmetic with their rounding.
pub struct InRing<'a, R: Ring> {
    plan: &'a Plan,
    weights: Vec<ArrayD<R>>,
    backend: Fixed<R>,
}

impl<'a, R: Ring> InRing<'a, R> {
    /// The model of one input and one output, with the rounding coins of `seed`.
    ///
    /// # Errors
    /// If a weight does not fit the plan's numbers.
    ///
    /// # Panics
    /// If `R` is not the plan's ring.
    pub fn new(plan: &'a Plan, weights: &Weights, seed: [u8; 16]) -> Result<Self, InputError> {
        let weights = weights.encode::<R>(plan)?;
        let backend = Fixed::new(plan.format(), seed);
        Ok(Self {
            plan,
            weights,
            backend,
        })
    }
}

impl<R: RunRing> Servers for InRing<'_, R> {
    type Error = InputError;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, InputError> {
        let format = self.plan.format();
        let limit = format.limit::<R>();
        // The first value that the ring cannot hold, with its place.
        if let Some((at, &value)) = queries
            .indexed_iter()
            .find(|(_, v)| v.is_nan() || v.abs() >= limit)
        {
            return Err(InputError::OutOfRange {
                name: "the queries".into(),
                index: ndarray::Dimension::slice(&at).to_vec(),
                value,
                limit,
                fraction_bits: self.plan.fraction_bits,
                ring_bits: self.plan.ring_bits,
            });
        }
        let code = (
            |batch: ArrayD<f64>| batch.mapv(|value| format.encode::<R>(value)),
            |answer: ArrayD<R>| format.decode_all(answer.view()),
        );
        Ok(in_batches(
            &self.backend,
            self.plan,
            &self.weights,
            queries,
            code,
        ))
    }
}

/// Run batch after batch, the last one filled up.
fn in_batches<B: PlanBackend<Error = Infallible>>(
    backend: &B,
    plan: &Plan,
    weights: &[B::Tensor],
    queries: &ArrayD<f64>,
    (encode, decode): (
        impl Fn(ArrayD<f64>) -> B::Tensor,
        impl Fn(B::Tensor) -> ArrayD<f64>,
    ),
) -> ArrayD<f64> {
    let count = queries.len_of(Axis(0));
    let mut answers = Vec::with_capacity(count.div_ceil(plan.batch));
    for start in (0..count).step_by(plan.batch) {
        let wanted = plan.batch.min(count - start);
        let batch = filled(queries, start, plan.batch);
        let Ok(outputs) = ready(run(plan, backend, weights, vec![encode(batch)], &mut ()));
        if let Some(output) = outputs.into_iter().next() {
            let mut answer = decode(output);
            answer.slice_axis_inplace(Axis(0), Slice::from(..wanted));
            answers.push(answer);
        }
    }
    let views: Vec<_> = answers.iter().map(|answer| answer.view()).collect();
    concatenate(Axis(0), &views).unwrap_or_default()
}
