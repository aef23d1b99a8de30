//! How likely a server that corrupts chosen runs, blind to their content, passes: exact, in logarithms.
//!
//! It says nothing of a server that deviates in the same way in every run: all copies then agree, and only public samples
//! ([`crate::largest_wrong_share`]) and probes bound it.

use std::f64::consts::{LN_2, PI};

/// The base-2 logarithm of the best chance that a server has to pass while it corrupts answers of at
/// least one query (Fusion, NDSS 2023).
///
/// Of `R = queries` in `B = copies` each and `T = public` samples, `N = RB + T` runs in secret random order, it
/// corrupts as many runs `m` as serve it best. It passes if these are all copies of some queries and at most
/// `t = tolerated` public samples:
///
/// `max_m  Σ_{iB+j=m, 1≤i≤R, 0≤j≤t}  C(R,i) C(T,j) / C(N,m)`
///
/// **Model.** The server chooses runs without knowing what they are. One that shifts a neuron or a logit alike in all runs is outside
/// this formula. A corrupted public sample counts as answered wrongly: see [`crate::adversary`] for a server that is right by luck.
///
/// Terms are summed in logarithms: no overflow, absolute error below 1e-6 for `N <= 10^7`. Time
/// `O(R · min(B, t + 1) · (t / B + 1))`.
///
/// # Panics
/// If there are no queries or no copies, or more tolerated than public samples.
pub fn log2_pass_probability(
    queries: usize,
    copies: usize,
    public: usize,
    tolerated: usize,
) -> f64 {
    let mix = Counts::new(queries, copies, public, tolerated);
    let all = (1..=queries).flat_map(|i| mix.ends(i).map(move |j| (i, j)));
    all.map(|(i, j)| mix.ln_chance(i, j))
        .fold(f64::NEG_INFINITY, f64::max)
        / LN_2
}

/// The base-2 logarithm of the chance to pass with `corrupted` runs chosen at random: the term
/// `m = corrupted` of [`log2_pass_probability`]. Minus infinity if no such choice passes and harms a query.
///
/// # Panics
/// As [`log2_pass_probability`], and if there are fewer runs.
pub fn log2_pass_probability_at(
    queries: usize,
    copies: usize,
    public: usize,
    tolerated: usize,
    corrupted: usize,
) -> f64 {
    let mix = Counts::new(queries, copies, public, tolerated);
    assert!(corrupted <= mix.runs, "{corrupted} of {} runs", mix.runs);
    // The most whole queries that fit, the rest public.
    let i = (corrupted / copies).min(queries);
    if i == 0 {
        return f64::NEG_INFINITY;
    }
    mix.ln_chance(i, corrupted - i * copies) / LN_2
}

/// A lower bound of [`log2_pass_probability`] in time `O(t)`: one query or all of them corrupted. Usually
/// equal to it.
pub(crate) fn log2_lower_bound(
    queries: usize,
    copies: usize,
    public: usize,
    tolerated: usize,
) -> f64 {
    let mix = Counts::new(queries, copies, public, tolerated);
    let ends = [1, queries].into_iter();
    ends.flat_map(|i| mix.ends(i).map(move |j| (i, j)))
        .map(|(i, j)| mix.ln_chance(i, j))
        .fold(f64::NEG_INFINITY, f64::max)
        / LN_2
}

/// A lower bound of [`log2_pass_probability`] for every number of public samples in an interval, if at least
/// `tolerated` of them may be wrong.
///
/// The chance of one query and `j` public samples, `R C(T,j) / C(N,B+j)`, and of all queries, `C(T,j) / C(N,RB+j)`,
/// first rises and then falls with `T` (it falls from `T + 1 = jR`, or `T + 1 = j`, on), so in an interval it
/// is least at one of the ends. Any selection of `j` gives a bound.
pub(crate) fn log2_least_chance(
    queries: usize,
    copies: usize,
    public: std::ops::RangeInclusive<usize>,
    tolerated: usize,
) -> f64 {
    let ends = [*public.start(), *public.end()];
    let chance = |i: usize, j: usize| {
        let at = |public: usize| {
            ln_choose(queries, i) + ln_choose(public, j)
                - ln_choose(queries * copies + public, i * copies + j)
        };
        at(ends[0]).min(at(ends[1]))
    };
    // All small j, then ever fewer.
    let mut best = f64::NEG_INFINITY;
    let mut j = 0;
    while j <= tolerated.min(ends[0]) {
        best = best.max(chance(1, j)).max(chance(queries, j));
        j += 1 + j / 16;
    }
    best / LN_2
}

/// The numbers of a mix.
struct Counts {
    queries: usize,
    copies: usize,
    public: usize,
    tolerated: usize,
    runs: usize,
}

impl Counts {
    fn new(queries: usize, copies: usize, public: usize, tolerated: usize) -> Self {
        assert!(queries > 0 && copies > 0, "a mix without queries or copies");
        assert!(
            tolerated <= public,
            "{tolerated} of {public} public samples"
        );
        let runs = queries * copies + public;
        Self {
            queries,
            copies,
            public,
            tolerated,
            runs,
        }
    }

    /// For `i` whole queries, the corrupted public samples that no larger `i` stands for: each `m` once.
    fn ends(&self, i: usize) -> std::ops::RangeInclusive<usize> {
        if i == self.queries {
            0..=self.tolerated
        } else {
            0..=self.tolerated.min(self.copies - 1)
        }
    }

