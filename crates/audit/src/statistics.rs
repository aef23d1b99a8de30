//! The statistical tests: p-values, effect sizes, intervals.

use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, Discrete, Normal};

/// Cells into which a sample is sorted: the values of half a byte.
pub(crate) const CELLS: usize = 16;

/// A χ² statistic, before it is turned into a p-value: of thousands only the largest needs one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistic {
    /// Its value.
    pub(crate) value: f64,
    /// Degrees of freedom, from 1 on; 0 if nothing could be compared.
    pub(crate) degrees: usize,
    /// Cramér's V: 0 for the expected distribution, 1 for the farthest from it.
    pub(crate) effect: f64,
    /// Samples of a test of uniformity; `None` of a test of two distributions.
    pub(crate) uniform: Option<u32>,
}

impl Statistic {
    /// Probability of a statistic at least as extreme if nothing depends on a secret.
    pub(crate) fn p(&self) -> f64 {
        match self.uniform {
            Some(runs) => uniform_tail(self.value, runs as usize),
            None if self.degrees == 0 => 1.0,
            None => chi_square_tail(self.value, self.degrees),
        }
    }
}

/// Pearson's test of counts against the uniform distribution over the cells.
pub(crate) fn uniform(counts: &[u32; CELLS]) -> Statistic {
    let total: u32 = counts.iter().sum();
    let mean = f64::from(total) / CELLS as f64;
    let value: f64 = counts
        .iter()
        .map(|&count| (f64::from(count) - mean).powi(2) / mean)
        .sum();
    Statistic {
        value,
        degrees: CELLS - 1,
        effect: (value / f64::from(total) / (CELLS - 1) as f64).sqrt(),
        uniform: Some(total),
    }
}

/// Pearson's test of two rows of counts for the same distribution; cells that both lack are left out.
pub(crate) fn homogeneous(first: &[u32; CELLS], second: &[u32; CELLS]) -> Statistic {
    let rows = [first, second].map(|row| f64::from(row.iter().sum::<u32>()));
    let total = rows[0] + rows[1];
    let (mut value, mut used) = (0.0, 0_usize);
    for (&a, &b) in first.iter().zip(second) {
        let column = f64::from(a) + f64::from(b);
        if column > 0.0 {
            used += 1;
            for (count, row) in [(a, rows[0]), (b, rows[1])] {
                let mean = row * column / total;
                value += (f64::from(count) - mean).powi(2) / mean;
            }
        }
    }
    Statistic {
        value,
        degrees: used.saturating_sub(1),
        effect: (value / total).sqrt(),
        uniform: None,
    }
}

/// P(Pearson's statistic of `runs` uniform samples ≥ `statistic`).
///
/// Far out the χ² distribution is too thin: with 256 samples, at 10^-12, by a factor of ten. There one cell makes nearly
/// all of the statistic, and its count is binomial. So beside the tail of the χ² variable stands a bound by the favoured cell,
/// whichever of them it is, and the larger of the two is taken.
pub(crate) fn uniform_tail(statistic: f64, runs: usize) -> f64 {
    let smooth = chi_square_tail(statistic, CELLS - 1);
    // Where the distribution is good nothing needs a bound that is loose by the number of cells.
    if smooth > 1e-4 {
        return smooth;
    }
    let favoured = CELLS as f64 * power_against_one_cell(runs, statistic, 0.0);
    smooth.max(favoured.min(1e-4))
}

/// P(X ≥ `statistic`) for a χ² variable.
pub(crate) fn chi_square_tail(statistic: f64, degrees: usize) -> f64 {
    match ChiSquared::new(degrees as f64) {
        // The complement of a regularised gamma function may leave [0, 1] by a rounding.
        Ok(distribution) => distribution.sf(statistic).clamp(0.0, 1.0),
        Err(_) => 1.0,
    }
}

