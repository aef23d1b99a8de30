//! What the parties send to a client, who may conspire with one of them.

use super::{LEN, any, signed};
use crate::Entry;
use crate::world::{Opened, OpenedShare, Secret};
use trefoil_mpc::{Share, argmax_one_hot, bit_to_arithmetic, mul_truncated, relu};
use trefoil_ring::{Ring, Z64};

/// Fraction bits of products.
const SHIFT: u32 = 20;
const VECTORS: &[&[usize]] = &[&[LEN], &[LEN]];
/// Scores of four classes, a column for each sample.
const SCORES: &[&[usize]] = &[&[4, LEN]];

/// A party's share of the only output.
fn only<R: Ring>(output: Share<R>) -> Opened<R> {
    vec![OpenedShare::Elements(output)]
}

/// Whether each output is the product's whole part or one more.
fn rounded(secret: &Secret<Z64>, outputs: &[Vec<Z64>]) -> bool {
    let products = secret[0].1.iter().zip(&secret[1].1);
    let down = products.map(|(x, y)| (x.to_i64() * y.to_i64()) >> SHIFT);
    let [output] = outputs else { return false };
    let mut both = output.iter().zip(down);
    both.all(|(output, down)| [down, down + 1].contains(&output.to_i64()))
}

fn positive(secret: &Secret<Z64>, outputs: &[Vec<Z64>]) -> bool {
    let right = secret[0].1.iter().map(|x| x.to_i64().max(0));
    let [output] = outputs else { return false };
    output.iter().map(|v| v.to_i64()).eq(right)
}

/// Whether the output is 1 at the maximum of each column and 0 elsewhere.
fn largest(secret: &Secret<Z64>, outputs: &[Vec<Z64>]) -> bool {
    let [output] = outputs else { return false };
    let scores = &secret[0].1;
    (0..LEN).all(|column| {
        let of = |values: &[Z64]| -> Vec<i64> {
            let there = values.iter().skip(column).step_by(LEN);
            there.map(|v| v.to_i64()).collect()
        };
        let most = of(scores).into_iter().max();
        let right = of(scores).into_iter().map(|v| i64::from(Some(v) == most));
        right.eq(of(output))
    })
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::answering::<Z64>(
            "answer: an input itself",
            &[],
            any(&[&[LEN]]),
            |secret, outputs| outputs == [secret[0].1.clone()],
            async |_, x| {
                x.client.answer(&x.shares[0]);
                Ok(only(x.shares[0].clone()))
            },
        ),
        Entry::answering::<Z64>(
            "answer: product, truncated",
            &["trefoil_mpc::mul_truncated"],
            signed(VECTORS, 30),
            rounded,
            async |p, x| {
                let product = mul_truncated(p, &x.shares[0], &x.shares[1], SHIFT).await?;
                x.client.answer(&product);
                Ok(only(product))
            },
        ),
        Entry::answering::<Z64>(
            "answer: relu",
            &["trefoil_mpc::relu"],
            signed(&[&[LEN]], 40),
            positive,
            async |p, x| {
                let output = relu(p, &x.shares[0], 42).await?;
                x.client.answer(&output);
                Ok(only(output))
            },
        ),
        Entry::answering::<Z64>(
            "answer: label of scores",
            &["trefoil_mpc::argmax_one_hot"],
            signed(SCORES, 40),
            largest,
            async |p, x| {
                let hot = argmax_one_hot(p, &x.shares[0], 42).await?;
                let hot = bit_to_arithmetic(p, &hot).await?;
                x.client.answer(&hot);
                Ok(only(hot))
            },
        ),
    ]
}
