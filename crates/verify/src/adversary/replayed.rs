//! How often a deviating server is in none of the batches that are replayed.

use super::{Deviation, Parties, PartiesError};
use crate::random::Random;
use crate::replay::{Blame, escape_probability};
use crate::{Permutation, Replayed, Servers, VerifyError, clopper_pearson};
use ndarray::ArrayD;
use serde::Serialize;
use trefoil_nn::RunRing;

/// What replays found in honest batches of three real parties, and in batches in which they deviate.
pub struct ReplayedRuns {
    /// By honest and deviating batches.
    found: [Vec<Option<Blame>>; 2],
}

/// How often none of the replayed batches was one in which somebody deviated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Escapes {
    /// Batches of which some are replayed.
    pub batches: usize,
    /// In so many the server deviates.
    pub deviating: usize,
    /// So many are replayed.
    pub replays: usize,
    /// Choices that were tried.
    pub trials: u64,
    /// Of them, those in which no replay named anybody.
    pub escaped: u64,
    /// The chance by the formula.
    pub predicted: f64,
}

impl Escapes {
    /// The 95 % interval of the chance.
    pub fn interval(&self) -> (f64, f64) {
        clopper_pearson(self.escaped, self.trials, 0.95)
    }
}

impl ReplayedRuns {
    /// Let the parties answer each of `queries` `[n, …]` honestly and deviating, and replay all of it.
    ///
    /// # Errors
    /// If they stop.
    pub fn new<R: RunRing>(
        parties: &mut Parties<'_, R>,
        deviation: Deviation,
        queries: &ArrayD<f64>,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self, PartiesError> {
        let count = queries.shape().first().copied().unwrap_or(0);
        let mut found = [Vec::new(), Vec::new()];
        let mut done = 0;
        for (deviating, found) in [0, count].into_iter().zip(&mut found) {
            parties.record();
            parties.deviate(deviation, deviating, count)?;
            for query in queries.outer_iter() {
                // Shares of the answer that do not fit are noticed without a replay; here the replay alone counts.
                let query = query.insert_axis(ndarray::Axis(0)).to_owned();
                if let Err(error) = parties.answer(&query)
                    && deviation != Deviation::OneShare
                {
                    return Err(error);
                }
            }
            for batch in 0..parties.batches() {
                found.push(parties.replay(batch)?);
                done += 1;
                progress(done);
            }
        }
        Ok(Self { found })
    }

    /// What was found in the deviating batches.
    pub fn blames(&self) -> &[Option<Blame>] {
        &self.found[1]
    }

    /// Honest batches in which somebody was named: none.
    pub fn false_alarms(&self) -> usize {
        self.found[0].iter().flatten().count()
    }

    /// Try so often: the server deviates in `deviating` random batches of `batches`, and the client replays `replays`
    /// random ones.
    ///
    /// # Errors
    /// If randomness fails.
    ///
    /// # Panics
    /// If more deviate or are replayed than there are.
    pub fn escapes(
        &self,
        batches: usize,
        deviating: usize,
        replays: usize,
        trials: u64,
        seed: u64,
    ) -> Result<Escapes, VerifyError> {
        let mut random = Random::seeded(seed);
        let mut escaped = 0;
        for _ in 0..trials {
            let order = Permutation::shuffled(batches, &mut random)?;
            let cheats: std::collections::HashSet<_> = order.order().take(deviating).collect();
            let chosen = Permutation::shuffled(batches, &mut random)?;
            let mut named = false;
            for batch in chosen.order().take(replays) {
                let found = &self.found[usize::from(cheats.contains(&batch))];
                named |= found[random.below(found.len())?].is_some();
            }
            escaped += u64::from(!named);
        }
        Ok(Escapes {
            batches,
            deviating,
            replays,
            trials,
            escaped,
            predicted: escape_probability(batches, deviating, replays),
        })
    }
}