    /// The sum over all pairs `(i - k, j + kB)`, which corrupt equally many runs, divided by `C(N, m)`.
    fn ln_chance(&self, i: usize, j: usize) -> f64 {
        let terms = (0..i)
            .map(|k| (i - k, j + k * self.copies))
            .take_while(|&(_, j)| j <= self.tolerated)
            .map(|(i, j)| ln_choose(self.queries, i) + ln_choose(self.public, j));
        ln_sum(terms) - ln_choose(self.runs, i * self.copies + j)
    }
}

/// `ln Σ e^x`, summed from the largest so far; minus infinity for nothing.
fn ln_sum(terms: impl Iterator<Item = f64>) -> f64 {
    terms.fold(f64::NEG_INFINITY, |sum, term| {
        let (high, low) = if sum > term { (sum, term) } else { (term, sum) };
        if low == f64::NEG_INFINITY {
            high
        } else {
            high + (low - high).exp().ln_1p()
        }
    })
}

/// `ln C(n, k)`.
pub(crate) fn ln_choose(n: usize, k: usize) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    if k == 0 || k == n {
        return 0.0;
    }
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// `ln n!`: a product where that is exact enough, Stirling's series above.
fn ln_factorial(n: usize) -> f64 {
    let x = n as f64;
    if n < 16 {
        // 15! is below 2^53.
        return (2..=n).map(|i| i as f64).product::<f64>().ln();
    }
    // The next term of the series, 1 / (1188 n^9), is below 2e-14 here.
    let inverse = x.recip();
    let square = inverse * inverse;
    let series =
        inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    x * x.ln() - x + 0.5 * (2.0 * PI * x).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The chance by trying every set of `m` corrupted runs.
    fn enumerated(queries: usize, copies: usize, public: usize, tolerated: usize) -> f64 {
        let runs = queries * copies + public;
        let mut passed = vec![0_u64; runs + 1];
        let mut tried = vec![0_u64; runs + 1];
        for set in 0_u32..1 << runs {
            let m = set.count_ones() as usize;
            tried[m] += 1;
            let whole = (1_u32 << copies) - 1;
            let mut harmed = 0;
            let mut consistent = true;
            for query in 0..queries {
                let hit = set >> (query * copies) & whole;
                consistent &= hit == 0 || hit == whole;
                harmed += usize::from(hit == whole);
            }
            let wrong = (set >> (queries * copies)).count_ones() as usize;
            passed[m] += u64::from(consistent && harmed > 0 && wrong <= tolerated);
        }
        let chances = passed
            .iter()
            .zip(&tried)
            .map(|(&p, &t)| p as f64 / t as f64);
        chances.fold(0.0, f64::max)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_formula_counts_what_enumeration_counts(
            queries in 1_usize..5, copies in 1_usize..5, public in 0_usize..7, tolerated in 0_usize..4
        ) {
            prop_assume!(queries * copies + public <= 15 && tolerated <= public);
            let exact = enumerated(queries, copies, public, tolerated);
            let formula = log2_pass_probability(queries, copies, public, tolerated).exp2();
            prop_assert!((exact - formula).abs() < 1e-12 * exact.max(1e-3), "{exact} {formula}");
            prop_assert!(log2_lower_bound(queries, copies, public, tolerated).exp2() <= formula * (1.0 + 1e-12));
        }
    }

    #[test]
    fn the_bound_of_an_interval_is_below_every_chance_in_it() {
        for (queries, copies) in [(1, 4), (7, 3), (40, 2)] {
            for tolerated in [0, 2, 9] {
                for (low, high) in [(9, 9), (9, 60), (50, 400)] {
                    let bound = log2_least_chance(queries, copies, low..=high, tolerated);
                    let least = (low..=high)
                        .map(|public| log2_pass_probability(queries, copies, public, tolerated))
                        .fold(f64::INFINITY, f64::min);
                    assert!(
                        bound <= least + 1e-9,
                        "{queries} {copies} {low} {high} {tolerated}"
                    );
                }
            }
        }
    }

    #[test]
    fn factorials_are_continuous_and_exact() {
        let mut exact = 0.0;
        for n in 1..3000_usize {
            exact += (n as f64).ln();
            assert!(
                (ln_factorial(n) - exact).abs() < 1e-10 * exact.max(1.0),
                "{n}"
            );
        }
        // ln 10^6! to 16 digits.
        assert!((ln_factorial(1_000_000) - 12_815_518.384_658_169).abs() < 1e-6);
    }

    #[test]
    fn without_tolerance_the_ends_are_as_in_the_paper() {
        // One query of R: R / C(N, B); all of them: 1 / C(N, T).
        for (r, b, t) in [(1, 9, 100), (10, 10, 9), (1000, 5, 4)] {
            let n = r * b + t;
            let ends = [(r as f64).ln() - ln_choose(n, b), -ln_choose(n, t)];
            let expected = ends[0].max(ends[1]) / LN_2;
            assert!((log2_lower_bound(r, b, t, 0) - expected).abs() < 1e-9);
            assert!((log2_pass_probability(r, b, t, 0) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn the_best_number_of_runs_is_the_maximum_over_all() {
        let (r, b, t, tolerated) = (6, 3, 8, 4);
        let best = (1..=r * b + t)
            .map(|m| log2_pass_probability_at(r, b, t, tolerated, m))
            .fold(f64::NEG_INFINITY, f64::max);
        assert!((best - log2_pass_probability(r, b, t, tolerated)).abs() < 1e-12);
    }
}
