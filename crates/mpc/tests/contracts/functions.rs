//! Real functions, against f64.

use crate::{any, close, reals};
use trefoil_mpc::{
    ExpRange, Positive, Share, Spline, divide_rows, divide_rows_cost, divide_scaled,
    divide_scaled_cost, exp, exp_cost, lookup, lookup_cost, reciprocal, reciprocal_cost, rsqrt,
    rsqrt_cost, scale_rows, scale_rows_cost, sigmoid, sigmoid_cost, softmax, softmax_cost, spline,
    spline_cost, tanh, tanh_cost, unit_rows, unit_rows_cost,
};
use trefoil_ring::{FixedPoint, Ring, Z32, Z64};
use trefoil_testkit::{Contract, Random, contract};

fn table<R: Ring>(factor: u64) -> Vec<R> {
    (0..32_u64).map(|i| R::from_u64(i * i * factor)).collect()
}

#[test]
fn secret_positions() {
    contract::<Z64>(
        &Contract {
            name: "lookup",
            shapes: &[&[50]],
            values: &any,
            small: &[&[2]],
            oracle: &|inputs, outputs| {
                for (i, x) in inputs[0].iter().enumerate() {
                    let at = (x.to_u64() % 32) as usize;
                    assert!(
                        outputs[0][i] == table::<Z64>(1)[at]
                            && outputs[1][i] == table::<Z64>(77)[at]
                    );
                }
            },
            cost: &|s| lookup_cost::<Z64>(s[0][0], 5, 2),
        },
        async |p, x| lookup(p, &x[0], 5, &[table(1), table(77)]).await,
    );
}

fn exponential<R: Ring>(name: &str, bits: u32, relative: f64) {
    let (format, range) = (
        FixedPoint::new(bits),
        ExpRange {
            low: -128.0,
            high: 0.0,
        },
    );
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[200]],
            values: &|random, shapes| {
                let mut values = reals::<R>(-128.0, 0.0, bits)(random, shapes);
                // Most of the interval gives 0: half the values where it does not.
                let near = reals::<R>(-12.0, 0.0, bits)(random, shapes);
                for (v, n) in values[0].iter_mut().zip(&near[0]).skip(2).step_by(2) {
                    *v = *n;
                }
                values
            },
            small: &[&[2]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    bits,
                    bits,
                    |y| y * relative + 1.01 * format.ulp(),
                    f64::exp,
                )
            },
            cost: &|s| {
                let cost = exp_cost::<R>(s[0][0], format, format, range);
                assert_eq!(cost.rounds, 2);
                cost
            },
        },
        async |p, x| Ok(vec![exp(p, &x[0], format, format, range).await?]),
    );
}

#[test]
fn exp_64() {
    exponential::<Z64>("exp, 64 bits", 20, 2.0_f64.powi(-25));
}

#[test]
fn exp_32() {
    exponential::<Z32>("exp, 32 bits", 10, 2.0_f64.powi(-10));
}

#[test]
fn exp_of_positive_numbers() {
    let (format, range) = (
        FixedPoint::new(16),
        ExpRange {
            low: -3.0,
            high: 8.0,
        },
    );
    contract::<Z64>(
        &Contract {
            name: "exp on [-3, 8]",
            shapes: &[&[200]],
            values: &|random, shapes| reals(-3.0, 8.0, 16)(random, shapes),
            small: &[&[2]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    16,
                    16,
                    |y| y * 2.0_f64.powi(-21) + 1.01 * format.ulp(),
                    f64::exp,
                )
            },
            cost: &|s| exp_cost::<Z64>(s[0][0], format, format, range),
        },
        async |p, x| Ok(vec![exp(p, &x[0], format, format, range).await?]),
    );
}

#[test]
fn a_fitted_function() {
    let fit = || {
        Spline::<Z64>::fit(
            f64::sin,
            [-4.0, 4.0],
            4,
            FixedPoint::new(20),
            FixedPoint::new(18),
            1,
        )
    };
    contract::<Z64>(
        &Contract {
            name: "spline of sin",
            shapes: &[&[200]],
            values: &|random, shapes| reals(-4.0, 3.9, 20)(random, shapes),
            small: &[&[2]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    20,
                    18,
                    |_| 2.0_f64.powi(-16),
                    f64::sin,
                )
            },
            cost: &|s| {
                let cost = spline_cost(s[0][0], &fit());
                assert_eq!(cost.rounds, 4);
                cost
            },
        },
        async |p, x| Ok(vec![spline(p, &x[0], &fit()).await?]),
    );
}

