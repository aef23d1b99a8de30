//! Bits: gates, decomposition, conversion.

use crate::{any, as_numbers, low_bits};
use trefoil_mpc::{
    Cost, a2b, a2b_cost, and, and_cost, bit_factors, bit_factors_cost, bit_to_arithmetic,
    bit_to_arithmetic_cost, multiply_bit, multiply_bit_cost, multiply_factors,
    multiply_factors_cost, multiply_runs_cost, select, select_cost,
};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{Contract, contract};

/// Values whose low bit is what `low_bits` shares: the XOR of the components' low bits is that of the sum.
fn bit<R: Ring>(x: R) -> bool {
    x.to_u64() & 1 == 1
}

#[test]
fn and_of_bits() {
    contract::<Z64>(
        &Contract {
            name: "and",
            shapes: &[&[130], &[130]],
            values: &any,
            small: &[&[9], &[9]],
            oracle: &|inputs, outputs| {
                for ((a, b), c) in inputs[0].iter().zip(&inputs[1]).zip(&outputs[0]) {
                    assert_eq!(c.to_u64(), u64::from(bit(*a) && bit(*b)));
                }
            },
            cost: &|s| and_cost(s[0][0]) + bit_to_arithmetic_cost::<Z64>(s[0][0]),
        },
        async |p, x| as_numbers(p, &and(p, &low_bits(&x[0]), &low_bits(&x[1])).await?).await,
    );
}

fn conversion<R: Ring>(name: &str) {
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[130]],
            values: &any,
            small: &[&[3]],
            oracle: &|inputs, outputs| {
                assert!(
                    inputs[0]
                        .iter()
                        .zip(&outputs[0])
                        .all(|(x, y)| y.to_u64() == u64::from(bit(*x)))
                );
            },
            cost: &|s| bit_to_arithmetic_cost::<R>(s[0][0]),
        },
        async |p, x| Ok(vec![bit_to_arithmetic(p, &low_bits(&x[0])).await?]),
    );
}

#[test]
fn bit_to_arithmetic_64() {
    conversion::<Z64>("bit to arithmetic, 64 bits");
}

#[test]
fn bit_to_arithmetic_32() {
    conversion::<Z32>("bit to arithmetic, 32 bits");
}

#[test]
fn bit_times_number() {
    contract::<Z64>(
        &Contract {
            name: "multiply bit",
            shapes: &[&[130], &[130]],
            values: &any,
            small: &[&[3], &[3]],
            oracle: &|inputs, outputs| {
                for ((b, x), y) in inputs[0].iter().zip(&inputs[1]).zip(&outputs[0]) {
                    assert!(*y == if bit(*b) { *x } else { Z64::from_u64(0) });
                }
            },
            cost: &|s| multiply_bit_cost::<Z64>(s[0][0]),
        },
        async |p, x| Ok(vec![multiply_bit(p, &low_bits(&x[0]), &x[1]).await?]),
    );
}

#[test]
fn bit_times_run() {
    contract::<Z64>(
        &Contract {
            name: "multiply bit, runs",
            shapes: &[&[13], &[13, 10]],
            values: &any,
            small: &[&[2], &[2, 3]],
            oracle: &|inputs, outputs| {
                for (row, b) in inputs[0].iter().enumerate() {
                    let run = inputs[1].len() / inputs[0].len();
                    for i in row * run..(row + 1) * run {
                        let expected = if bit(*b) {
                            inputs[1][i]
                        } else {
                            Z64::from_u64(0)
                        };
                        assert_eq!(outputs[0][i], expected);
                    }
                }
            },
            cost: &|s| multiply_runs_cost::<Z64>(s[0][0], s[1].iter().product()),
        },
        async |p, x| Ok(vec![multiply_bit(p, &low_bits(&x[0]), &x[1]).await?]),
    );
}

#[test]
fn prepared_bits_multiply_twice() {
    contract::<Z64>(
        &Contract {
            name: "multiply factors",
            shapes: &[&[130], &[130], &[130]],
            values: &any,
            small: &[&[3], &[3], &[3]],
            oracle: &|inputs, outputs| {
                for (x, out) in inputs[1..].iter().zip(outputs) {
                    for (i, &out) in out.iter().enumerate() {
                        let expected = if bit(inputs[0][i]) {
                            x[i]
                        } else {
                            Z64::from_u64(0)
                        };
                        assert_eq!(out, expected);
                    }
                }
            },
            cost: &|s| {
                let once = multiply_factors_cost::<Z64>(s[1][0]);
                bit_factors_cost::<Z64>(s[0][0]) + once + once
            },
        },
        async |p, x| {
            let factors = bit_factors(p, &low_bits(&x[0])).await?;
            let first = multiply_factors(p, &factors, &x[1]).await?;
            // One after the other, so that the rounds add up.
            let second = multiply_factors(p, &factors, &x[2].add(&first).sub(&first)).await?;
            Ok(vec![first, second])
        },
    );
}

#[test]
fn choice() {
    contract::<Z64>(
        &Contract {
            name: "select",
            shapes: &[&[130], &[130], &[130]],
            values: &any,
            small: &[&[3], &[3], &[3]],
            oracle: &|inputs, outputs| {
                for (i, out) in outputs[0].iter().enumerate() {
                    assert!(
                        *out == if bit(inputs[0][i]) {
                            inputs[1][i]
                        } else {
                            inputs[2][i]
                        }
                    );
                }
            },
            cost: &|s| select_cost::<Z64>(s[0][0]),
        },
        async |p, x| Ok(vec![select(p, &low_bits(&x[0]), &x[1], &x[2]).await?]),
    );
}

fn decomposition<R: Ring>(name: &str, rounds: u32) {
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[70]],
            values: &any,
            small: &[&[3]],
            oracle: &|inputs, outputs| {
                for (i, x) in inputs[0].iter().enumerate() {
                    for (b, bits) in outputs.iter().enumerate() {
                        assert_eq!(
                            bits[i].to_u64(),
                            x.to_u64() >> b & 1,
                            "bit {b} of {:x}",
                            x.to_u64()
                        );
                    }
                }
            },
            cost: &|s| {
                let cost = a2b_cost::<R>(s[0][0]);
                assert_eq!(cost.rounds, rounds);
                (0..R::BITS).fold(cost, |cost, _| {
                    cost + Cost {
                        rounds: 1,
                        ..bit_to_arithmetic_cost::<R>(s[0][0])
                    }
                })
            },
        },
        async |p, x| {
            let mut numbers = Vec::new();
            for bits in a2b(p, &x[0]).await? {
                numbers.push(bit_to_arithmetic(p, &bits).await?);
            }
            Ok(numbers)
        },
    );
}

#[test]
fn a2b_64() {
    decomposition::<Z64>("a2b, 64 bits", 4);
}

#[test]
fn a2b_32() {
    decomposition::<Z32>("a2b, 32 bits", 4);
}
