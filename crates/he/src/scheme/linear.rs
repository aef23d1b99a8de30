//! Weighted sums of ciphertexts, the bulk of an encrypted network.
//!
//! In throughput packing a weight is one number for all slots, so that its product is a multiple of the ciphertext: no encoding, no
//! transform, and noise that grows by the weight itself, where the library's plaintext product (which lifts −1 to `t − 1`) grows it by `t`.

use ndarray::Array2;
use std::ops::Range;

/// Coefficients that are summed at once: they stay in the first cache.
const BLOCK: usize = 1024;

/// `Σ weight · part`, reduced, for rows of residues of `moduli`.
///
/// Terms with small weights are summed in 64-bit words and reduced as seldom as the widths allow; other weights are reduced
/// each.
pub(super) fn weighted_sum(parts: &[(&[u64], i64)], moduli: &[u64], degree: usize) -> Array2<u64> {
    let mut out = Array2::zeros((moduli.len(), degree));
    let mut sums = [0_i64; BLOCK];
    for (row, &q) in moduli.iter().enumerate() {
        for start in (0..degree).step_by(BLOCK) {
            let range = row * degree + start..row * degree + (start + BLOCK).min(degree);
            let sums = &mut sums[..range.len()];
            sum_block(parts, q, range, sums);
            for (at, &sum) in sums.iter().enumerate() {
                out[[row, start + at]] = sum.rem_euclid(q as i64) as u64;
            }
        }
    }
    out
}

/// One block of one row: sums below 2^63 in magnitude, not reduced.
fn sum_block(parts: &[(&[u64], i64)], q: u64, range: Range<usize>, sums: &mut [i64]) {
    // In multiples of `q`: what a word holds, and what the sums have at most.
    let room = (i64::MAX as u64 / q) as i64;
    let mut held = 0;
    sums.fill(0);
    for &(coefficients, weight) in parts {
        let coefficients = &coefficients[range.clone()];
        let size = weight.saturating_abs();
        let narrow = size < room / 2;
        let needed = if narrow { size } else { 1 };
        if held + needed > room {
            for sum in &mut *sums {
                *sum %= q as i64;
            }
            held = 1;
        }
        held += needed;
        if narrow {
            for (sum, &c) in sums.iter_mut().zip(coefficients) {
                *sum += weight * c as i64;
            }
        } else {
            let factor = i128::from(weight).rem_euclid(i128::from(q)) as u64;
            // Shoup's product: the quotient is estimated by one multiplication.
            let quotient = ((u128::from(factor) << 64) / u128::from(q)) as u64;
            for (sum, &c) in sums.iter_mut().zip(coefficients) {
                let estimate = ((u128::from(c) * u128::from(quotient)) >> 64) as u64;
                let rest = c
                    .wrapping_mul(factor)
                    .wrapping_sub(estimate.wrapping_mul(q));
                *sum += (if rest >= q { rest - q } else { rest }) as i64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_those_of_wide_integers(
            weights in prop::collection::vec(
                prop_oneof![-300..300_i64, any::<i32>().prop_map(i64::from), -(1_i64 << 39)..1 << 39], 1..40),
            seed in any::<u64>(),
        ) {
            let moduli = [(1 << 36) - 5, (1_u64 << 49) - 123];
            let degree = 16;
            let mut state = seed | 1;
            let rows: Vec<Vec<u64>> = weights.iter().map(|_| (0..2 * degree).map(|at| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // The largest residues too.
                if state >> 62 == 0 { moduli[at / degree] - 1 } else { (state >> 8) % moduli[at / degree] }
            }).collect()).collect();
            let parts: Vec<_> = rows.iter().map(Vec::as_slice).zip(weights.iter().copied()).collect();
            let sum = weighted_sum(&parts, &moduli, degree);
            for (row, &q) in moduli.iter().enumerate() {
                for at in 0..degree {
                    let wide: i128 = parts.iter().map(|(c, w)| i128::from(c[row * degree + at]) * i128::from(*w)).sum();
                    prop_assert_eq!(sum[[row, at]], wide.rem_euclid(i128::from(q)) as u64);
                }
            }
        }
    }
}
