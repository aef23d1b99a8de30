//! Tests of distributions.

/// Pearson's statistic of `samples` against the uniform distribution over `0 .. bins`.
pub fn chi_square(samples: impl Iterator<Item = usize>, bins: usize) -> f64 {
    let mut counts = vec![0_u64; bins];
    let mut total = 0.0;
    for sample in samples {
        counts[sample] += 1;
        total += 1.0;
    }
    let mean = total / bins as f64;
    counts
        .iter()
        .map(|&c| (c as f64 - mean).powi(2) / mean)
        .sum()
}

/// Whether samples of a byte look uniform: both halves of the byte, by Pearson's test with 15 degrees of
/// freedom at a false-alarm probability of 1e-9 each.
pub fn uniform_bytes(samples: &[u8]) -> bool {
    // P(chi2_15 > 76.5) is 3e-10.
    let limit = 76.5;
    chi_square(samples.iter().map(|&b| usize::from(b & 15)), 16) < limit
        && chi_square(samples.iter().map(|&b| usize::from(b >> 4)), 16) < limit
}
