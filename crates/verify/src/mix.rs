//! Asking a mix and judging the answers.

use crate::permutation::Permutation;
use crate::random::Random;
use crate::verdict::FailedSample;
use crate::{
    Comparison, Fingerprint, MixPlan, PublicSet, Replays, Servers, Verdict, VerifyError,
    largest_wrong_share,
};
use ndarray::{ArrayD, ArrayViewD, Axis, Zip};
use trefoil_nn::Scores;

/// What a mix is made of.
#[derive(Clone, Copy)]
pub struct Samples<'a> {
    /// The queries, `[R, …]`.
    pub queries: &'a ArrayD<f64>,
    /// The public samples, as many as the plan has, never sent before: [`crate::SpentSamples::draw`].
    pub public: &'a PublicSet,
    /// Probes that travel with them, each of which must be answered as the owner recorded.
    pub fingerprint: Option<&'a Fingerprint>,
    /// What the numbers of an answer are, and so which class it names.
    pub scores: Scores,
}

/// Queries in copies, public samples and probes in a secret random order.
///
/// **Conditions.** The order and the public samples are secret until all answers are in: everything is
/// asked before anything is judged. What comes of it is told to no server.
pub struct Mix<'a> {
    plan: MixPlan,
    samples: Samples<'a>,
    order: Permutation,
}

/// Answers that were checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The numbers and what follows from them.
    pub comparison: Comparison,
    answers: ArrayD<f64>,
}

impl Checked {
    /// The answers `[R, …]`, if they are accepted.
    pub fn answers(&self) -> Option<&ArrayD<f64>> {
        (self.comparison.verdict == Verdict::Accepted).then_some(&self.answers)
    }
}

impl Checked {
    /// With what [`crate::replay::replay`] found in batches of the same mix: whoever deviated in one is not believed.
    #[must_use]
    pub fn with_replays(mut self, replays: Replays) -> Self {
        if !replays.deviations.is_empty() {
            self.comparison.verdict = Verdict::ServerDeviated;
        }
        self.comparison.replays = Some(replays);
        self
    }
}

impl<'a> Mix<'a> {
    /// Mix by `plan`, in a secret order from the operating system's generator.
    ///
    /// # Errors
    /// If the samples do not fit the plan or each other, or the plan is too weak for so few queries.
    pub fn new(plan: &MixPlan, samples: Samples<'a>) -> Result<Self, VerifyError> {
        Self::ordered_by(plan, samples, &mut Random::system())
    }

    /// The same in an order from `random`, for experiments.
    pub(crate) fn ordered_by(
        plan: &MixPlan,
        samples: Samples<'a>,
        random: &mut Random,
    ) -> Result<Self, VerifyError> {
        let Samples {
            queries,
            public,
            fingerprint,
            ..
        } = samples;
        let count = queries.shape().first().copied().unwrap_or(0);
        let plan = plan.for_queries(count)?;
        if public.len() != plan.public {
            return Err(VerifyError::TooFewPublic {
                needed: plan.public,
                unused: public.len(),
                all: public.len(),
                suffices: format!("give exactly {}", plan.public),
            });
        }
        let same = |what: &str, samples: &ArrayD<f64>| {
            if samples.shape().get(1..) == queries.shape().get(1..) {
                return Ok(());
            }
            Err(VerifyError::Shape {
                what: what.into(),
                expected: format!(
                    "[N, …] with the axes of the queries, {:?}",
                    &queries.shape()[1..]
                ),
                actual: samples.shape().to_vec(),
            })
        };
        same("the public set", public.samples())?;
        if let Some(fingerprint) = fingerprint {
            same("the fingerprint's probes", &fingerprint.probes)?;
        }
        let probes = fingerprint.map_or(0, Fingerprint::len);
        let order = Permutation::shuffled(plan.runs() + probes, random)?;
        Ok(Self {
            plan,
            samples,
            order,
        })
    }

