//! The search for the cheapest mix.

use crate::soundness::{log2_least_chance, log2_lower_bound};
use crate::{AccuracyTest, MixPlan, VerifyError, log2_pass_probability};

/// Most runs of a plan.
pub(crate) const MOST_RUNS: usize = 10_000_000;
/// Most queries of a plan.
const MOST_QUERIES: usize = 1_000_000;

/// What a plan must give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Queries, R.
    pub queries: usize,
    /// A server that cheats passes at most once in `2^soundness`.
    pub soundness: f64,
    /// Copies of each query, B, if they are given.
    pub copies: Option<usize>,
    /// Public samples, T, if their number is given.
    pub public: Option<usize>,
    /// Public samples that may be answered wrongly, t, if given; else as few as the accuracy test allows, and
    /// none without one.
    pub tolerated: Option<usize>,
    /// The accuracy test.
    pub accuracy: Option<AccuracyTest>,
}

impl Demand {
    /// A demand of this soundness for so many queries, all else free.
    pub fn new(queries: usize, soundness: f64) -> Self {
        Self {
            queries,
            soundness,
            copies: None,
            public: None,
            tolerated: None,
            accuracy: None,
        }
    }

    /// The plan of fewest runs that meets the demand; among equal ones that of fewest copies.
    ///
    /// The search is exact over all B and T up to 10^7 runs.
    ///
    /// # Errors
    /// If the demand contradicts itself, or no plan meets it: with what would suffice.
    pub fn cheapest(&self) -> Result<MixPlan, VerifyError> {
        self.check()?;
        let mut thresholds = Thresholds::new(self);
        let mut best: Option<MixPlan> = None;
        // One copy of each is never enough: corrupting a single run passes with R / (R + T).
        let copies = self.copies.map_or(2..=MOST_RUNS, |copies| copies..=copies);
        for copies in copies {
            let most = best.as_ref().map_or(MOST_RUNS, |best| best.runs() - 1);
            let own = self.queries.saturating_mul(copies);
            let fewest = self.public.unwrap_or(1);
            if own.saturating_add(fewest) > most {
                break;
            }
            let public = match self.public {
                Some(public) => self
                    .sound(copies, public, &mut thresholds)
                    .then_some(public),
                None => self.fewest_public(copies, most - own, &mut thresholds),
            };
            if let Some(public) = public {
                let tolerated = thresholds.tolerated(public).unwrap_or(0);
                best = Some(MixPlan::of(self, copies, public, tolerated));
                if self.public.is_some() {
                    break;
                }
            }
        }
        best.ok_or_else(|| self.unreachable(&mut thresholds))
    }

    fn check(&self) -> Result<(), VerifyError> {
        let wrong = |problem: String| Err(VerifyError::Demand(problem));
        if self.queries == 0 || self.queries > MOST_QUERIES {
            let queries = self.queries;
            return wrong(format!(
                "{queries} queries; plans are for 1 to {MOST_QUERIES}"
            ));
        }
        if !(self.soundness > 0.0 && self.soundness <= 256.0) {
            let bits = self.soundness;
            return wrong(format!(
                "a soundness of {bits} bits; give a number above 0, at most 256"
            ));
        }
        if self.copies == Some(0) {
            return wrong("0 copies of each query; give at least 1".into());
        }
        match self.public {
            Some(0) => {
                return wrong(
                    "0 public samples: a server that corrupts every run would always pass; give at least 1"
                        .into(),
                );
            }
            Some(public) if public > MOST_RUNS => {
                return wrong(format!(
                    "{public} public samples; plans have at most {MOST_RUNS} runs"
                ));
            }
            _ => {}
        }
        if let (Some(tolerated), Some(public)) = (self.tolerated, self.public)
            && tolerated >= public
        {
            return wrong(format!(
                "{tolerated} tolerated errors among {public} public samples would accept anything"
            ));
        }
        self.accuracy.map_or(Ok(()), |test| test.check())
    }

    /// Whether a mix is feasible and sound enough.
    fn sound(&self, copies: usize, public: usize, thresholds: &mut Thresholds) -> bool {
        let Some(tolerated) = thresholds.tolerated(public) else {
            return false;
        };
        // Seldom does the exact maximum exceed its two ends, which are much cheaper.
        log2_lower_bound(self.queries, copies, public, tolerated) <= -self.soundness
            && log2_pass_probability(self.queries, copies, public, tolerated) <= -self.soundness
    }

