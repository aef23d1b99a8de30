//! Truncation: its contract, and its statistics over the whole range.

use crate::{as_numbers, low_bits};
use trefoil_mpc::{
    bit_factors, bit_factors_cost, bit_to_arithmetic_cost, matmul_untruncated, msb_cost,
    msb_untruncated, multiply_untruncated, multiply_untruncated_cost, truncate, truncate_cost,
    untruncated_cost,
};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{Contract, Random, World, contract, reconstruct};

fn truncation<R: Ring>(name: &str, shift: u32) {
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[300]],
            values: &crate::signed(R::BITS - 2),
            small: &[&[3]],
            oracle: &|inputs, outputs| {
                for (x, y) in inputs[0].iter().zip(&outputs[0]) {
                    let off = y.to_i64() - (x.to_i64() >> shift);
                    assert!(
                        off == 0 || off == 1,
                        "{} / 2^{shift} is off by {off}",
                        x.to_i64()
                    );
                }
            },
            cost: &|s| truncate_cost::<R>(s[0][0], shift),
        },
        async |p, x| Ok(vec![truncate(p, &x[0], shift).await?]),
    );
}

#[test]
fn truncate_64() {
    truncation::<Z64>("truncate by 20, 64 bits", 20);
}

#[test]
fn truncate_64_far() {
    truncation::<Z64>("truncate by 62, 64 bits", 62);
}

#[test]
fn truncate_32() {
    truncation::<Z32>("truncate by 10, 32 bits", 10);
}

/// A product that is compared and multiplied with a bit before it is rounded.
fn rounded_late<R: Ring>(name: &str, size: u32, shift: u32) {
    let (depth, compared) = (7, 2 * size + 4 - shift);
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[5, depth], &[depth, 26], &[130]],
            values: &crate::signed(size),
            small: &[&[1, 2], &[2, 3], &[3]],
            oracle: &|inputs, outputs| {
                let columns = inputs[2].len() / 5;
                for (i, bit) in inputs[2].iter().enumerate() {
                    let (row, column) = (i / columns, i % columns);
                    let terms = (0..depth).map(|k| {
                        let (x, y) = (inputs[0][row * depth + k], inputs[1][k * columns + column]);
                        x.to_i64() * y.to_i64()
                    });
                    let (sum, kept) = (terms.sum::<i64>(), outputs[0][i].to_i64());
                    let negative = outputs[1][i].to_u64() == 1;
                    let off = |rounded: i64| rounded - (sum >> shift);
                    if bit.to_u64() & 1 == 0 {
                        assert_eq!(kept, 0);
                        assert!(negative == (sum < 0) || off(0) == 1, "the sign of {sum}");
                    } else {
                        assert!((0..2).contains(&off(kept)), "{sum} / 2^{shift}: {kept}");
                        assert_eq!(negative, kept < 0, "the sign of {sum}, rounded to {kept}");
                    }
                }
            },
            cost: &|s| {
                let len = s[2][0];
                untruncated_cost::<R>(len)
                    + msb_cost(len, compared)
                    + bit_factors_cost::<R>(len)
                    + multiply_untruncated_cost::<R>(len, shift)
                    + bit_to_arithmetic_cost::<R>(len)
            },
        },
        async |p, x| {
            let wide = matmul_untruncated(p, &x[0], &x[1], shift).await?;
            let factors = bit_factors(p, &low_bits(&x[2])).await?;
            let kept = multiply_untruncated(p, &factors, &wide).await?;
            let negative = msb_untruncated(p, &wide, compared).await?;
            let negative = as_numbers(p, &negative).await?;
            Ok([vec![kept], negative].concat())
        },
    );
}

#[test]
fn rounded_late_64() {
    rounded_late::<Z64>("rounded late, 64 bits", 26, 20);
}

#[test]
fn rounded_late_32() {
    rounded_late::<Z32>("rounded late, 32 bits", 12, 10);
}

/// Ten million values over the whole stated range: no gross error, error below a unit, no bias.
#[test]
fn ten_million_truncations() {
    const CHUNK: usize = 500_000;
    const SHIFT: u32 = 16;
    let mut random = Random::printed("ten million truncations");
    let (mut ups, mut expected, mut variance) = (0.0, 0.0, 0.0);
    for _ in 0..20 {
        // Uniform over [-2^62, 2^62), the ends among them.
        let mut values: Vec<Z64> = (0..CHUNK)
            .map(|_| Z64::from_i64((random.word() >> 1) as i64 - (1 << 62)))
            .collect();
        values[0] = Z64::from_i64(-(1 << 62));
        values[1] = Z64::from_i64((1 << 62) - 1);
        values[2] = Z64::from_i64(-1);
        let inputs = [(vec![CHUNK], values)];
        let run =
            World::new(random.word()).run(&inputs, async |p, x| truncate(p, &x[0], SHIFT).await);
        let outputs = run.unwrap();
        let results = reconstruct([&outputs[0], &outputs[1], &outputs[2]]);
        for (x, y) in inputs[0].1.iter().zip(results) {
            let (floor, fraction) = (x.to_i64() >> SHIFT, (x.to_u64() & 0xffff) as f64 / 65536.0);
            let off = y.to_i64() - floor;
            assert!(off == 0 || off == 1, "{} is off by {off}", x.to_i64());
            assert!(off == 0 || fraction > 0.0, "an exact quotient was rounded");
            ups += off as f64;
            expected += fraction;
            variance += fraction * (1.0 - fraction);
        }
    }
    // Six standard deviations: a false alarm in 10^9 runs.
    let deviation = (ups - expected) / f64::sqrt(variance);
    assert!(
        deviation.abs() < 6.0,
        "biased: {deviation} standard deviations"
    );
}