    /// Runs in all.
    pub fn runs(&self) -> usize {
        self.order.len()
    }

    /// Ask all runs, at most `at_once` in one request, and judge the answers; `progress` is told how many
    /// are answered. Copies may differ by `tolerance`.
    ///
    /// Memory: two answers for each query, and one request.
    ///
    /// # Errors
    /// If the servers fail, or answer in another shape. Then no answer is taken, and the public samples are
    /// spent.
    ///
    /// # Panics
    /// If `at_once` is 0.
    pub fn ask<S: Servers>(
        self,
        servers: &mut S,
        tolerance: f64,
        at_once: usize,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Checked, VerifyError> {
        assert!(at_once > 0, "requests of no runs");
        let mut ledger = Ledger::default();
        let mut answered = 0;
        let order: Vec<usize> = self.order.order().collect();
        for request in order.chunks(at_once) {
            let answers = servers
                .answer(&self.gather(request))
                .map_err(|error| VerifyError::Servers(Box::new(error)))?;
            if answers.shape().first() != Some(&request.len()) {
                return Err(VerifyError::Shape {
                    what: "an answer of the servers".into(),
                    expected: format!("[{}, …]", request.len()),
                    actual: answers.shape().to_vec(),
                });
            }
            for (&run, answer) in request.iter().zip(answers.outer_iter()) {
                self.note(run, &answer, &mut ledger)?;
            }
            answered += request.len();
            progress(answered);
        }
        Ok(self.judge(ledger, tolerance))
    }

    /// The samples of some runs behind each other.
    fn gather(&self, runs: &[usize]) -> ArrayD<f64> {
        let mut shape = self.samples.queries.shape().to_vec();
        shape[0] = runs.len();
        let mut request = ArrayD::zeros(shape);
        for (&run, mut place) in runs.iter().zip(request.outer_iter_mut()) {
            place.assign(&match self.kind(run) {
                Kind::Query(index, _) => self.samples.queries.index_axis(Axis(0), index),
                Kind::Public(index) => self.samples.public.samples().index_axis(Axis(0), index),
                Kind::Probe(index, fingerprint) => fingerprint.probes.index_axis(Axis(0), index),
            });
        }
        request
    }

    fn kind(&self, run: usize) -> Kind<'a> {
        let own = self.plan.queries * self.plan.copies;
        if run < own {
            return Kind::Query(run / self.plan.copies, run % self.plan.copies);
        }
        match self.samples.fingerprint {
            Some(fingerprint) if run >= self.plan.runs() => {
                Kind::Probe(run - self.plan.runs(), fingerprint)
            }
            _ => Kind::Public(run - own),
        }
    }

    /// Write an answer down, not looking at what it means for the verdict yet.
    fn note(
        &self,
        run: usize,
        answer: &ArrayViewD<'_, f64>,
        ledger: &mut Ledger,
    ) -> Result<(), VerifyError> {
        match self.kind(run) {
            Kind::Query(index, copy) => {
                if ledger.spreads.is_empty() {
                    ledger.spreads = vec![Spread::default(); self.plan.queries];
                    let shape: Vec<usize> = [&[self.plan.queries], answer.shape()].concat();
                    ledger.low = ArrayD::from_elem(shape.clone(), f64::INFINITY);
                    ledger.high = ArrayD::from_elem(shape.clone(), f64::NEG_INFINITY);
                    ledger.answers = ArrayD::zeros(shape);
                }
                if ledger.low.shape()[1..] != *answer.shape() {
                    return Err(VerifyError::Shape {
                        what: "an answer of the servers".into(),
                        expected: format!("{:?} like the one before", &ledger.low.shape()[1..]),
                        actual: answer.shape().to_vec(),
                    });
                }
                let spread = &mut ledger.spreads[index];
                spread.broken |= answer.iter().any(|value| !value.is_finite());
                let label = self.samples.scores.label(answer);
                spread.labels_differ |=
                    *spread.label.get_or_insert(LabelOf(label)) != LabelOf(label);
                Zip::from(ledger.low.index_axis_mut(Axis(0), index))
                    .and(ledger.high.index_axis_mut(Axis(0), index))
                    .and(answer)
                    .for_each(|low, high, &value| {
                        *low = low.min(value);
                        *high = high.max(value);
                    });
                if copy == 0 {
                    ledger.answers.index_axis_mut(Axis(0), index).assign(answer);
                }
            }
            Kind::Public(index) => {
                let public = self.samples.public;
                let (label, answered) = (public.labels()[index], self.samples.scores.label(answer));
                if answered != Some(label) {
                    ledger.failed.push(FailedSample {
                        place: public.places()[index],
                        label,
                        answered,
                    });
                }
            }
            Kind::Probe(index, fingerprint) => {
                ledger.probes_differing += usize::from(!fingerprint.matches(index, answer));
            }
        }
        Ok(())
    }

