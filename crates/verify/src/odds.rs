//! What a plan of a mix promises, in numbers.

use crate::{MixPlan, escape_probability, largest_wrong_share, pass_probability};
use serde::Serialize;

/// Accuracies for which is told how often a model passes.
const ACCURACIES: [f64; 6] = [0.80, 0.85, 0.90, 0.95, 0.99, 0.999];

/// What a plan costs, how often it accepts whom, and how much wrongness it lets through.
#[derive(Clone, Debug, Serialize)]
pub struct Odds {
    /// Queries, copies of each, public samples, and how many of these may be answered wrongly.
    pub queries: usize,
    /// Copies of each query.
    pub copies: usize,
    /// Public samples.
    pub public: usize,
    /// Public samples that may be answered wrongly.
    pub tolerated: usize,
    /// Runs in all.
    pub runs: usize,
    /// Runs for each query.
    pub runs_per_query: f64,
    /// Minus the base-2 logarithm of the best chance of a server that corrupts selected runs.
    pub soundness_bits: f64,
    /// The soundness that was demanded.
    pub demanded_bits: f64,
    /// How far copies may differ.
    pub tolerance: Option<f64>,
    /// Batches that are replayed.
    pub replays: usize,
    /// Digest of the model that the plan is for.
    pub model: Option<String>,
    /// The share of wrong answers, alike in all runs, that passes with 95 %.
    pub passes_often: f64,
    /// The share that passes with 5 %.
    pub passes_seldom: f64,
    /// The accuracy that is claimed.
    pub claimed_accuracy: Option<f64>,
    /// The accuracy that is to be rejected.
    pub reject_below: Option<f64>,
    /// How often the accuracy test errs, either way.
    pub accuracy_test: Option<TestErrors>,
    /// How often honest models pass.
    pub accuracies: Vec<Passes>,
}

/// How often an accuracy test errs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TestErrors {
    /// How often the claimed accuracy is rejected.
    pub false_rejection: f64,
    /// How often the accuracy to reject is accepted.
    pub false_acceptance: f64,
}

/// How often a model passes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Passes {
    /// Its accuracy on the public samples.
    pub accuracy: f64,
    /// The chance that it passes.
    pub passes: f64,
}

impl MixPlan {
    /// What this plan promises.
    pub fn odds(&self) -> Odds {
        let pass = |accuracy| pass_probability(accuracy, self.public, self.tolerated);
        let passes = |accuracy| Passes {
            accuracy,
            passes: pass(accuracy),
        };
        let wrong = |chance| largest_wrong_share(self.public, self.tolerated, chance);
        Odds {
            queries: self.queries,
            copies: self.copies,
            public: self.public,
            tolerated: self.tolerated,
            runs: self.runs(),
            runs_per_query: self.runs_per_query(),
            soundness_bits: self.soundness_bits(),
            demanded_bits: self.soundness,
            tolerance: self.tolerance,
            replays: self.replays,
            model: self.model.clone(),
            passes_often: wrong(0.95),
            passes_seldom: wrong(0.05),
            claimed_accuracy: self.accuracy.map(|test| test.claimed),
            reject_below: self.accuracy.map(|test| test.reject_below),
            accuracy_test: self.accuracy.map(|test| TestErrors {
                false_rejection: 1.0 - pass(test.claimed),
                false_acceptance: pass(test.reject_below),
            }),
            accuracies: ACCURACIES.map(passes).to_vec(),
        }
    }
}

impl Odds {
    /// The chance that a server which deviates in so many of the runs escapes the replays, in batches of one run.
    pub fn escapes(&self, deviating: usize) -> f64 {
        escape_probability(self.runs, deviating, self.replays.min(self.runs))
    }
}

#[cfg(test)]
mod tests {
    use crate::{AccuracyTest, Demand};

    #[test]
    fn a_plan_for_an_accuracy_test_keeps_its_errors() {
        let test = AccuracyTest::DEFAULT;
        let demand = Demand {
            accuracy: Some(test),
            ..Demand::new(100, 40.0)
        };
        let odds = demand.cheapest().unwrap().odds();
        assert!(odds.soundness_bits >= odds.demanded_bits);
        let errors = odds.accuracy_test.unwrap();
        assert!(errors.false_rejection <= test.alpha && errors.false_acceptance <= test.beta);
        assert!(odds.passes_seldom > odds.passes_often);
        let passes: Vec<f64> = odds.accuracies.iter().map(|model| model.passes).collect();
        assert!(
            passes.is_sorted(),
            "better models pass more often: {passes:?}"
        );
        assert!((odds.escapes(0) - 1.0).abs() < 1e-12);
    }
}
