//! One encrypted server as the servers that `trefoil-verify` checks: mix-and-check over ciphertexts.
//!
//! Decrypted answers are exact integers, so that honest answers to copies of one query are equal to the last digit: a mix is asked with a
//! tolerance of 0, and an honest server raises no alarm.

use crate::Error;
use ndarray::{Array2, ArrayD, Axis, IxDyn, Slice};
use std::num::NonZeroUsize;
use trefoil_he::scheme::SecretKey;
use trefoil_he::{Answer, HeError, Plan, Query};
use trefoil_verify::Servers;

/// Answers of a plan to samples: `[n, …]` like the model's output.
fn shaped(plan: &Plan, answers: Array2<f64>) -> Result<ArrayD<f64>, HeError> {
    let rows = std::iter::once(answers.nrows());
    let shape: Vec<usize> = rows
        .chain(plan.output_shape.iter().skip(1).copied())
        .collect();
    let shaped = answers.into_dyn().into_shape_with_order(IxDyn(&shape));
    shaped.map_err(|error| HeError::Input {
        problem: error.to_string(),
    })
}

/// An encrypted server as its owner sees it: `ask` hands over a query and gives back the answer, by whatever way.
///
/// Each query is encrypted freshly, so that equal ones look unrelated.
pub struct EncryptedServer<'a, F> {
    plan: &'a Plan,
    secret: &'a SecretKey,
    threads: NonZeroUsize,
    ask: F,
}

impl<'a, F: FnMut(Query) -> Result<Answer, HeError>> EncryptedServer<'a, F> {
    /// The server behind `ask`, for the owner of a plan and its secret key.
    pub fn new(plan: &'a Plan, secret: &'a SecretKey, threads: NonZeroUsize, ask: F) -> Self {
        Self {
            plan,
            secret,
            threads,
            ask,
        }
    }
}

impl<F: FnMut(Query) -> Result<Answer, HeError>> Servers for EncryptedServer<'_, F> {
    type Error = HeError;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, HeError> {
        let plan = self.plan;
        let (count, most) = (queries.len_of(Axis(0)), plan.program.most_samples());
        let mut all = Vec::with_capacity(count * plan.program.network.outputs());
        for start in (0..count).step_by(most) {
            let part = queries.slice_axis(Axis(0), Slice::from(start..(start + most).min(count)));
            let query = plan.encrypt(self.secret, &part.to_owned(), self.threads)?;
            let answer = (self.ask)(query)?;
            all.extend(plan.decode(&plan.decrypt(self.secret, &answer)?));
        }
        let rows = Array2::from_shape_vec((count, plan.program.network.outputs()), all);
        shaped(
            plan,
            rows.map_err(|error| HeError::Input {
                problem: error.to_string(),
            })?,
        )
    }
}

/// The same network in the clear, in the integers that are encrypted: what an honest encrypted server's answers decrypt to, digit by digit.
pub struct InIntegers<'a>(pub &'a Plan);

impl Servers for InIntegers<'_> {
    type Error = HeError;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, HeError> {
        let plan = self.0;
        shaped(plan, plan.decode(&plan.exact(&plan.encode(queries)?)?))
    }
}

/// Samples and the integers that the right network answers to them, kept by the owner to find out whether a server runs another
/// (sensitive samples, `SecureDL` section 5): answers must be equal to the last digit.
#[derive(Clone, Debug)]
pub struct Probes {
    samples: ArrayD<f64>,
    answers: ArrayD<f64>,
}

impl Probes {
    /// Record the answers to `samples`, which stay secret: those of [`trefoil_verify::Fingerprint`], or others.
    ///
    /// # Errors
    /// Samples that the plan refuses.
    pub fn record(plan: &Plan, samples: ArrayD<f64>) -> Result<Self, Error> {
        let answers = InIntegers(plan).answer(&samples)?;
        Ok(Self { samples, answers })
    }

    /// How many are answered differently by `servers`.
    ///
    /// # Errors
    /// The servers'.
    pub fn differing<S: Servers<Error = HeError>>(&self, servers: &mut S) -> Result<usize, Error> {
        let answers = servers.answer(&self.samples)?;
        let pairs = answers.outer_iter().zip(self.answers.outer_iter());
        let differ = pairs.filter(|(own, right)| own != right).count();
        // Answers that are missing are no right ones.
        Ok(differ
            + self
                .answers
                .len_of(Axis(0))
                .saturating_sub(answers.len_of(Axis(0))))
    }
}
