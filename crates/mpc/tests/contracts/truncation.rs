//! Truncation: its contract, and its statistics over the whole range.

use trefoil_mpc::{truncate, truncate_cost};
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
