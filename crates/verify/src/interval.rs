//! What a count says about a probability.

use statrs::distribution::{Beta, ContinuousCDF};

/// The exact two-sided interval of Clopper and Pearson (1934) for a probability, of which `trials` trials
/// succeeded `successes` times, at `confidence` (0.95, say).
///
/// # Panics
/// If there are more successes than trials, or the confidence is not between 0 and 1.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> (f64, f64) {
    assert!(successes <= trials, "{successes} of {trials}");
    assert!(confidence > 0.0 && confidence < 1.0, "{confidence}");
    let tail = (1.0 - confidence) / 2.0;
    let (k, n) = (successes as f64, trials as f64);
    let quantile =
        |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let low = if successes == 0 {
        0.0
    } else {
        quantile(k, n - k + 1.0, tail)
    };
    let high = if successes == trials {
        1.0
    } else {
        quantile(k + 1.0, n - k, 1.0 - tail)
    };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, DiscreteCDF};

    #[test]
    fn the_ends_are_where_the_tails_are_2_5_percent() {
        for (k, n) in [(1_u64, 10_u64), (5, 10), (99, 100), (3, 4000), (260, 1000)] {
            let (low, high) = clopper_pearson(k, n, 0.95);
            let at_least = Binomial::new(low, n).unwrap().sf(k - 1);
            let at_most = Binomial::new(high, n).unwrap().cdf(k);
            assert!((at_least - 0.025).abs() < 1e-6, "{k} of {n}: {at_least}");
            assert!((at_most - 0.025).abs() < 1e-6, "{k} of {n}: {at_most}");
        }
    }

    #[test]
    fn all_or_nothing_has_one_open_end() {
        let (low, high) = clopper_pearson(0, 1000, 0.95);
        assert!(
            low.abs() < 1e-12 && (high - 0.003_682).abs() < 1e-5,
            "{high}"
        );
        let (low, high) = clopper_pearson(100, 100, 0.95);
        assert!(
            (low - 0.963_78).abs() < 1e-4 && (high - 1.0).abs() < 1e-12,
            "{low}"
        );
    }
}
