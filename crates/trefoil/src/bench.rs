//! Measuring protocols, whole models and guards at three parties.

mod guards;

pub use guards::{BenchGuard, Search, guards};

use crate::Error;
use crate::deployment::Parties;
use crate::model::Model;
use crate::random::random;
use crate::samples::Samples;
use ndarray::ArrayD;
use serde::Serialize;
use trefoil_guard::Guard;
use trefoil_nn::{Options, Plan, Weights};
use trefoil_serve::{BenchJob, Report, SharedModel};

/// What some runs of one thing took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Seconds of each run.
    pub seconds: Vec<f64>,
    /// Rounds of one run.
    pub rounds: u32,
    /// Payload bytes that each party sends to its peers in one run; party 0's are preprocessing.
    pub bytes_sent_per_party: [u64; 3],
}

impl Measured {
    /// Seconds of the fastest run; 0 of none.
    pub fn best(&self) -> f64 {
        let best = self.seconds.iter().copied().min_by(f64::total_cmp);
        best.unwrap_or(0.0)
    }

    /// The median of the runs' seconds; 0 of none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        match (sorted.get(half), sorted.len() % 2) {
            (Some(&upper), 0) => f64::midpoint(sorted[half - 1], upper),
            (Some(&middle), _) => middle,
            (None, _) => 0.0,
        }
    }

    fn add(&mut self, report: &Report) {
        self.seconds.push(report.wall_s);
        self.rounds = report.rounds;
        self.bytes_sent_per_party = report.bytes_sent_per_party;
    }
}

impl Parties {
    /// Measure a protocol on random shares, at the slower evaluator.
    ///
    /// # Errors
    /// If there is no such protocol, it is not measured in that size, or the parties fail.
    pub fn measure(&mut self, job: &BenchJob) -> Result<Measured, Error> {
        let result = self.client.bench(job)?;
        Ok(Measured {
            seconds: result.seconds,
            rounds: result.rounds,
            bytes_sent_per_party: result.bytes_sent_per_party,
        })
    }

    /// Measure answers of `model` to `samples`, each from the first share of them to the last of the answer: the session is open, and the
    /// weights have been shared.
    ///
    /// # Errors
    /// If the parties fail.
    pub fn measure_model(
        &mut self,
        model: &Model,
        samples: &Samples,
        runs: u32,
    ) -> Result<Measured, Error> {
        let shared = SharedModel {
            plan: &model.plan,
            weights: &model.weights,
            guard: model.guard.as_ref(),
            observe: false,
        };
        self.runs(&shared, &samples.inputs, runs)
    }

    /// Measure a guard on random logits of so many `queries` at once.
    ///
    /// # Errors
    /// If the guard does not fit, or the parties fail.
    pub fn measure_guard(
        &mut self,
        guard: &Guard,
        queries: usize,
        runs: u32,
    ) -> Result<Measured, Error> {
        let settings = guard.settings();
        let options = Options {
            fraction_bits: settings.fraction_bits(),
            ..Options::default()
        };
        let plan = Plan::of_logits(queries, settings.classes(), &options);
        let weights = Weights::from_tensors(&plan, vec![]).map_err(Error::new)?;
        let logits = random(&[queries, settings.classes()])?.mapv(|v| 16.0 * v - 8.0);
        let shared = SharedModel {
            plan: &plan,
            weights: &weights,
            guard: Some(guard),
            observe: false,
        };
        self.runs(&shared, &[logits], runs)
    }

    fn runs(
        &mut self,
        shared: &SharedModel<'_>,
        inputs: &[ArrayD<f64>],
        runs: u32,
    ) -> Result<Measured, Error> {
        let mut session = self.client.deploy(shared, &mut |_| ())?;
        let mut measured = Measured::default();
        for _ in 0..runs {
            let (outcome, _) = session.answer(inputs, &mut |_| ())?;
            measured.add(&outcome.report);
        }
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_the_best_is_the_least() {
        let of = |seconds: &[f64]| Measured {
            seconds: seconds.to_vec(),
            ..Measured::default()
        };
        assert_eq!(of(&[9.0, 1.0, 2.0]).median().to_bits(), 2_f64.to_bits());
        assert_eq!(
            of(&[9.0, 1.0, 4.0, 2.0]).median().to_bits(),
            3_f64.to_bits()
        );
        assert_eq!(of(&[9.0, 1.0, 2.0]).best().to_bits(), 1_f64.to_bits());
        assert_eq!(of(&[]).median().to_bits(), 0_f64.to_bits());
    }
}
