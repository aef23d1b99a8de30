//! Products.

use crate::{any, low_bits};
use std::num::Wrapping;
use trefoil_mpc::{
    Term, bilinear_cost, bilinear_truncated_cost, conv2d, conv2d_truncated, dot, matmul,
    matmul_truncated, mul, mul_truncated, sum_of, sum_of_cost,
};
use trefoil_ring::{Conv2d, Ring, Z32, Z64};
use trefoil_testkit::{Contract, contract};

fn product<R: Ring>(name: &str) {
    let oracle = |inputs: &[Vec<R>], outputs: &[Vec<R>]| {
        let expected: Vec<R> = inputs[0]
            .iter()
            .zip(&inputs[1])
            .map(|(&a, &b)| a * b)
            .collect();
        assert!(outputs[0] == expected);
    };
    contract(
        &Contract {
            name,
            shapes: &[&[7, 11], &[7, 11]],
            values: &any::<R>,
            small: &[&[3], &[3]],
            oracle: &oracle,
            cost: &|s| bilinear_cost::<R>(s[0].iter().product()),
        },
        async |p, x| Ok(vec![mul(p, &x[0], &x[1]).await?]),
    );
}

#[test]
fn mul_64() {
    product::<Z64>("mul, 64 bits");
}

#[test]
fn mul_32() {
    product::<Z32>("mul, 32 bits");
}

/// Two products with one operand in common: the view test sees a mask that is used twice.
#[test]
fn mul_twice() {
    contract::<Z64>(
        &Contract {
            name: "mul, twice",
            shapes: &[&[5], &[5]],
            values: &any,
            small: &[&[2], &[2]],
            oracle: &|inputs, outputs| {
                assert!(outputs[0] == outputs[1] && outputs[0][0] == inputs[0][0] * inputs[1][0]);
            },
            cost: &|s| bilinear_cost::<Z64>(s[0][0]) + bilinear_cost::<Z64>(s[0][0]),
        },
        async |p, x| {
            Ok(vec![
                mul(p, &x[0], &x[1]).await?,
                mul(p, &x[0], &x[1]).await?,
            ])
        },
    );
}

#[test]
fn mul_truncated_keeps_the_error_below_a_unit() {
    contract::<Z64>(
        &Contract {
            name: "mul, truncated",
            shapes: &[&[200], &[200]],
            values: &crate::signed(30),
            small: &[&[2], &[2]],
            oracle: &|inputs, outputs| {
                for ((a, b), c) in inputs[0].iter().zip(&inputs[1]).zip(&outputs[0]) {
                    let floor = (a.to_i64() * b.to_i64()) >> 20;
                    assert!(c.to_i64() == floor || c.to_i64() == floor + 1);
                }
            },
            cost: &|s| bilinear_truncated_cost::<Z64>(s[0][0], 20),
        },
        async |p, x| Ok(vec![mul_truncated(p, &x[0], &x[1], 20).await?]),
    );
}

#[test]
fn dot_of_rows() {
    contract::<Z64>(
        &Contract {
            name: "dot",
            shapes: &[&[4, 9], &[4, 9]],
            values: &any,
            small: &[&[2, 2], &[2, 2]],
            oracle: &|inputs, outputs| {
                let rows = inputs[0].chunks(9).zip(inputs[1].chunks(9));
                let expected: Vec<Z64> = rows
                    .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum())
                    .collect();
                assert!(outputs[0] == expected);
            },
            cost: &|s| bilinear_cost::<Z64>(s[0][0]),
        },
        async |p, x| Ok(vec![dot(p, &x[0], &x[1]).await?]),
    );
}

fn matrix_product<R: Ring>(name: &str) {
    let oracle = |inputs: &[Vec<R>], outputs: &[Vec<R>]| {
        for i in 0..5 {
            for j in 0..4 {
                let expected: R = (0..7)
                    .map(|l| inputs[0][i * 7 + l] * inputs[1][l * 4 + j])
                    .sum();
                assert!(outputs[0][i * 4 + j] == expected);
            }
        }
    };
    contract(
        &Contract {
            name,
            shapes: &[&[5, 7], &[7, 4]],
            values: &any::<R>,
            small: &[&[1, 2], &[2, 2]],
            oracle: &oracle,
            cost: &|s| bilinear_cost::<R>(s[0][0] * s[1][1]),
        },
        async |p, x| Ok(vec![matmul(p, &x[0], &x[1]).await?]),
    );
}

#[test]
fn matmul_64() {
    matrix_product::<Z64>("matmul, 64 bits");
}

#[test]
fn matmul_32() {
    matrix_product::<Z32>("matmul, 32 bits");
}

