//! Bits, comparisons, choices and maxima.

use super::{LEN, any, low_bits, signed};
use crate::Entry;
use trefoil_mpc::{
    Term, a2b, and, argmax_one_hot, argmax_one_hot_lean, bit_factors, bit_to_arithmetic, by_rank,
    less_than, matmul_untruncated, max, msb, msb_untruncated, multiply_bit, multiply_factors,
    multiply_untruncated, relu, select, sum_of,
};
use trefoil_ring::{Z32, Z64};

const VECTOR: &[&[usize]] = &[&[LEN]];
const VECTORS: &[&[usize]] = &[&[LEN], &[LEN]];
const ROWS: &[&[usize]] = &[&[4, LEN]];

pub(super) fn entries() -> Vec<Entry> {
    let mut all = bits_and_signs();
    all.extend(choices_and_maxima());
    all
}

fn bits_and_signs() -> Vec<Entry> {
    vec![
        Entry::new::<Z64>(
            "and",
            &["trefoil_mpc::and"],
            any(&[&[64], &[64]]),
            async |p, x| {
                and(p, &low_bits(&x.shares[0]), &low_bits(&x.shares[1]))
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "bit to arithmetic",
            &["trefoil_mpc::bit_to_arithmetic"],
            any(VECTOR),
            async |p, x| {
                bit_to_arithmetic::<Z64>(p, &low_bits(&x.shares[0]))
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>("a2b", &["trefoil_mpc::a2b"], any(VECTOR), async |p, x| {
            a2b(p, &x.shares[0]).await.map(drop)
        }),
        Entry::new::<Z64>(
            "msb",
            &["trefoil_mpc::msb"],
            signed(VECTOR, 62),
            async |p, x| msb(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z32>(
            "msb, 32 bits",
            &["trefoil_mpc::msb"],
            signed(VECTOR, 30),
            async |p, x| msb(p, &x.shares[0], 32).await.map(drop),
        ),
        Entry::new::<Z64>(
            "msb, 31 of 64 bits",
            &["trefoil_mpc::msb"],
            signed(VECTOR, 29),
            async |p, x| msb(p, &x.shares[0], 31).await.map(drop),
        ),
        Entry::new::<Z64>(
            "msb of three",
            &["trefoil_mpc::msb"],
            signed(&[&[3]], 62),
            async |p, x| msb(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z64>(
            "less than",
            &["trefoil_mpc::less_than"],
            signed(VECTORS, 60),
            async |p, x| less_than(p, &x.shares[0], &x.shares[1], 64).await.map(drop),
        ),
    ]
}

// A table: one entry after the other.
#[allow(clippy::too_many_lines)]
fn choices_and_maxima() -> Vec<Entry> {
    vec![
        Entry::new::<Z64>(
            "multiply by a bit",
            &["trefoil_mpc::multiply_bit"],
            any(VECTORS),
            async |p, x| {
                multiply_bit(p, &low_bits(&x.shares[0]), &x.shares[1])
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "multiply by prepared bits",
            &["trefoil_mpc::bit_factors", "trefoil_mpc::multiply_factors"],
            any(&[&[LEN], &[LEN], &[LEN]]),
            async |p, x| {
                let factors = bit_factors(p, &low_bits(&x.shares[0])).await?;
                multiply_factors(p, &factors, &x.shares[1]).await?;
                multiply_factors(p, &factors, &x.shares[2]).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "product rounded late, its sign, and behind a bit",
            &[
                "trefoil_mpc::matmul_untruncated",
                "trefoil_mpc::msb_untruncated",
                "trefoil_mpc::multiply_untruncated",
            ],
            signed(&[&[LEN, 1], &[1, 1], &[LEN]], 28),
            async |p, x| {
                let wide = matmul_untruncated(p, &x.shares[0], &x.shares[1], 20).await?;
                msb_untruncated(p, &wide, 40).await?;
                let factors = bit_factors(p, &low_bits(&x.shares[2])).await?;
                multiply_untruncated(p, &factors, &wide).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "sum of a product and of numbers behind bits, truncated",
            &["trefoil_mpc::sum_of"],
            signed(&[&[LEN], &[LEN], &[LEN]], 28),
            async |p, x| {
                let bits = low_bits(&x.shares[0]);
                let terms = [
                    Term::Product(&x.shares[0], &x.shares[1]),
                    Term::Masked(&bits, &x.shares[2]),
                ];
                sum_of(p, &[LEN], &terms, 20).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "sum of numbers behind bits",
            &["trefoil_mpc::sum_of"],
            any(&[&[LEN], &[LEN], &[LEN]]),
            async |p, x| {
                let bits = low_bits(&x.shares[0]);
                let terms = [1, 2].map(|i| Term::Masked(&bits, &x.shares[i]));
                sum_of(p, &[LEN], &terms, 0).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "select",
            &["trefoil_mpc::select"],
            any(&[&[LEN], &[LEN], &[LEN]]),
            async |p, x| {
                select(p, &low_bits(&x.shares[0]), &x.shares[1], &x.shares[2])
                    .await
                    .map(drop)
            },
        ),
        Entry::new::<Z64>(
            "relu",
            &["trefoil_mpc::relu"],
            signed(VECTOR, 62),
            async |p, x| relu(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z64>(
            "max, groups",
            &["trefoil_mpc::max"],
            signed(ROWS, 60),
            async |p, x| max(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z64>(
            "argmax",
            &["trefoil_mpc::argmax_one_hot"],
            signed(ROWS, 60),
            async |p, x| argmax_one_hot(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z64>(
            "argmax by pairs",
            &["trefoil_mpc::argmax_one_hot_lean"],
            signed(ROWS, 60),
            async |p, x| argmax_one_hot_lean(p, &x.shares[0], 64).await.map(drop),
        ),
        Entry::new::<Z64>(
            "argmax by pairs, 30 of 64 bits",
            &["trefoil_mpc::argmax_one_hot_lean"],
            signed(ROWS, 28),
            async |p, x| argmax_one_hot_lean(p, &x.shares[0], 30).await.map(drop),
        ),
        Entry::new::<Z64>(
            "values by rank",
            &["trefoil_mpc::by_rank"],
            signed(&[&[LEN, 4], &[4, 4]], 60),
            async |p, x| by_rank(p, &x.shares[0], &x.shares[1], 64).await.map(drop),
        ),
    ]
}