    /// The fewest public samples, at most `most`, that make a mix of this many copies sound.
    fn fewest_public(
        &self,
        copies: usize,
        most: usize,
        thresholds: &mut Thresholds,
    ) -> Option<usize> {
        let first = thresholds.first(most)?;
        self.fewest_between(copies, first, most, thresholds)
    }

    /// Halve the interval until what is left is excluded as a whole, or a single number.
    fn fewest_between(
        &self,
        copies: usize,
        low: usize,
        high: usize,
        thresholds: &mut Thresholds,
    ) -> Option<usize> {
        let least = thresholds.least(low);
        if log2_least_chance(self.queries, copies, low..=high, least) > -self.soundness {
            return None;
        }
        if low == high {
            return self.sound(copies, low, thresholds).then_some(low);
        }
        let middle = low + (high - low) / 2;
        self.fewest_between(copies, low, middle, thresholds)
            .or_else(|| self.fewest_between(copies, middle + 1, high, thresholds))
    }

    fn unreachable(&self, thresholds: &mut Thresholds) -> VerifyError {
        if let (Some(test), Some(public)) = (self.accuracy, self.public)
            && thresholds.tolerated(public).is_none()
        {
            let enough = thresholds
                .first(MOST_RUNS)
                .map(|first| first.max(public + 1));
            let enough = enough.and_then(|from| {
                (from..from + 10_000).find(|&more| thresholds.tolerated(more).is_some())
            });
            let suffices = enough.map_or_else(
                || "no number that a plan may have can; ask for less".to_owned(),
                |enough| format!("{enough} can"),
            );
            return VerifyError::TooFewForAccuracy {
                public,
                claimed: test.claimed,
                reject_below: test.reject_below,
                alpha: test.alpha,
                beta: test.beta,
                suffices,
            };
        }
        let free = Self {
            copies: None,
            public: None,
            ..*self
        };
        let other = if self.copies.is_some() || self.public.is_some() {
            free.cheapest().ok()
        } else {
            None
        };
        let reason = match (self.copies, other) {
            (Some(1), _) => "a server that corrupts one run of a query without copies is seldom noticed; use at least 2 copies".to_owned(),
            (_, Some(plan)) => format!(
                "{} copies with {} public samples would do",
                plan.copies, plan.public
            ),
            (_, None) => format!("it takes more than {MOST_RUNS} runs; ask for less soundness or tolerate fewer errors"),
        };
        VerifyError::Unreachable {
            wanted: format!(
                "a soundness of {} bits for {} queries",
                self.soundness, self.queries
            ),
            reason,
        }
    }
}

/// The tolerated errors for each number of public samples.
struct Thresholds {
    fixed: Option<usize>,
    test: Option<AccuracyTest>,
    first: Option<usize>,
}

impl Thresholds {
    fn new(demand: &Demand) -> Self {
        Self {
            fixed: demand.tolerated,
            test: demand.accuracy,
            first: None,
        }
    }

    /// `None` if `public` samples cannot carry the test.
    fn tolerated(&mut self, public: usize) -> Option<usize> {
        match (self.fixed, self.test) {
            (None, None) => Some(0),
            (Some(fixed), None) => Some(fixed).filter(|&fixed| fixed < public),
            (Some(fixed), Some(test)) => {
                Some(fixed).filter(|&fixed| fixed < public && test.holds(public, fixed))
            }
            (None, Some(test)) => test.tolerated(public),
        }
    }

    /// At least so many are tolerated among `public` or more samples.
    fn least(&self, public: usize) -> usize {
        match (self.fixed, self.test) {
            (Some(fixed), _) => fixed.min(public),
            (None, Some(test)) => test.least_for_claim(public),
            (None, None) => 0,
        }
    }