/// Positive numbers of all sizes in a range.
pub(crate) fn positive<R: Ring>(
    range: Positive,
) -> impl Fn(&mut Random, &[&[usize]]) -> Vec<Vec<R>> {
    move |random, shapes| {
        let one = |random: &mut Random, i: usize| match i {
            0 => 1 << range.low,
            1 => (1_u64 << range.high) - 1,
            _ => {
                let size = u64::from(range.low) + random.word() % u64::from(range.high - range.low);
                (1_u64 << size) + random.word() % (1 << size)
            }
        };
        shapes
            .iter()
            .map(|s| {
                (0..s.iter().product())
                    .map(|i| R::from_u64(one(random, i)))
                    .collect()
            })
            .collect()
    }
}

fn inverse<R: Ring>(name: &str, bits: u32, range: Positive, relative: f64) {
    let format = FixedPoint::new(bits);
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[100]],
            values: &positive::<R>(range),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    bits,
                    bits,
                    |y| y * relative + 1.01 * format.ulp(),
                    f64::recip,
                )
            },
            cost: &|s| {
                let cost = reciprocal_cost::<R>(s[0][0], format, range);
                assert_eq!(cost.rounds, 10);
                cost
            },
        },
        async |p, x| Ok(vec![reciprocal(p, &x[0], format, range).await?]),
    );
}

#[test]
fn reciprocal_64() {
    inverse::<Z64>(
        "reciprocal, 64 bits",
        20,
        Positive { low: 0, high: 40 },
        2.0_f64.powi(-18),
    );
}

#[test]
fn reciprocal_of_a_narrow_range() {
    inverse::<Z64>(
        "reciprocal of [1/2, 16)",
        24,
        Positive { low: 23, high: 28 },
        2.0_f64.powi(-19),
    );
}

#[test]
fn reciprocal_32() {
    inverse::<Z32>(
        "reciprocal, 32 bits",
        10,
        Positive { low: 4, high: 20 },
        2.0_f64.powi(-8),
    );
}

fn inverse_root<R: Ring>(name: &str, bits: u32, range: Positive, relative: f64) {
    let format = FixedPoint::new(bits);
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[100]],
            values: &positive::<R>(range),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    bits,
                    bits,
                    |y| y * relative + 1.01 * format.ulp(),
                    |v| v.sqrt().recip(),
                )
            },
            cost: &|s| rsqrt_cost::<R>(s[0][0], format, range),
        },
        async |p, x| Ok(vec![rsqrt(p, &x[0], format, range).await?]),
    );
}

#[test]
fn rsqrt_64() {
    inverse_root::<Z64>(
        "rsqrt, 64 bits",
        20,
        Positive { low: 0, high: 40 },
        2.0_f64.powi(-18),
    );
}

#[test]
fn rsqrt_of_an_odd_format() {
    inverse_root::<Z64>(
        "rsqrt, 17 fraction bits",
        17,
        Positive { low: 3, high: 37 },
        2.0_f64.powi(-18),
    );
}

#[test]
fn rsqrt_32() {
    inverse_root::<Z32>(
        "rsqrt, 32 bits",
        10,
        Positive { low: 2, high: 20 },
        2.0_f64.powi(-8),
    );
}

pub(crate) fn saturated(
    bits: u32,
    limit: f64,
) -> impl Fn(&mut Random, &[&[usize]]) -> Vec<Vec<Z64>> {
    move |random, shapes| {
        let mut values = reals(-limit, limit, bits)(random, shapes);
        let near = reals(-17.0, 17.0, bits)(random, shapes);
        for (v, n) in values[0].iter_mut().zip(&near[0]).skip(2).step_by(2) {
            *v = *n;
        }
        values
    }
}

#[test]
fn sigmoid_everywhere() {
    let format = FixedPoint::new(20);
    contract::<Z64>(
        &Contract {
            name: "sigmoid",
            shapes: &[&[300]],
            values: &saturated(20, 1e6),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    20,
                    20,
                    |_| 2.0_f64.powi(-15),
                    |v| 1.0 / (1.0 + (-v).exp()),
                )
            },
            cost: &|s| {
                let cost = sigmoid_cost::<Z64>(s[0][0], format);
                assert_eq!(cost.rounds, 5);
                cost
            },
        },
        async |p, x| Ok(vec![sigmoid(p, &x[0], format).await?]),
    );
}

