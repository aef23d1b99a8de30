//! What one client may ask of a party: refused before anything is made room for.

use crate::{BenchJob, ServeError};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use trefoil_nn::{Plan, step_costs};

/// An operator's limits, the table `[limits]` of a party's file. What is left out has the value of
/// [`Limits::default`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Elements of weights, guard and one batch of inputs together, and of any one value in between.
    pub elements: u64,
    /// Bytes that a session is expected to hold at this party, and most that are kept unread from one peer.
    pub bytes: u64,
    /// Batches of a session.
    pub batches: u64,
    /// Seconds that a session may last.
    pub session_seconds: u64,
    /// Seconds that a client whose session is open may let pass between an answer and its next request.
    pub idle_seconds: u64,
}

impl Default for Limits {
    /// For a service: 2^28 elements, 8 GiB, a million batches, four hours, five minutes idle.
    fn default() -> Self {
        Self {
            elements: 1 << 28,
            bytes: 8 << 30,
            batches: 1_000_000,
            session_seconds: 4 * 3600,
            idle_seconds: 300,
        }
    }
}

impl Limits {
    /// For parties that a client starts on its own machine: 2^32 elements, 64 GiB, as many batches as there may be, a
    /// month, idle or not.
    pub const LOCAL: Self = Self {
        elements: 1 << 32,
        bytes: 64 << 30,
        batches: u32::MAX as u64,
        session_seconds: 30 * 24 * 3600,
        idle_seconds: 30 * 24 * 3600,
    };

    /// Check that something can be asked for at all.
    ///
    /// # Errors
    /// The limit that allows nothing.
    pub(crate) fn check_sense(&self) -> Result<(), String> {
        let all = [
            ("elements", self.elements),
            ("bytes", self.bytes),
            ("batches", self.batches),
            ("session_seconds", self.session_seconds),
            ("idle_seconds", self.idle_seconds),
        ];
        match all.iter().find(|(_, limit)| *limit == 0) {
            Some((name, _)) => Err(format!(
                "[limits]: {name} = 0 allows nothing; leave it out for the default"
            )),
            None => Ok(()),
        }
    }

    /// The longest session.
    pub(crate) fn session(&self) -> Duration {
        Duration::from_secs(self.session_seconds)
    }

    /// The longest time between an answer and the next request of its session.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    /// Check the number of batches of a session so far.
    ///
    /// # Errors
    /// [`ServeError::Limit`].
    pub(crate) fn check_batches(&self, batches: u64) -> Result<(), ServeError> {
        at_most("batches", batches, self.batches)
    }

    /// Check a plan and the tensors of its owner, whose shapes (weights and guard) are `secrets`.
    ///
    /// # Errors
    /// [`ServeError::Limit`], naming what is asked for and what is allowed.
    pub(crate) fn check(&self, plan: &Plan, secrets: &[Vec<usize>]) -> Result<(), ServeError> {
        let inputs = plan.inputs.iter().map(|port| plan.shape(port.value));
        let shared: u64 = secrets
            .iter()
            .map(Vec::as_slice)
            .chain(inputs)
            .fold(0, |sum, shape| sum.saturating_add(elements(shape)));
        let values = plan.shapes.iter().map(|shape| elements(shape));
        let most = values.max().unwrap_or(0).max(shared);
        at_most("elements", most, self.elements)?;
        // Shares are two components. Of the values in between those of a step are held at once, and what party 0 sends
        // for a batch may wait at an evaluator.
        let share = 2 * u64::from(plan.ring_bits / 8);
        let step = plan.steps.iter().map(|step| {
            let operands = plan.operand_shapes(step);
            let operands = operands.iter().map(|shape| elements(shape));
            operands.fold(elements(plan.shape(step.output)), u64::saturating_add)
        });
        let held = shared.saturating_add(step.max().unwrap_or(0));
        let sent = step_costs(plan)
            .iter()
            .fold(0, |sum: u64, cost| sum.saturating_add(cost.bytes[0]));
        let bytes = held.saturating_mul(share).saturating_add(sent);
        at_most("bytes", bytes, self.bytes)
    }

    /// Check a benchmark, whose name and size are known to be sensible.
    ///
    /// # Errors
    /// As for [`Limits::check`].
    pub(crate) fn check_bench(&self, job: &BenchJob) -> Result<(), ServeError> {
        let size = job.size as u64;
        let elements = match job.protocol.as_str() {
            "matmul" => size.saturating_mul(size),
            "softmax10" => size.saturating_mul(10),
            _ => size,
        };
        at_most("elements", elements, self.elements)?;
        let share = 2 * u64::from(job.ring_bits / 8);
        at_most("bytes", elements.saturating_mul(share), self.bytes)
    }
}

fn elements(shape: &[usize]) -> u64 {
    shape
        .iter()
        .fold(1, |product: u64, &size| product.saturating_mul(size as u64))
}

fn at_most(what: &'static str, asked: u64, limit: u64) -> Result<(), ServeError> {
    if asked > limit {
        return Err(ServeError::Limit { what, asked, limit });
    }
    Ok(())
}
