//! Comparisons and what is built of them.

use crate::{any, as_numbers, signed};
use trefoil_mpc::{
    Cost, argmax_one_hot, argmax_one_hot_cost, argmax_one_hot_lean, argmax_one_hot_lean_cost,
    bit_to_arithmetic_cost, by_rank, by_rank_cost, less_than, max, max_cost, msb, msb_cost, relu,
    relu_cost,
};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{Contract, contract};

fn sign<R: Ring>(name: &str, bits: u32) {
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[150]],
            values: if bits == R::BITS {
                &any
            } else {
                &|random, shapes| signed::<R>(31)(random, shapes)
            },
            small: &[&[3]],
            oracle: &|inputs, outputs| {
                for (x, y) in inputs[0].iter().zip(&outputs[0]) {
                    assert_eq!(
                        y.to_u64(),
                        u64::from(x.is_negative()),
                        "sign of {}",
                        x.to_i64()
                    );
                }
            },
            cost: &|s| {
                let cost = msb_cost(s[0][0], bits);
                assert_eq!(cost.rounds, 3);
                cost + bit_to_arithmetic_cost::<R>(s[0][0])
            },
        },
        async |p, x| as_numbers(p, &msb(p, &x[0], bits).await?).await,
    );
}

#[test]
fn msb_64() {
    sign::<Z64>("msb, 64 bits", 64);
}

#[test]
fn msb_32() {
    sign::<Z32>("msb, 32 bits", 32);
}

#[test]
fn msb_of_a_narrow_value() {
    sign::<Z64>("msb of 32 bits in 64", 32);
}

#[test]
fn msb_of_every_width() {
    for bits in 2..=64 {
        let mut random = trefoil_testkit::Random::printed("msb of every width");
        let values = random.signed::<Z64>(100, bits - 1);
        let inputs = [(vec![100], values.clone())];
        let world = trefoil_testkit::World::new(random.word());
        let run = world.run(&inputs, async |p, x| {
            as_numbers::<Z64>(p, &msb(p, &x[0], bits).await?).await
        });
        let found = Cost {
            rounds: run.rounds(),
            bytes: run.traffic.map(|t| t.bytes_sent()),
        };
        assert_eq!(
            found,
            msb_cost(100, bits) + bit_to_arithmetic_cost::<Z64>(100),
            "{bits} bits"
        );
        let outputs = run.unwrap();
        let signs = trefoil_testkit::reconstruct([&outputs[0][0], &outputs[1][0], &outputs[2][0]]);
        assert!(
            values
                .iter()
                .zip(signs)
                .all(|(x, s)| s.to_u64() == u64::from(x.is_negative())),
            "{bits} bits"
        );
    }
}

#[test]
fn order() {
    contract::<Z64>(
        &Contract {
            name: "less than",
            shapes: &[&[150], &[150]],
            values: &|random, shapes| signed(62)(random, shapes),
            small: &[&[3], &[3]],
            oracle: &|inputs, outputs| {
                for ((x, y), less) in inputs[0].iter().zip(&inputs[1]).zip(&outputs[0]) {
                    assert_eq!(less.to_u64(), u64::from(x.to_i64() < y.to_i64()));
                }
            },
            cost: &|s| msb_cost(s[0][0], 64) + bit_to_arithmetic_cost::<Z64>(s[0][0]),
        },
        async |p, x| as_numbers(p, &less_than(p, &x[0], &x[1], 64).await?).await,
    );
}

fn rectifier<R: Ring>(name: &str) {
    contract::<R>(
        &Contract {
            name,
            shapes: &[&[150]],
            values: &any,
            small: &[&[3]],
            oracle: &|inputs, outputs| {
                assert!(
                    inputs[0]
                        .iter()
                        .zip(&outputs[0])
                        .all(|(x, y)| y.to_i64() == x.to_i64().max(0))
                );
            },
            cost: &|s| {
                let cost = relu_cost::<R>(s[0][0], R::BITS);
                assert_eq!(cost.rounds, 4);
                cost
            },
        },
        async |p, x| Ok(vec![relu(p, &x[0], R::BITS).await?]),
    );
}

