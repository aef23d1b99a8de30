//! The statistical tests: p-values, effect sizes, intervals.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// Cells into which a sample is sorted: the values of half a byte.
pub(crate) const CELLS: usize = 16;

/// One test's result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Probability of a statistic at least as extreme if nothing depends on a secret.
    pub(crate) p: f64,
    /// Cramér's V: 0 for the expected distribution, 1 for the farthest from it.
    pub(crate) effect: f64,
}

impl Outcome {
    /// Nothing was tested.
    pub(crate) const NOTHING: Self = Self {
        p: 1.0,
        effect: 0.0,
    };

    /// The more extreme of two.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.p < self.p || (other.p <= self.p && other.effect > self.effect) {
            other
        } else {
            self
        }
    }
}

/// Pearson's test of counts against the uniform distribution over the cells.
pub(crate) fn uniform(counts: &[u32; CELLS]) -> Outcome {
    let total: u32 = counts.iter().sum();
    let mean = f64::from(total) / CELLS as f64;
    let statistic: f64 = counts
        .iter()
        .map(|&count| (f64::from(count) - mean).powi(2) / mean)
        .sum();
    Outcome {
        p: chi_square_tail(statistic, CELLS - 1),
        effect: (statistic / f64::from(total) / (CELLS - 1) as f64).sqrt(),
    }
}

/// Pearson's test of two rows of counts for the same distribution; cells that both lack are left out.
pub(crate) fn homogeneous(first: &[u32; CELLS], second: &[u32; CELLS]) -> Outcome {
    let rows = [first, second].map(|row| f64::from(row.iter().sum::<u32>()));
    let total = rows[0] + rows[1];
    let (mut statistic, mut used) = (0.0, 0);
    for (&a, &b) in first.iter().zip(second) {
        let column = f64::from(a) + f64::from(b);
        if column > 0.0 {
            used += 1;
            for (count, row) in [(a, rows[0]), (b, rows[1])] {
                let mean = row * column / total;
                statistic += (f64::from(count) - mean).powi(2) / mean;
            }
        }
    }
    if used < 2 {
        return Outcome::NOTHING;
    }
    Outcome {
        p: chi_square_tail(statistic, used - 1),
        effect: (statistic / total).sqrt(),
    }
}

/// P(X ≥ `statistic`) for a χ² variable.
pub(crate) fn chi_square_tail(statistic: f64, degrees: usize) -> f64 {
    match ChiSquared::new(degrees as f64) {
        // The complement of a regularised gamma function may leave [0, 1] by a rounding.
        Ok(distribution) => distribution.sf(statistic).clamp(0.0, 1.0),
        Err(_) => 1.0,
    }
}

/// The smallest Cramér's V that [`uniform`] finds in one position with 99 % probability, with `runs` samples at the
/// level `alpha`: by Sankaran's normal approximation of the noncentral χ² distribution.
pub fn detectable(runs: usize, alpha: f64) -> f64 {
    let degrees = (CELLS - 1) as f64;
    let Ok(central) = ChiSquared::new(degrees) else {
        return 1.0;
    };
    let critical = upper_quantile(|x| central.sf(x), alpha);
    let (mut low, mut high) = (0.0, 10.0 * critical);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if noncentral_tail(critical, degrees, middle) < 0.99 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high / runs as f64 / degrees).sqrt().min(1.0)
}