#[test]
fn tanh_everywhere() {
    let format = FixedPoint::new(20);
    contract::<Z64>(
        &Contract {
            name: "tanh",
            shapes: &[&[300]],
            values: &saturated(20, 1e6),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    20,
                    20,
                    |_| 2.0_f64.powi(-14),
                    f64::tanh,
                )
            },
            cost: &|s| tanh_cost::<Z64>(s[0][0], format),
        },
        async |p, x| Ok(vec![tanh(p, &x[0], format).await?]),
    );
}

#[test]
fn sigmoid_and_tanh_in_32_bits() {
    let format = FixedPoint::new(10);
    contract::<Z32>(
        &Contract {
            name: "sigmoid and tanh, 32 bits",
            shapes: &[&[300]],
            values: &|random, shapes| reals(-100.0, 100.0, 10)(random, shapes),
            small: &[&[1]],
            oracle: &|inputs, outputs| {
                close(
                    &inputs[0],
                    &outputs[0],
                    10,
                    10,
                    |_| 2.0_f64.powi(-8),
                    |v| 1.0 / (1.0 + (-v).exp()),
                );
                close(
                    &inputs[0],
                    &outputs[1],
                    10,
                    10,
                    |_| 2.0_f64.powi(-7),
                    f64::tanh,
                );
            },
            cost: &|s| sigmoid_cost::<Z32>(s[0][0], format) + tanh_cost::<Z32>(s[0][0], format),
        },
        async |p, x| {
            Ok(vec![
                sigmoid(p, &x[0], format).await?,
                tanh(p, &x[0], format).await?,
            ])
        },
    );
}

/// Softmax over the first axis in f64.
fn softmax_of(column: &[f64]) -> Vec<f64> {
    let top = column.iter().copied().fold(f64::MIN, f64::max);
    let powers: Vec<f64> = column.iter().map(|v| (v - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

fn distribution<R: Ring>(name: &str, n: usize, rows: usize, bits: u32, tolerance: f64) {
    let format = FixedPoint::new(bits);
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[n, rows]],
            values: &|random, shapes| {
                let spread = [0.0, 1.0, 8.0, 64.0][random.word() as usize % 4];
                reals::<R>(-spread, spread, bits)(random, shapes)
            },
            small: &[&[n.min(3), 1]],
            oracle: &|inputs, outputs| {
                for r in 0..rows {
                    let column: Vec<f64> = inputs[0][r..]
                        .iter()
                        .step_by(rows)
                        .map(|v| format.decode(*v))
                        .collect();
                    for (i, expected) in softmax_of(&column).into_iter().enumerate() {
                        let found = format.decode(outputs[0][i * rows + r]);
                        assert!(
                            (found - expected).abs() <= tolerance,
                            "softmax {found}, not {expected}"
                        );
                    }
                }
            },
            cost: &|s| softmax_cost::<R>(s[0][0], s[0][1], format),
        },
        async |p, x| Ok(vec![softmax(p, &x[0], format).await?]),
    );
}

#[test]
fn softmax_of_ten() {
    assert_eq!(softmax_cost::<Z64>(10, 1, FixedPoint::new(20)).rounds, 20);
    distribution::<Z64>("softmax of 10", 10, 4, 20, 2.0_f64.powi(-16));
}

#[test]
fn softmax_of_a_thousand() {
    distribution::<Z64>("softmax of 1000", 1000, 2, 16, 2.0_f64.powi(-14));
}

#[test]
fn softmax_32() {
    distribution::<Z32>("softmax of 10, 32 bits", 10, 3, 10, 2.0_f64.powi(-6));
}

/// Cases that known implementations get wrong.
#[test]
fn softmax_of_known_failures() {
    let format = FixedPoint::new(20);
    for logits in [
        vec![12.0, 1.0, 0.0, 0.0],
        vec![60.0, -60.0, 0.0],
        vec![64.0, -64.0],
        vec![64.0; 5],
        vec![-64.0],
        vec![9.8, 9.8, 0.0],
    ] {
        let values: Vec<Z64> = logits.iter().map(|&v| format.encode(v)).collect();
        let run = trefoil_testkit::World::new(1)
            .run(&[(vec![logits.len(), 1], values)], async |p, x| {
                softmax(p, &x[0], format).await
            });
        let out = run.unwrap();
        let found = trefoil_testkit::reconstruct([&out[0], &out[1], &out[2]]);
        for (found, expected) in found.iter().zip(softmax_of(&logits)) {
            assert!(
                (format.decode(*found) - expected).abs() < 2.0_f64.powi(-17),
                "softmax of {logits:?}"
            );
        }
    }
}