#[test]
fn relu_64() {
    rectifier::<Z64>("relu, 64 bits");
}

#[test]
fn relu_32() {
    rectifier::<Z32>("relu, 32 bits");
}

/// Column maxima of an n × rows matrix.
fn columns(x: &[Z64], rows: usize) -> Vec<i64> {
    (0..rows)
        .map(|r| {
            x[r..]
                .iter()
                .step_by(rows)
                .map(|v| v.to_i64())
                .max()
                .expect("a slot")
        })
        .collect()
}

fn maxima(name: &str, n: usize, rows: usize) {
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&[n, rows]],
            // Few different values, so that maxima are often equal.
            values: &|random, shapes| {
                if random.word() % 2 == 0 {
                    signed(2)(random, shapes)
                } else {
                    signed(62)(random, shapes)
                }
            },
            small: &[&[n, 2]],
            oracle: &|inputs, outputs| {
                let expected = columns(&inputs[0], rows);
                assert!(
                    outputs[0]
                        .iter()
                        .zip(expected)
                        .all(|(a, b)| a.to_i64() == b)
                );
            },
            cost: &|s| max_cost::<Z64>(s[0][0], s[0][1], 64),
        },
        async |p, x| Ok(vec![max(p, &x[0], 64).await?]),
    );
}

#[test]
fn max_of_one() {
    let inputs = [(
        vec![1, 3],
        trefoil_testkit::Random::new(5).elements::<Z64>(3),
    )];
    let run = trefoil_testkit::World::new(5).run(&inputs, async |p, x| max(p, &x[0], 64).await);
    assert_eq!(run.rounds(), 0);
    let out = run.unwrap();
    assert!(trefoil_testkit::reconstruct([&out[0], &out[1], &out[2]]) == inputs[0].1);
}

#[test]
fn max_of_ten_in_few_rows() {
    maxima("max of 10, 3 rows", 10, 3);
}

#[test]
fn max_of_seven_in_many_rows() {
    maxima("max of 7, 900 rows", 7, 900);
}

#[test]
fn max_of_a_hundred() {
    maxima("max of 100, 2 rows", 100, 2);
}

/// Per row, the position of the first maximum and no other.
fn first_maxima(n: usize, rows: usize, values: &[Z64], hot: &[Z64]) {
    for r in 0..rows {
        let column = values[r..].iter().step_by(rows).map(|v| v.to_i64());
        let column: Vec<i64> = column.collect();
        let top = column.iter().max().expect("a slot");
        let first = column.iter().position(|v| v == top);
        let hot: Vec<usize> = (0..n).filter(|i| hot[i * rows + r].to_u64() == 1).collect();
        assert_eq!(hot, Vec::from_iter(first), "argmax of {column:?}");
    }
}

fn positions(name: &str, n: usize, rows: usize, rounds: u32) {
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&[n, rows]],
            values: &|random, shapes| {
                if random.word() % 2 == 0 {
                    signed(2)(random, shapes)
                } else {
                    signed(62)(random, shapes)
                }
            },
            small: &[&[n, 2]],
            oracle: &|inputs, outputs| first_maxima(n, rows, &inputs[0], &outputs[0]),
            cost: &|s| {
                let cost = argmax_one_hot_cost::<Z64>(s[0][0], s[0][1], 64);
                assert!(
                    s[0][1] != rows || cost.rounds == rounds,
                    "{} rounds",
                    cost.rounds
                );
                cost + bit_to_arithmetic_cost::<Z64>(s[0][0] * s[0][1])
            },
        },
        async |p, x| as_numbers(p, &argmax_one_hot(p, &x[0], 64).await?).await,
    );
}

