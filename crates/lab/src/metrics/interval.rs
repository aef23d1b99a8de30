//! Intervals for proportions.

use serde::Serialize;

/// Coverage of all intervals: 95 %.
pub const CONFIDENCE: f64 = 0.95;

/// A number and the interval that holds the true one with a probability of [`CONFIDENCE`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// What was measured.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    /// `value` between `low` and `high`, which are moved outwards to it if need be.
    pub fn new(value: f64, low: f64, high: f64) -> Self {
        Self {
            value,
            low: low.min(value),
            high: high.max(value),
        }
    }

    /// The mean of `values` from independent runs, with the interval of Student's distribution; of one value, which says
    /// nothing of how far others are, the whole of [0, 1].
    pub fn of_mean(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count.max(1.0);
        if values.len() < 2 {
            return Self::new(mean, 0.0, 1.0);
        }
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let error = (squares / (count - 1.0) / count).sqrt();
        let half = student(count - 1.0) * error;
        Self::new(mean, mean - half, mean + half)
    }

    /// The accuracy `a` of guesses as `max(a, 1 - a)`: who knows that an attack is wrong more
    /// often than right turns its answers round.
    #[must_use]
    pub fn either_way(self) -> Self {
        let turned = Self::new(1.0 - self.value, 1.0 - self.high, 1.0 - self.low);
        let best = if self.value < 0.5 { turned } else { self };
        Self {
            value: best.value,
            low: best.low.max(0.5),
            high: self.high.max(turned.high),
        }
    }
}

/// The interval of Clopper and Pearson (1934) for a proportion of which `successes` of `trials`
/// were seen: it covers the truth with at least [`CONFIDENCE`] for every true proportion.
///
/// # Panics
/// If there are no trials, or more successes than trials.
pub fn clopper_pearson(successes: usize, trials: usize) -> Estimate {
    assert!(
        trials > 0 && successes <= trials,
        "{successes} of {trials} is no proportion"
    );
    let (k, n) = (successes as f64, trials as f64);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // P(X >= k) = I_p(k, n - k + 1) grows with p, P(X <= k) = 1 - I_p(k + 1, n - k) falls.
    let low = if successes == 0 {
        0.0
    } else {
        where_reached(tail, |p| regularised_beta(k, n - k + 1.0, p))
    };
    let high = if successes == trials {
        1.0
    } else {
        where_reached(1.0 - tail, |p| regularised_beta(k + 1.0, n - k, p))
    };
    Estimate::new(k / n, low, high)
}

/// How many standard errors from the mean the interval reaches with so many degrees of freedom.
fn student(freedom: f64) -> f64 {
    // P(|T| > t) = I_x(ν / 2, 1 / 2) at x = ν / (ν + t²).
    let tails = 1.0 - CONFIDENCE;
    let x = where_reached(tails, |x| regularised_beta(freedom / 2.0, 0.5, x));
    (freedom * (1.0 - x) / x).sqrt()
}

/// Where the growing function `f` on [0, 1] reaches `level`, by bisection.
fn where_reached(level: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // 2^-60 is below the distance of neighbouring numbers near every proportion of interest.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if f(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function `I_x(a, b)`, by the continued fraction 8.17.22 of
/// the NIST Digital Library of Mathematical Functions.
fn regularised_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges fast below the mean of the distribution; above it, by symmetry.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularised_beta(b, a, 1.0 - x);
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a;
    front / fraction(a, b, x)
}

/// The continued fraction `1 + d_1 / (1 + d_2 / (1 + …))`, by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for step in 1..10_000_u32 {
        let m = f64::from(step / 2);
        let term = if step % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        c = away_from_zero(1.0 + term / c);
        d = 1.0 / away_from_zero(1.0 + term * d);
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_without_a_success_or_a_failure_are_known_in_closed_form() {
        for trials in [1, 10, 1000, 100_000] {
            let none = clopper_pearson(0, trials);
            let all = clopper_pearson(trials, trials);
            let expected = 1.0 - 0.025_f64.powf(1.0 / trials as f64);
            assert!((none.high - expected).abs() < 1e-12, "{none:?}");
            assert!((all.low - (1.0 - expected)).abs() < 1e-12, "{all:?}");
            assert_eq!((none.low, all.high), (0.0, 1.0));
        }
    }

    #[test]
    fn the_tails_of_the_binomial_distribution_at_the_ends_are_as_asked() {
        // Sums of n over k p^k (1 - p)^(n - k), independent of the beta function.
        let tail = |from: usize, to: usize, n: usize, p: f64| -> f64 {
            (from..=to)
                .map(|k| {
                    let choose: f64 = (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum();
                    (choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
                })
                .sum()
        };
        for (k, n) in [(1, 10), (8, 10), (37, 100), (500, 1000), (3, 1000)] {
            let interval = clopper_pearson(k, n);
            assert!((tail(k, n, n, interval.low) - 0.025).abs() < 1e-9);
            assert!((tail(0, k, n, interval.high) - 0.025).abs() < 1e-9);
        }
        // The interval of the textbooks for 8 of 10.
        let textbook = clopper_pearson(8, 10);
        assert!((textbook.low - 0.4439).abs() < 5e-5 && (textbook.high - 0.9748).abs() < 5e-5);
    }

    #[test]
    fn means_have_the_intervals_of_the_tables() {
        for (freedom, expected) in [
            (1.0, 12.706_2),
            (4.0, 2.776_4),
            (9.0, 2.262_2),
            (99.0, 1.984_2),
        ] {
            assert!(
                (student(freedom) - expected).abs() < 1e-3,
                "{freedom}: {}",
                student(freedom)
            );
        }
        let estimate = Estimate::of_mean(&[0.5, 0.6, 0.7]);
        // Deviation .1, standard error .1 / √3, 4.3027 of them.
        assert!((estimate.value - 0.6).abs() < 1e-12);
        assert!((estimate.high - 0.6 - 4.302_7 * 0.1 / 3.0_f64.sqrt()).abs() < 1e-4);
        let one = Estimate::of_mean(&[0.5]);
        assert_eq!((one.low, one.value, one.high), (0.0, 0.5, 1.0));
    }

    #[test]
    fn an_inverted_attack_is_as_good_as_its_inverse() {
        let inverted = Estimate::new(0.27, 0.25, 0.3).either_way();
        assert!((inverted.value - 0.73).abs() < 1e-12);
        assert!((inverted.low - 0.7).abs() < 1e-12 && (inverted.high - 0.75).abs() < 1e-12);
        let guess = Estimate::new(0.49, 0.46, 0.52).either_way();
        assert!((guess.value - 0.51).abs() < 1e-12 && (guess.high - 0.54).abs() < 1e-12);
        assert!((guess.low - 0.5).abs() < f64::EPSILON);
        let good = Estimate::new(0.8, 0.7, 0.9);
        assert_eq!(good.either_way(), good);
    }
}
