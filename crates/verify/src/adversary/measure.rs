//! Counting how often a cheating server passes.

use super::{Behaviour, Cheating, Deviation, Parties, Recorded};
use crate::random::Random;
use crate::{
    Checked, Fingerprint, Mix, MixPlan, PublicSet, Samples, Servers, Verdict, VerifyError,
    clopper_pearson,
};
use ndarray::{ArrayD, Axis, Slice, concatenate};
use serde::Serialize;
use trefoil_nn::{RunRing, Scores};

/// A client's samples and what an honest server makes of them, for many mixes.
pub struct Experiment<'a> {
    plan: MixPlan,
    queries: ArrayD<f64>,
    public: PublicSet,
    fingerprint: Option<&'a Fingerprint>,
    tolerance: f64,
    right: Vec<Option<usize>>,
    scores: Scores,
    seed: u64,
}

/// How mixes ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Mixes tried.
    pub trials: u64,
    /// Accepted although the label of at least one query is wrong.
    pub harmed: u64,
    /// Accepted in all.
    pub accepted: u64,
    /// Rejected because copies disagree.
    pub disagreed: u64,
    /// Rejected because of public samples.
    pub inaccurate: u64,
    /// Rejected because of the fingerprint.
    pub differed: u64,
    /// Not answered.
    pub failed: u64,
}

impl Tally {
    /// The 95 % interval of the chance to be accepted with a wrong answer.
    pub fn interval(&self) -> (f64, f64) {
        clopper_pearson(self.harmed, self.trials, 0.95)
    }
}

impl<'a> Experiment<'a> {
    /// An experiment with as many of the samples `[n, …]` as the plan has queries, and of the public set as it has public
    /// samples. `honest` tells the right labels; everything else follows from `seed`.
    ///
    /// # Errors
    /// If there are too few of either, or the servers fail.
    pub fn new<S: Servers>(
        plan: &MixPlan,
        samples: &ArrayD<f64>,
        public: &PublicSet,
        fingerprint: Option<&'a Fingerprint>,
        tolerance: f64,
        honest: &mut S,
        seed: u64,
    ) -> Result<Self, VerifyError> {
        let given = samples.shape().first().copied().unwrap_or(0);
        if given < plan.queries || public.len() < plan.public {
            return Err(VerifyError::Demand(format!(
                "{given} samples and {} public ones for {} queries and {} public samples",
                public.len(),
                plan.queries,
                plan.public
            )));
        }
        let queries = samples
            .slice_axis(Axis(0), Slice::from(..plan.queries))
            .to_owned();
        let answers = honest
            .answer(&queries)
            .map_err(|error| VerifyError::Servers(Box::new(error)))?;
        // The harness's models have a score for each class, or a logit.
        let scores = Scores::of_answers(answers.len() / plan.queries.max(1), true);
        Ok(Self {
            plan: plan.clone(),
            right: scores.labels(&answers),
            scores,
            queries,
            public: public.select(&(0..plan.public).collect::<Vec<_>>()),
            fingerprint,
            tolerance,
            seed,
        })
    }

    /// Honest answers to all samples of this experiment, to be given again and again.
    ///
    /// # Errors
    /// If the servers fail.
    pub fn record<S: Servers>(&self, honest: &mut S) -> Result<Recorded, VerifyError> {
        let mut all = vec![self.queries.view(), self.public.samples().view()];
        all.extend(
            self.fingerprint
                .map(|fingerprint| fingerprint.probes.view()),
        );
        let all = concatenate(Axis(0), &all).unwrap_or_default();
        Recorded::new(honest, &all, 8, Random::seeded(self.seed ^ 0x5eed))
    }

    /// Runs of a mix.
    pub fn runs(&self) -> usize {
        self.plan.runs() + self.fingerprint.map_or(0, Fingerprint::len)
    }

    /// Try `trials` mixes on servers that behave so.
    ///
    /// # Errors
    /// If randomness fails; servers that do not answer are counted.
    pub fn try_behaviour<S: Servers>(
        &self,
        servers: &mut S,
        behaviour: &Behaviour,
        trials: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Tally, VerifyError> {
        let mut tally = Tally::default();
        for trial in 0..trials {
            let mut random = Random::seeded(self.seed.wrapping_add(trial << 20));
            // The client's order and the server's choice from one stream: independent of each other.
            let mix = self.mix(&mut random)?;
            let mut cheating = Cheating::new(servers, behaviour.clone(), self.runs(), random)?;
            let checked = mix.ask(&mut cheating, self.tolerance, 1 << 20, &mut |_| {});
            self.count(checked, &mut tally)?;
            progress(trial + 1);
        }
        Ok(tally)
    }

    /// Try `trials` mixes on three real parties that deviate in `count` runs.
    ///
    /// # Errors
    /// If randomness fails; parties that do not answer are counted.
    pub fn try_deviation<R: RunRing>(
        &self,
        parties: &mut Parties<'_, R>,
        deviation: Deviation,
        count: usize,
        trials: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Tally, VerifyError> {
        let mut tally = Tally::default();
        for trial in 0..trials {
            let mix = self.mix(&mut Random::seeded(self.seed.wrapping_add(trial << 20)))?;
            parties
                .deviate(deviation, count, self.runs())
                .map_err(|error| VerifyError::Servers(Box::new(error)))?;
            let checked = mix.ask(parties, self.tolerance, 1 << 20, &mut |_| {});
            self.count(checked, &mut tally)?;
            progress(trial + 1);
        }
        Ok(tally)
    }

    fn mix(&self, random: &mut Random) -> Result<Mix<'_>, VerifyError> {
        let samples = Samples {
            queries: &self.queries,
            public: &self.public,
            fingerprint: self.fingerprint,
            scores: self.scores,
        };
        Mix::ordered_by(&self.plan, samples, random)
    }

    fn count(
        &self,
        checked: Result<Checked, VerifyError>,
        tally: &mut Tally,
    ) -> Result<(), VerifyError> {
        tally.trials += 1;
        let checked = match checked {
            Err(VerifyError::Servers(_)) => {
                tally.failed += 1;
                return Ok(());
            }
            other => other?,
        };
        match checked.comparison.verdict {
            Verdict::Accepted => tally.accepted += 1,
            Verdict::CopiesDisagree => tally.disagreed += 1,
            Verdict::AccuracyTooLow => tally.inaccurate += 1,
            Verdict::ModelDiffers | Verdict::ServerDeviated => tally.differed += 1,
        }
        if let Some(answers) = checked.answers() {
            tally.harmed += u64::from(self.scores.labels(answers) != self.right);
        }
        Ok(())
    }
}