    fn judge(&self, mut ledger: Ledger, tolerance: f64) -> Checked {
        let mut largest = 0.0_f64;
        let (mut disagreeing, mut ties) = (0, 0);
        for (index, spread) in ledger.spreads.iter().enumerate() {
            let (low, high) = (
                ledger.low.index_axis(Axis(0), index),
                ledger.high.index_axis(Axis(0), index),
            );
            let apart = if spread.broken {
                f64::INFINITY
            } else {
                Zip::from(&low)
                    .and(&high)
                    .fold(0.0_f64, |most, low, high| most.max(high - low))
            };
            largest = largest.max(apart);
            disagreeing += usize::from(apart > tolerance);
            ties += usize::from(apart <= tolerance && spread.labels_differ);
        }
        let verdict = if disagreeing > 0 {
            Verdict::CopiesDisagree
        } else if ledger.failed.len() > self.plan.tolerated {
            Verdict::AccuracyTooLow
        } else if ledger.probes_differing > 0 {
            Verdict::ModelDiffers
        } else {
            Verdict::Accepted
        };
        // In the order of the file: the order of the mix says nothing to the client.
        ledger.failed.sort_unstable_by_key(|failed| failed.place);
        let failed = std::mem::take(&mut ledger.failed);
        let comparison = Comparison {
            verdict,
            runs: self.runs(),
            runs_per_query: self.runs() as f64 / self.plan.queries as f64,
            soundness_bits: self.plan.soundness_bits(),
            passes_often: largest_wrong_share(self.plan.public, self.plan.tolerated, 0.95),
            passes_seldom: largest_wrong_share(self.plan.public, self.plan.tolerated, 0.05),
            tolerance,
            largest_difference: largest,
            disagreeing,
            ties,
            public: self.plan.public,
            wrong: failed.len(),
            tolerated: self.plan.tolerated,
            failed,
            probes: self.samples.fingerprint.map_or(0, Fingerprint::len),
            probes_differing: ledger.probes_differing,
            replays: None,
        };
        let answers = ledger.answers;
        Checked {
            comparison,
            answers,
        }
    }
}

/// What a run is.
enum Kind<'a> {
    /// A copy of a query: which, and the copy's number.
    Query(usize, usize),
    /// A public sample.
    Public(usize),
    /// A probe.
    Probe(usize, &'a Fingerprint),
}

/// What was answered.
#[derive(Default)]
struct Ledger {
    /// Least and largest answers to the copies of each query, element by element.
    low: ArrayD<f64>,
    high: ArrayD<f64>,
    /// The answers to the first copies.
    answers: ArrayD<f64>,
    spreads: Vec<Spread>,
    failed: Vec<FailedSample>,
    probes_differing: usize,
}

/// What class an answer names, if it does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LabelOf(Option<usize>);

#[derive(Clone, Default)]
struct Spread {
    label: Option<LabelOf>,
    labels_differ: bool,
    broken: bool,
}

#[cfg(test)]
mod tests;
