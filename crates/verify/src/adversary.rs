//! Servers that cheat, and how often they pass.
//!
//! [`Behaviour`] lists what a cheating server may do; [`Cheating`] does it to the answers of any [`Servers`]. [`Parties`]
//! are three real parties of which some deviate in the protocol itself. [`Recorded`] answers at once what honest
//! servers answered before, so that thousands of mixes can be tried. [`Experiment`] counts.
//!
//! What the harness shows beyond the formula: a server that answers one fixed label ([`Behaviour::Label`]) is right on
//! public samples of that class by luck, so it passes more often than a server whose corruptions are always wrong. Of `T`
//! public samples in `K` balanced classes about `T (1 - 1/K)` count against it: plan for that many.

mod consistent;
mod detection;
mod measure;
mod meddling;
mod parties;
mod recorded;
mod replayed;
mod retrain;
mod tamper;

pub use consistent::{Consistent, passing_chance};
pub use detection::{Detected, Detection};
pub use measure::{Experiment, Tally};
pub use parties::{Deviation, Parties, PartiesError};
pub use recorded::Recorded;
pub use replayed::{Escapes, ReplayedRuns};
pub use tamper::{Tamperer, Tampering};

use crate::random::Random;
use crate::{Servers, VerifyError};
use ndarray::{ArrayD, Axis};
use std::collections::HashSet;
use std::time::Duration;

/// What a server does that a client should notice.
#[derive(Clone, Debug, PartialEq)]
pub enum Behaviour {
    /// Nothing of the kind.
    Honest,
    /// Negate the answers of so many runs, chosen at random: wrong wherever the honest answer is right, and the same
    /// for all copies. With the best number of runs, this is the server of the formula.
    Negate(usize),
    /// Answer so many runs, chosen at random, with full confidence in one label.
    Label(usize, usize),
    /// Add an error to one score in so many runs: what an error added to a share does.
    AddError(usize, f64),
    /// Answer this share of the runs, each chosen by a coin, with noise.
    Noise(f64),
    /// Answer so many runs with the answer to the run before.
    Replay(usize),
    /// Wait before each request is answered.
    Delay(Duration),
    /// Answer no request after so many runs.
    Stop(usize),
}

/// Why a cheating server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CheatError<E: std::error::Error> {
    /// The honest part failed.
    #[error(transparent)]
    Honest(E),
    /// It stopped.
    #[error("the server stopped after {0} runs")]
    Stopped(usize),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] VerifyError),
}

/// Servers whose answers are changed. They know how many runs come, but not what any is.
pub struct Cheating<'a, S> {
    honest: &'a mut S,
    behaviour: Behaviour,
    runs: HashSet<usize>,
    answered: usize,
    last: Option<ArrayD<f64>>,
    random: Random,
}

impl<'a, S: Servers> Cheating<'a, S> {
    /// Cheat on a mix of `runs` runs.
    ///
    /// # Errors
    /// None with a seeded generator; that of the operating system otherwise.
    ///
    /// # Panics
    /// If more runs are to be corrupted than there are.
    pub(crate) fn new(
        honest: &'a mut S,
        behaviour: Behaviour,
        runs: usize,
        mut random: Random,
    ) -> Result<Self, VerifyError> {
        let corrupted = match behaviour {
            Behaviour::Negate(count)
            | Behaviour::Label(_, count)
            | Behaviour::AddError(count, _)
            | Behaviour::Replay(count) => count,
            _ => 0,
        };
        assert!(corrupted <= runs, "{corrupted} of {runs} runs");
        let order = crate::Permutation::shuffled(runs, &mut random)?;
        Ok(Self {
            honest,
            behaviour,
            runs: order.order().take(corrupted).collect(),
            answered: 0,
            last: None,
            random,
        })
    }
}

impl<S: Servers> Servers for Cheating<'_, S> {
    type Error = CheatError<S::Error>;

    fn answer(&mut self, queries: &ArrayD<f64>) -> Result<ArrayD<f64>, Self::Error> {
        match self.behaviour {
            Behaviour::Delay(time) => std::thread::sleep(time),
            Behaviour::Stop(after) if self.answered + queries.len_of(Axis(0)) > after => {
                return Err(CheatError::Stopped(after));
            }
            _ => {}
        }
        let mut answers = self.honest.answer(queries).map_err(CheatError::Honest)?;
        for (index, mut answer) in answers.outer_iter_mut().enumerate() {
            let hit = self.runs.contains(&(self.answered + index));
            let honest = answer.to_owned();
            match self.behaviour {
                Behaviour::Negate(_) if hit => answer.mapv_inplace(|score| -score),
                Behaviour::Label(label, _) if hit => {
                    answer.fill(0.0);
                    if let Some(score) = answer.iter_mut().nth(label) {
                        *score = 1.0;
                    }
                }
                Behaviour::AddError(_, error) if hit => {
                    if let Some(score) = answer.iter_mut().next() {
                        *score += error;
                    }
                }
                Behaviour::Noise(share) if self.random.unit()? < share => {
                    for score in &mut answer {
                        *score = self.random.normal()?;
                    }
                }
                Behaviour::Replay(_) if hit => {
                    if let Some(last) = &self.last {
                        answer.assign(last);
                    }
                }
                _ => {}
            }
            self.last = Some(honest);
        }
        self.answered += queries.len_of(Axis(0));
        Ok(answers)
    }
}

#[cfg(test)]
mod tests;