#[test]
fn matmul_with_bias_truncated() {
    contract::<Z64>(
        &Contract {
            name: "matmul, bias, truncated",
            shapes: &[&[5, 7], &[7, 4], &[4]],
            values: &crate::signed(28),
            small: &[&[1, 2], &[2, 2], &[2]],
            oracle: &|inputs, outputs| {
                for i in 0..5 {
                    for j in 0..4 {
                        let sum: Z64 = (0..7)
                            .map(|l| inputs[0][i * 7 + l] * inputs[1][l * 4 + j])
                            .sum();
                        let off =
                            outputs[0][i * 4 + j].to_i64() - ((sum + inputs[2][j]).to_i64() >> 16);
                        assert!((0..=1).contains(&off));
                    }
                }
            },
            cost: &|s| bilinear_truncated_cost::<Z64>(s[0][0] * s[1][1], 16),
        },
        async |p, x| {
            Ok(vec![
                matmul_truncated(p, &x[0], &x[1], Some(&x[2]), 16).await?,
            ])
        },
    );
}

fn geometry(batch: usize) -> Conv2d {
    Conv2d {
        batch,
        channels: 2,
        input: [5, 4],
        filters: 4,
        kernel: [3, 2],
        strides: [2, 1],
        pads: [1, 0, 1, 1],
        dilations: [1, 1],
        groups: 2,
    }
}

fn naive(g: &Conv2d, x: &[Z64], w: &[Z64]) -> Vec<Z64> {
    let mut out = vec![Wrapping(0); g.output_len()];
    trefoil_ring::conv2d(g, x, w, &mut out);
    out
}

const X: &[usize] = &[2, 2, 5, 4];
const W: &[usize] = &[4, 1, 3, 2];

#[test]
fn conv2d_in_groups() {
    contract::<Z64>(
        &Contract {
            name: "conv2d",
            shapes: &[X, W],
            values: &any,
            small: &[X, W],
            oracle: &|inputs, outputs| {
                assert!(outputs[0] == naive(&geometry(2), &inputs[0], &inputs[1]))
            },
            cost: &|_| bilinear_cost::<Z64>(geometry(2).output_len()),
        },
        async |p, x| Ok(vec![conv2d(p, &x[0], &x[1], &geometry(2)).await?]),
    );
}

#[test]
fn conv2d_with_bias_truncated() {
    contract::<Z64>(
        &Contract {
            name: "conv2d, bias, truncated",
            shapes: &[X, W, &[4]],
            values: &crate::signed(25),
            small: &[X, W, &[4]],
            oracle: &|inputs, outputs| {
                let plane = geometry(2).output().iter().product::<usize>();
                let sums = naive(&geometry(2), &inputs[0], &inputs[1]);
                for (i, (sum, out)) in sums.iter().zip(&outputs[0]).enumerate() {
                    let off = out.to_i64() - ((sum + inputs[2][i / plane % 4]).to_i64() >> 12);
                    assert!((0..=1).contains(&off));
                }
            },
            cost: &|_| bilinear_truncated_cost::<Z64>(geometry(2).output_len(), 12),
        },
        async |p, x| {
            Ok(vec![
                conv2d_truncated(p, &x[0], &x[1], Some(&x[2]), &geometry(2), 12).await?,
            ])
        },
    );
}

/// A product, numbers behind a bit each, and numbers of which three share a bit.
fn sum_of_terms(name: &str, size: u32, shift: u32) {
    const LEN: usize = 132;
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&[LEN], &[LEN], &[LEN], &[LEN / 3]],
            values: &crate::signed(size),
            small: &[&[3], &[3], &[3], &[1]],
            oracle: &|inputs, outputs| {
                let bit = |x: Z64| x.to_i64() & 1;
                for i in 0..LEN {
                    let [x, y, z] = [0, 1, 2].map(|input| inputs[input][i]);
                    let masked = bit(x) * z.to_i64() + bit(inputs[3][i / 3]) * y.to_i64();
                    let sum = x.to_i64() * y.to_i64() + (masked << shift);
                    let off = outputs[0][i].to_i64() - (sum >> shift);
                    assert!(off == 0 || (off == 1 && shift > 0), "off by {off}");
                    assert_eq!(outputs[1][i].to_i64(), masked);
                }
            },
            cost: &|s| {
                let masked = [s[0][0], s[3][0]];
                sum_of_cost::<Z64>(s[0][0], 1, &masked, shift)
                    + sum_of_cost::<Z64>(s[0][0], 0, &masked, 0)
            },
        },
        async |p, x| {
            let (bits, runs) = (low_bits(&x[0]), low_bits(&x[3]));
            let product = || Term::Product(&x[0], &x[1]);
            let masked = || [Term::Masked(&bits, &x[2]), Term::Masked(&runs, &x[1])];
            let [first, second] = masked();
            let shape = x[0].shape();
            let all = sum_of(p, shape, &[first, product(), second], shift).await?;
            Ok(vec![all, sum_of(p, shape, &masked(), 0).await?])
        },
    );
}

#[test]
fn sum_of_truncated_terms() {
    sum_of_terms("sum of terms, truncated by 20", 28, 20);
}

#[test]
fn sum_of_exact_terms() {
    sum_of_terms("sum of terms", 28, 0);
}