/// Differences of `bits` bits, around any number.
fn close_positions(name: &str, bits: u32) {
    const SHAPE: [usize; 2] = [11, 3];
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&SHAPE],
            values: &|random, shapes| {
                let around = Z64::from_i64(random.word() as i64 >> 2);
                let mut values = signed(bits - 2)(random, shapes);
                values[0].iter_mut().for_each(|v| *v += around);
                values
            },
            small: &[&[2, 3]],
            oracle: &|inputs, outputs| {
                first_maxima(SHAPE[0], SHAPE[1], &inputs[0], &outputs[0]);
            },
            cost: &|s| {
                argmax_one_hot_lean_cost::<Z64>(s[0][0], s[0][1], bits)
                    + bit_to_arithmetic_cost::<Z64>(s[0][0] * s[0][1])
            },
        },
        async |p, x| as_numbers(p, &argmax_one_hot_lean(p, &x[0], bits).await?).await,
    );
}

#[test]
fn argmax_by_pairs() {
    close_positions("argmax by pairs, 20 bits", 20);
    close_positions("argmax by pairs, 32 bits", 32);
    close_positions("argmax by pairs, 33 bits", 33);
}

#[test]
fn argmax_of_ten() {
    positions("argmax of 10, 1 row", 10, 1, 5);
}

#[test]
fn argmax_of_ten_in_many_rows() {
    positions("argmax of 10, 600 rows", 10, 600, 13);
}

#[test]
fn argmax_of_a_hundred() {
    positions("argmax of 100, 2 rows", 100, 2, 12);
}

/// For each row its table row's values by rank, ties by position; the definition, by sorting.
fn placed_by_rank(n: usize, x: &[Z64], table: &[Z64]) -> Vec<u64> {
    let row = |x: &[Z64]| -> Vec<u64> {
        let mut order: Vec<usize> = (0..n).collect();
        // Stable: equal elements stay in order.
        order.sort_by_key(|&i| std::cmp::Reverse(x[i].to_i64()));
        let mut placed = vec![0; n];
        for (rank, &i) in order.iter().enumerate() {
            placed[i] = table[order[0] * n + rank].to_u64();
        }
        placed
    };
    x.chunks_exact(n).flat_map(row).collect()
}

fn by_ranks(name: &str, rows: usize, n: usize, bits: u32, rounds: u32) {
    contract::<Z64>(
        &Contract {
            name,
            shapes: &[&[rows, n], &[n, n]],
            // Few different values, so that there are many ties; and all of the range.
            values: &|random, shapes| {
                let x = if random.word() % 2 == 0 {
                    signed(2)(random, &shapes[..1])
                } else {
                    signed(bits - 2)(random, &shapes[..1])
                };
                [x, any(random, &shapes[1..])].concat()
            },
            small: &[&[2, 3], &[3, 3]],
            oracle: &|inputs, outputs| {
                let expected = placed_by_rank(n, &inputs[0], &inputs[1]);
                let found: Vec<u64> = outputs[0].iter().map(|v| v.to_u64()).collect();
                assert_eq!(found, expected, "{name}");
            },
            cost: &|s| {
                let cost = by_rank_cost::<Z64>(s[0][0], s[0][1], bits);
                assert_eq!(cost.rounds, rounds);
                cost
            },
        },
        async |p, x| Ok(vec![by_rank(p, &x[0], &x[1], bits).await?]),
    );
}

#[test]
fn values_are_placed_by_rank() {
    by_ranks("by rank, 2 of 1 row", 1, 2, 64, 7);
    by_ranks("by rank, 10 of 5 rows", 5, 10, 64, 7);
    by_ranks("by rank, 48 bits", 3, 7, 48, 7);
}

/// So many comparisons that they are made in pieces, and ranks whose one-hot vectors come as keys of point functions.
#[test]
fn values_are_placed_by_rank_in_pieces() {
    by_ranks("by rank, 10 of 400 rows", 400, 10, 64, 7);
    by_ranks("by rank, 100 of 4 rows", 4, 100, 64, 7);
}
