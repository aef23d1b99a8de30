//! Servers that deviate alike in every run: all shares match, all copies agree, and only public samples tell.

use super::{Recorded, Tally};
use crate::random::Random;
use crate::{
    Mix, MixPlan, Permutation, PublicSet, Samples, Servers, Verdict, VerifyError, clopper_pearson,
};
use ndarray::{ArrayD, Axis, concatenate};
use serde::Serialize;
use trefoil_nn::Scores;

/// How often servers that give wrong answers consistently pass a mix whose public samples are drawn anew each time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Consistent {
    /// How the mixes ended.
    pub tally: Tally,
    /// Public samples to draw from.
    pub pool: usize,
    /// Of them, those that the servers answer wrongly.
    pub wrong: usize,
    /// The chance that at most the tolerated number of wrong ones is drawn.
    pub predicted: f64,
}

impl Consistent {
    /// Try `trials` mixes on servers that always answer as `servers` do.
    ///
    /// # Errors
    /// If randomness or the servers fail.
    pub fn count<S: Servers>(
        plan: &MixPlan,
        queries: &ArrayD<f64>,
        pool: &PublicSet,
        tolerance: f64,
        servers: &mut S,
        (trials, seed): (u64, u64),
    ) -> Result<Self, VerifyError> {
        let queries = queries.select(Axis(0), &(0..plan.queries).collect::<Vec<_>>());
        let views = [queries.view(), pool.samples().view()];
        let all = concatenate(Axis(0), &views).unwrap_or_default();
        let mut recorded = Recorded::new(servers, &all, 1, Random::seeded(seed ^ 0xc0de))?;
        let answers = recorded
            .answer(pool.samples())
            .map_err(|error| VerifyError::Servers(Box::new(error)))?;
        let scores = Scores::of_answers(answers.len() / pool.len().max(1), true);
        let found = scores.labels(&answers);
        let labels = pool.labels().iter();
        let wrong = labels
            .zip(&found)
            .filter(|(label, found)| **found != Some(**label));
        let wrong = wrong.count();
        let mut tally = Tally::default();
        for trial in 0..trials {
            let mut random = Random::seeded(seed.wrapping_add(trial << 20));
            let drawn = Permutation::shuffled(pool.len(), &mut random)?;
            let public = pool.select(&drawn.order().take(plan.public).collect::<Vec<_>>());
            let samples = Samples {
                queries: &queries,
                public: &public,
                fingerprint: None,
                scores,
            };
            let mix = Mix::ordered_by(plan, samples, &mut random)?;
            let checked = mix.ask(&mut recorded, tolerance, 1 << 20, &mut |_| {})?;
            tally.trials += 1;
            match checked.comparison.verdict {
                Verdict::Accepted => tally.accepted += 1,
                Verdict::CopiesDisagree => tally.disagreed += 1,
                _ => tally.inaccurate += 1,
            }
        }
        Ok(Self {
            tally,
            pool: pool.len(),
            wrong,
            predicted: passing_chance(pool.len(), wrong, plan.public, plan.tolerated),
        })
    }

    /// The 95 % interval of the chance to be accepted.
    pub fn interval(&self) -> (f64, f64) {
        clopper_pearson(self.tally.accepted, self.tally.trials, 0.95)
    }
}

/// The chance that of `drawn` samples out of `pool`, of which `wrong` are answered wrongly, at most `tolerated` are wrong:
/// hypergeometric.
pub fn passing_chance(pool: usize, wrong: usize, drawn: usize, tolerated: usize) -> f64 {
    // ways[j]: the chance of j wrong ones among those drawn so far.
    let mut ways = vec![0.0; drawn + 2];
    ways[0] = 1.0;
    for done in 0..drawn {
        for j in (0..=done + 1).rev() {
            let left = (pool - done) as f64;
            let stays = ways[j]
                * 1.0_f64.min(((pool - wrong) as f64 - (done as f64 - j as f64)).max(0.0) / left);
            let comes = if j > 0 {
                ways[j - 1] * ((wrong as f64 - (j - 1) as f64).max(0.0) / left)
            } else {
                0.0
            };
            ways[j] = stays + comes;
        }
    }
    ways.iter().take(tolerated + 1).sum::<f64>().min(1.0)
}
