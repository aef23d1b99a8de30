//! Telling an accurate model from an inaccurate one by public samples.

use crate::VerifyError;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// A test of the model's accuracy: of `T` public samples at most `t` may be answered wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccuracyTest {
    /// The accuracy that an honest model has.
    pub claimed: f64,
    /// The accuracy at and below which a model is to be rejected.
    pub reject_below: f64,
    /// Most often that the honest model is rejected.
    pub alpha: f64,
    /// Most often that a model to be rejected is accepted.
    pub beta: f64,
}

impl AccuracyTest {
    /// What a plan is made for if nothing else is said, and told with the plan: a model that answers 95 % of the public
    /// samples rightly passes in 99 of 100 mixes, one that answers 85 % is rejected in 99 of 100.
    pub const DEFAULT: Self = Self {
        claimed: 0.95,
        reject_below: 0.85,
        alpha: 0.01,
        beta: 0.01,
    };

    /// Check the four numbers.
    ///
    /// # Errors
    /// If one is no probability, or the claim is not above the accuracy to be rejected.
    pub fn check(&self) -> Result<(), VerifyError> {
        let Self {
            claimed,
            reject_below,
            alpha,
            beta,
        } = *self;
        for (name, value, ends) in [
            ("the claimed accuracy", claimed, true),
            ("the accuracy to reject", reject_below, true),
            ("alpha", alpha, false),
            ("beta", beta, false),
        ] {
            let inside = if ends {
                (0.0..=1.0).contains(&value)
            } else {
                value > 0.0 && value < 1.0
            };
            if !inside {
                let problem = format!("{name} is {value}; give a probability between 0 and 1");
                return Err(VerifyError::Demand(problem));
            }
        }
        if claimed <= reject_below {
            return Err(VerifyError::Demand(format!(
                "the claimed accuracy {claimed} is not above the accuracy to reject, {reject_below}: no test can tell them apart"
            )));
        }
        Ok(())
    }

    /// Whether both error rates hold with `tolerated` errors among `public` samples.
    pub fn holds(&self, public: usize, tolerated: usize) -> bool {
        1.0 - pass_probability(self.claimed, public, tolerated) <= self.alpha
            && pass_probability(self.reject_below, public, tolerated) <= self.beta
    }

    /// The fewest tolerated errors among `public` samples with which both error rates hold.
    pub(crate) fn tolerated(&self, public: usize) -> Option<usize> {
        let least = self.least_for_claim(public);
        self.holds(public, least).then_some(least)
    }

    /// The fewest tolerated errors with which the claimed accuracy passes often enough: more with more
    /// samples.
    pub(crate) fn least_for_claim(&self, public: usize) -> usize {
        let passes =
            |errors: usize| 1.0 - pass_probability(self.claimed, public, errors) <= self.alpha;
        let (mut low, mut high) = (0, public);
        while low < high {
            let middle = low + (high - low) / 2;
            if passes(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

/// The largest share of wrong answers with which servers still pass with probability `chance`, where at most
/// `tolerated` of `public` random samples may be answered wrongly.
///
/// This is what bounds a server that deviates alike in every run: copies agree, whatever it does. 1 without public
/// samples.
pub fn largest_wrong_share(public: usize, tolerated: usize, chance: f64) -> f64 {
    let (mut passes, mut fails) = (0.0_f64, 1.0_f64);
    if pass_probability(0.0, public, tolerated) >= chance {
        return 1.0;
    }
    // The chance falls as the share grows; 60 halvings are below the last place.
    for _ in 0..60 {
        let middle = f64::midpoint(passes, fails);
        if pass_probability(1.0 - middle, public, tolerated) >= chance {
            passes = middle;
        } else {
            fails = middle;
        }
    }
    passes
}

/// How often a model of true accuracy `accuracy` answers at most `tolerated` of `public` random samples
/// wrongly: the binomial distribution.
pub fn pass_probability(accuracy: f64, public: usize, tolerated: usize) -> f64 {
    if tolerated >= public {
        return 1.0;
    }
    // A valid probability always makes a distribution.
    Binomial::new((1.0 - accuracy).clamp(0.0, 1.0), public as u64)
        .map_or(0.0, |wrong| wrong.cdf(tolerated as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_specification_is_reproduced() {
        let line = [0.80, 0.85, 0.90, 0.95].map(|p| 100.0 * pass_probability(p, 100, 10));
        for (value, expected) in line.into_iter().zip([0.6, 9.9, 58.0, 98.9]) {
            // Printed with two or three digits there.
            assert!((value - expected).abs() < 0.35, "{line:?}");
        }
    }

    #[test]
    fn the_share_that_passes_is_the_one_at_which_the_chance_is_reached() {
        // 0.99^58 = 56 %: a bias that flips 1 % of the inputs.
        assert!((pass_probability(0.99, 58, 0) - 0.558).abs() < 1e-3);
        for (public, tolerated) in [(58, 0), (170, 8), (10, 9)] {
            for chance in [0.95, 0.5, 0.05] {
                let share = largest_wrong_share(public, tolerated, chance);
                let passes = pass_probability(1.0 - share, public, tolerated);
                assert!((passes - chance).abs() < 1e-9, "{public} {share} {passes}");
            }
        }
        // (1 - q)^T = chance.
        let exact = 1.0 - 0.95_f64.powf(1.0 / 58.0);
        assert!((largest_wrong_share(58, 0, 0.95) - exact).abs() < 1e-9);
        assert!((largest_wrong_share(0, 0, 0.95) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_fewest_tolerated_errors_hold_both_rates_by_summation() {
        let test = AccuracyTest {
            claimed: 0.95,
            reject_below: 0.8,
            alpha: 0.02,
            beta: 0.02,
        };
        let tail = |p: f64, n: usize, t: usize| -> f64 {
            let mut term = (1.0 - p).mul_add(-1.0, 1.0).powi(n as i32);
            let mut sum = 0.0;
            for k in 0..=t {
                sum += term;
                term *= (n - k) as f64 / (k + 1) as f64 * (1.0 - p) / p;
            }
            sum
        };
        let holds = |n: usize, t: usize| {
            1.0 - tail(0.95, n, t) <= test.alpha && tail(0.8, n, t) <= test.beta
        };
        for n in 1..150 {
            let fewest = (0..=n).find(|&t| 1.0 - tail(0.95, n, t) <= test.alpha);
            assert_eq!(test.tolerated(n), fewest.filter(|&t| holds(n, t)), "{n}");
        }
        assert!((1..150).any(|n| test.tolerated(n).is_some()));
    }

    #[test]
    fn nonsense_is_refused() {
        let good = AccuracyTest {
            claimed: 0.95,
            reject_below: 0.8,
            alpha: 0.01,
            beta: 0.01,
        };
        assert!(good.check().is_ok());
        for bad in [
            AccuracyTest {
                claimed: 0.7,
                ..good
            },
            AccuracyTest {
                claimed: 1.5,
                ..good
            },
            AccuracyTest { alpha: 0.0, ..good },
            AccuracyTest {
                beta: f64::NAN,
                ..good
            },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