/// Where a falling tail function reaches `alpha`.
fn upper_quantile(tail: impl Fn(f64) -> f64, alpha: f64) -> f64 {
    let (mut low, mut high) = (0.0, 2000.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if tail(middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// P(X ≥ x) of a noncentral χ² variable; Sankaran 1963.
fn noncentral_tail(x: f64, degrees: f64, noncentrality: f64) -> f64 {
    let (k, l) = (degrees, noncentrality);
    let h = 1.0 - 2.0 * (k + l) * (k + 3.0 * l) / (3.0 * (k + 2.0 * l).powi(2));
    let p = (k + 2.0 * l) / (k + l).powi(2);
    let m = (h - 1.0) * (1.0 - 3.0 * h);
    let mean = 1.0 + h * p * (h - 1.0 - (2.0 - h) * m * p / 2.0);
    let deviation = h * (2.0 * p).sqrt() * (1.0 + m * p / 2.0);
    let z = ((x / (k + l)).powf(h) - mean) / deviation;
    Normal::standard().sf(z)
}

/// Wilson's interval of a proportion, at the given confidence (0.95, say).
pub(crate) fn wilson(hits: usize, trials: usize, confidence: f64) -> [f64; 2] {
    if trials == 0 {
        return [0.0, 1.0];
    }
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let (n, p) = (trials as f64, hits as f64 / trials as f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// Pearson's correlation of two samples.
pub(crate) fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len().min(y.len()) as f64;
    if n < 2.0 {
        return 0.0;
    }
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        let (a, b) = (a - mean_x, b - mean_y);
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    if xx * yy > 0.0 {
        xy / (xx * yy).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn tails_are_those_of_the_tables() {
        // Abramowitz and Stegun, table 26.8: 15 degrees of freedom.
        for (statistic, p) in [(24.9958, 0.05), (30.5779, 0.01), (37.6973, 0.001)] {
            assert!((chi_square_tail(statistic, 15) / p - 1.0).abs() < 1e-4);
        }
        assert!(chi_square_tail(1e6, 15) < 1e-300);
        assert!((chi_square_tail(0.0, 15) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn constants_have_the_largest_effect() {
        let mut counts = [0; CELLS];
        counts[3] = 400;
        let outcome = uniform(&counts);
        assert!(outcome.p < 1e-100 && (outcome.effect - 1.0).abs() < 1e-12);
        assert!(uniform(&[25; CELLS]).effect < 1e-12);
        let mut other = [0; CELLS];
        other[4] = 400;
        assert!((homogeneous(&counts, &other).effect - 1.0).abs() < 1e-12);
        assert!((homogeneous(&counts, &counts).p - 1.0).abs() < 1e-12);
    }

    /// Random counts give p-values below a level as often as the level says.
    #[test]
    fn levels_hold() {
        let mut random = Random::new(11);
        let mut sample = || {
            let mut counts = [0; CELLS];
            for _ in 0..256 {
                counts[random.below(CELLS)] += 1;
            }
            counts
        };
        let (mut one, mut two) = (0, 0);
        for _ in 0..20_000 {
            let (a, b) = (sample(), sample());
            one += usize::from(uniform(&a).p < 0.01);
            two += usize::from(homogeneous(&a, &b).p < 0.01);
        }
        // 200 expected, deviation 14.
        assert!((140..260).contains(&one), "{one}");
        assert!((140..260).contains(&two), "{two}");
    }

    /// A shift of the stated size is found in about 99 of 100 experiments.
    #[test]
    fn the_stated_power_is_had() {
        let (runs, alpha) = (400, 1e-9);
        let effect = detectable(runs, alpha);
        // One cell with probability 1/16 + d, the others alike: V = d sqrt(16/15) / sqrt(15) * sqrt(16).
        let d = effect * 15.0 / 16.0;
        let mut random = Random::new(5);
        let found = (0..2000).filter(|_| {
            let mut counts = [0; CELLS];
            for _ in 0..runs {
                let cell = if random.real(0.0, 1.0) < d {
                    0
                } else {
                    random.below(CELLS)
                };
                counts[cell] += 1;
            }
            uniform(&counts).p < alpha
        });
        let found = found.count();
        assert!((1940..=2000).contains(&found), "{found}");
    }

    #[test]
    fn intervals_hold_the_proportion() {
        let [low, high] = wilson(50, 100, 0.95);
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3);
        assert!(wilson(10, 10, 0.95)[1] > 0.999_999);
    }
}