    /// The fewest public samples, at most `most`, that can carry the test.
    fn first(&mut self, most: usize) -> Option<usize> {
        if self.first.is_none() {
            // Whether they can is all but monotone in their number: up and down within a few of the border,
            // far less than a factor of two.
            let mut enough = 1;
            while self.tolerated(enough).is_none() {
                if enough > MOST_RUNS {
                    return None;
                }
                enough *= 2;
            }
            self.first = (enough / 2..=enough)
                .filter(|&public| public > 0)
                .find(|&public| self.tolerated(public).is_some());
        }
        self.first.filter(|&first| first <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(queries: usize, public: Option<usize>) -> MixPlan {
        Demand {
            public,
            ..Demand::new(queries, 40.0)
        }
        .cheapest()
        .unwrap()
    }

    #[test]
    fn the_reference_values_are_reproduced() {
        for (queries, copies) in [(1, 9), (10, 8), (100, 6), (1000, 5), (5000, 4), (10_000, 4)] {
            assert_eq!(plan(queries, Some(100)).copies, copies, "R = {queries}");
        }
        for (queries, copies, public, runs) in [
            (1, 19, 25, 44),
            (10, 10, 9, 109),
            (100, 6, 58, 658),
            (1000, 5, 4, 5004),
        ] {
            let plan = plan(queries, None);
            assert_eq!(
                (plan.copies, plan.public, plan.runs()),
                (copies, public, runs)
            );
            assert!(plan.soundness_bits() >= 40.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_cheaper_plan_exists(queries in 1_usize..12, soundness in 1.0_f64..14.0, tolerated in 0_usize..3) {
            let demand = Demand { tolerated: Some(tolerated), ..Demand::new(queries, soundness) };
            let found = demand.cheapest().unwrap();
            prop_assert!(found.soundness_bits() >= soundness);
            for copies in 1..=found.runs() / queries {
                for public in tolerated + 1..found.runs() - queries * copies {
                    let chance = log2_pass_probability(queries, copies, public, tolerated);
                    prop_assert!(chance > -soundness, "{copies} {public} beats {found:?}");
                }
            }
        }
    }

    #[test]
    fn a_million_runs_are_planned_quickly() {
        let start = std::time::Instant::now();
        let plan = plan(250_000, None);
        assert!(
            plan.runs() >= 750_000 && plan.soundness_bits() >= 40.0,
            "{plan:?}"
        );
        let test = AccuracyTest {
            claimed: 0.95,
            reject_below: 0.9,
            alpha: 0.01,
            beta: 0.01,
        };
        let tested = Demand {
            accuracy: Some(test),
            ..Demand::new(100_000, 40.0)
        };
        let tested = tested.cheapest().unwrap();
        assert!(tested.tolerated > 0 && tested.public > 100, "{tested:?}");
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    #[test]
    fn an_accuracy_test_holds_its_rates() {
        let test = AccuracyTest {
            claimed: 0.95,
            reject_below: 0.8,
            alpha: 0.01,
            beta: 0.01,
        };
        let demand = Demand {
            accuracy: Some(test),
            ..Demand::new(100, 40.0)
        };
        let plan = demand.cheapest().unwrap();
        assert!(test.holds(plan.public, plan.tolerated));
        let few = Demand {
            public: Some(20),
            ..demand
        }
        .cheapest()
        .unwrap_err()
        .to_string();
        assert!(
            few.contains("20 public samples cannot tell") && few.contains(" can"),
            "{few}"
        );
    }

    #[test]
    fn what_cannot_be_is_said_with_what_would_do() {
        let say = |demand: Demand| demand.cheapest().unwrap_err().to_string();
        let demand = Demand::new(100, 40.0);
        assert!(
            say(Demand {
                copies: Some(1),
                ..demand
            })
            .contains("at least 2 copies")
        );
        let weak = say(Demand {
            copies: Some(2),
            public: Some(5),
            ..demand
        });
        assert!(
            weak.contains("6 copies with 58 public samples would do"),
            "{weak}"
        );
        assert!(
            say(Demand {
                public: Some(0),
                ..demand
            })
            .contains("at least 1")
        );
        assert!(
            say(Demand {
                queries: 0,
                ..demand
            })
            .contains("0 queries")
        );
        assert!(
            say(Demand {
                soundness: f64::NAN,
                ..demand
            })
            .contains("NaN")
        );
        assert!(
            say(Demand {
                public: Some(5),
                tolerated: Some(5),
                ..demand
            })
            .contains("anything")
        );
    }
}