/// The smallest Cramér's V that the test of uniformity finds in one position with 99 % probability, with `runs` samples at the
/// level `alpha`, whatever form the deviation has.
///
/// Computed for one favoured cell: of all deviations of a size it makes the statistic vary most, so that it is missed
/// most often. (The statistic's variance grows with the sum of the cells' cubed probabilities, which for a given sum of
/// squares is largest if one cell differs from all others.)
pub fn detectable(runs: usize, alpha: f64) -> f64 {
    let critical = upper_quantile(|x| uniform_tail(x, runs), alpha);
    let (mut low, mut high) = (0.0, 1.0);
    // To four digits more than anyone prints.
    for _ in 0..24 {
        let middle = f64::midpoint(low, high);
        if power_against_one_cell(runs, critical, middle) < 0.99 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// How often Pearson's statistic of `runs` samples reaches `critical` if one cell is favoured by Cramér's V `effect`.
///
/// That cell's count is binomial; given it, the others are uniform, and their own statistic is a χ² variable.
fn power_against_one_cell(runs: usize, critical: f64, effect: f64) -> f64 {
    let (n, cells) = (runs as f64, CELLS as f64);
    let others = cells - 1.0;
    let probability = (1.0 + others * effect) / cells;
    let (Ok(count), Ok(rest)) = (
        Binomial::new(probability.min(1.0), runs as u64),
        ChiSquared::new(others - 1.0),
    ) else {
        return 0.0;
    };
    // Farther out there is nothing to add.
    let reach = 10.0 * (n * probability * (1.0 - probability)).sqrt() + 10.0;
    let first = (n * probability - reach).max(0.0) as u64;
    // That cell alone makes the statistic critical from here on; so rare a count may be all that reaches it.
    let alone = n / cells + (critical * n * others).sqrt() / cells;
    let last = (n * probability + reach).max(alone + reach).min(n) as u64;
    let reached = |favoured: u64| {
        let (favoured, left) = (favoured as f64, n - favoured as f64);
        let between = cells / n * (favoured * favoured + left * left / others) - n;
        let needed = critical - between;
        if needed <= 0.0 {
            1.0
        } else if left > 0.0 {
            rest.sf(needed * n * others / (cells * left))
        } else {
            0.0
        }
    };
    (first..=last).map(|m| count.pmf(m) * reached(m)).sum()
}

/// Where a falling tail function reaches `alpha`.
fn upper_quantile(tail: impl Fn(f64) -> f64, alpha: f64) -> f64 {
    let (mut low, mut high) = (0.0, 2000.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if tail(middle) > alpha {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
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
        assert!(outcome.p() < 1e-100 && (outcome.effect - 1.0).abs() < 1e-12);
        assert!(uniform(&[25; CELLS]).effect < 1e-12);
        let mut other = [0; CELLS];
        other[4] = 400;
        assert!((homogeneous(&counts, &other).effect - 1.0).abs() < 1e-12);
        assert!((homogeneous(&counts, &counts).p() - 1.0).abs() < 1e-12);
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
            one += usize::from(uniform(&a).p() < 0.01);
            two += usize::from(homogeneous(&a, &b).p() < 0.01);
        }
        // 200 expected, deviation 14.
        assert!((140..260).contains(&one), "{one}");
        assert!((140..260).contains(&two), "{two}");
    }

    /// A single cell with so many of 256 samples comes at least as often as its binomial tail says, sixteen times over:
    /// there the tail of the χ² variable alone would promise too much.
    #[test]
    fn far_out_the_level_is_that_of_the_fullest_cell() {
        let runs: u32 = 256;
        let Ok(count) = Binomial::new(1.0 / CELLS as f64, u64::from(runs)) else {
            panic!("a binomial variable");
        };
        for favoured in [40_u32, 46, 52] {
            let mut counts = [(runs - favoured) / 15; CELLS];
            counts[0] = favoured;
            counts[1] += runs - counts.iter().sum::<u32>();
            let tail: f64 = (favoured..=runs).map(|m| count.pmf(u64::from(m))).sum();
            let p = uniform(&counts).p();
            assert!(p >= tail, "{favoured} of {runs}: {p:e} below {tail:e}");
        }
        let thin = chi_square_tail(120.0, CELLS - 1);
        assert!(uniform_tail(120.0, 256) > 2.0 * thin);
    }

    /// Of 2000 experiments with `runs` samples, how many find `effect` spread over the first `favoured` cells.
    fn found(runs: usize, alpha: f64, effect: f64, favoured: usize) -> usize {
        // With probability d a favoured cell, else any: V = d sqrt((16 / favoured - 1) / 15).
        let cells = CELLS as f64;
        let d = effect * ((cells - 1.0) / (cells / favoured as f64 - 1.0)).sqrt();
        let mut random = Random::new(5);
        let experiments = (0..2000).filter(|_| {
            let mut counts = [0; CELLS];
            for _ in 0..runs {
                let among = if random.real(0.0, 1.0) < d {
                    favoured
                } else {
                    CELLS
                };
                counts[random.below(among)] += 1;
            }
            uniform(&counts).p() < alpha
        });
        experiments.count()
    }

    /// A shift of the stated size is found in about 99 of 100 experiments, and more often if it is spread.
    #[test]
    fn the_stated_power_is_had() {
        for (runs, alpha) in [(400, 1e-9), (256, 1e-10)] {
            let effect = detectable(runs, alpha);
            let one = found(runs, alpha, effect, 1);
            // 1980 expected, deviation 4.5.
            assert!((1960..=1996).contains(&one), "{runs} runs: {one}");
            for favoured in [2, 4, 8] {
                let spread = found(runs, alpha, effect, favoured);
                assert!(spread >= 1960, "{runs} runs, {favoured} cells: {spread}");
            }
        }
    }

    #[test]
    fn more_runs_show_fainter_deviations() {
        let effects = [64, 256, 1024, 4096, 100_000].map(|runs| detectable(runs, 1e-10));
        assert!(
            effects.windows(2).all(|pair| pair[1] < pair[0]),
            "{effects:?}"
        );
        assert!(
            (detectable(4, 1e-10) - 1.0).abs() < 1e-6,
            "four runs show nothing"
        );
    }

    #[test]
    fn intervals_hold_the_proportion() {
        let [low, high] = wilson(50, 100, 0.95);
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3);
        assert!(wilson(10, 10, 0.95)[1] > 0.999_999);
    }
}