/// Rows by their norms, from the shortest rows to long ones.
fn units(name: &str, columns: usize) {
    const ROWS: usize = 40;
    let format = FixedPoint::new(20);
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&[ROWS, columns]],
            values: &|random, shapes| {
                let rows = shapes[0][0];
                let row =
                    |row: usize| random.signed::<Z64>(columns, 4 + 20 * row as u32 / ROWS as u32);
                let mut values: Vec<Z64> = (0..rows).flat_map(row).collect();
                // A row of zeros stays one.
                values[..columns].fill(Z64::from_u64(0));
                vec![values]
            },
            small: &[&[2, columns]],
            oracle: &|inputs, outputs| {
                let rows = inputs[0].chunks_exact(columns);
                for (x, unit) in rows.zip(outputs[0].chunks_exact(columns)) {
                    let x: Vec<f64> = x.iter().map(|&v| format.decode(v)).collect();
                    let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
                    for (v, &unit) in x.iter().zip(unit) {
                        let exact = if norm > 0.0 { v / norm } else { 0.0 };
                        let off = (format.decode(unit) - exact).abs();
                        assert!(off < 3.0 * format.ulp(), "{v} of {norm}: off by {off}");
                    }
                }
            },
            cost: &|s| unit_rows_cost::<Z64>(s[0][0], s[0][1], format),
        },
        async |p, x| Ok(vec![unit_rows(p, &x[0], format).await?]),
    );
}

#[test]
fn rows_by_their_norms() {
    units("rows by their norms", 10);
    units("wide rows by their norms", 70);
}

#[test]
fn rows_by_their_sums() {
    const COLUMNS: usize = 9;
    let format = FixedPoint::new(20);
    let range = Positive { low: 18, high: 28 };
    let totals = |x: &[Z64]| -> Vec<f64> {
        let rows = x.chunks_exact(COLUMNS);
        rows.map(|row| row.iter().map(|&v| format.decode(v)).sum())
            .collect()
    };
    contract::<Z64>(
        &Contract {
            name: "rows by their sums",
            shapes: &[&[50, COLUMNS]],
            values: &|random, shapes| {
                let count = shapes[0].iter().product();
                let values = (0..count).map(|i| {
                    let size = 18 + i / COLUMNS % 6;
                    Z64::from_u64((1 << 17) + random.word() % (1 << size))
                });
                vec![values.collect()]
            },
            small: &[&[2, COLUMNS]],
            oracle: &|inputs, outputs| {
                for (row, total) in totals(&inputs[0]).into_iter().enumerate() {
                    for i in row * COLUMNS..(row + 1) * COLUMNS {
                        let [x, scaled, share, at_once] =
                            [inputs[0][i], outputs[0][i], outputs[1][i], outputs[2][i]]
                                .map(|v| format.decode(v));
                        let scale = total.log2().floor() + 1.0;
                        let off = (scaled - x / scale.exp2()).abs();
                        assert!(off < 2.0 * format.ulp(), "{x} of {total}: {scaled}");
                        for share in [share, at_once] {
                            let off = (share - x / total).abs();
                            assert!(off < 4.0 * format.ulp(), "{x} of {total}: {share}");
                        }
                    }
                }
            },
            cost: &|s| {
                scale_rows_cost::<Z64>(s[0][0], COLUMNS, format, range)
                    + divide_scaled_cost::<Z64>(s[0][0], COLUMNS, range)
                    + divide_rows_cost::<Z64>(s[0][0], COLUMNS, format, range)
            },
        },
        async |p, x| {
            let rows = x[0].shape()[0];
            let sums = |c: &[Z64]| -> Vec<Z64> {
                let rows = c.chunks_exact(COLUMNS);
                rows.map(|row| row.iter().copied().sum()).collect()
            };
            let total = Share::new(&[rows], sums(x[0].mine()), sums(x[0].next()));
            let (scaled, scale) = scale_rows(p, &x[0], &total, format, range).await?;
            let share = divide_scaled(p, &scaled, &scale, range).await?;
            let at_once = divide_rows(p, &x[0], &total, format, range).await?;
            Ok(vec![scaled, share, at_once])
        },
    );
}
