//! Tensors of several tiles: the same values, rounds and bytes as if they were one.

use trefoil_mpc::{
    Abort, Cost, Party, Share, bilinear_truncated_cost, matmul_truncated, max, max_cost,
    mul_truncated, relu, relu_cost, truncate, truncate_cost,
};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{Random, World, reconstruct};

/// Two tiles, and a rest that fills no byte of bits.
const LEN: usize = (2 << 14) + 13;

/// The one output of `protocol` on `inputs`, whose cost must be `cost`.
fn run<R: Ring>(
    inputs: &[(Vec<usize>, Vec<R>)],
    cost: Cost,
    protocol: impl AsyncFn(&Party, &[Share<R>]) -> Result<Share<R>, Abort> + Sync,
) -> Vec<R> {
    let run = World::new(5).run(inputs, protocol);
    let bytes = run.traffic.map(|traffic| traffic.bytes_sent());
    let rounds = run.rounds();
    assert_eq!(Cost { rounds, bytes }, cost);
    let [a, b, c] = run.unwrap();
    reconstruct([&a, &b, &c])
}

fn rectifier<R: Ring>() {
    let values: Vec<R> = Random::printed("relu in tiles").elements(LEN);
    let inputs = [(vec![LEN], values.clone())];
    let cost = relu_cost::<R>(LEN, R::BITS);
    let found = run(&inputs, cost, async |p, x| relu(p, &x[0], R::BITS).await);
    for (x, y) in values.iter().zip(found) {
        let expected = if x.is_negative() { R::zero() } else { *x };
        assert_eq!(y, expected, "max({}, 0)", x.to_i64());
    }
}

#[test]
fn rectifiers() {
    rectifier::<Z64>();
    rectifier::<Z32>();
}

#[test]
fn maxima() {
    let values: Vec<Z64> = Random::printed("max in tiles").signed(3 * LEN, 60);
    let inputs = [(vec![3, LEN], values.clone())];
    let cost = max_cost::<Z64>(3, LEN, 64);
    let found = run(&inputs, cost, async |p, x| max(p, &x[0], 64).await);
    for (row, y) in found.iter().enumerate() {
        let expected = (0..3).map(|slot| values[slot * LEN + row].to_i64()).max();
        assert_eq!(Some(y.to_i64()), expected, "row {row}");
    }
}

#[test]
fn products_and_truncations() {
    let mut random = Random::printed("products in tiles");
    let (x, y): (Vec<Z64>, Vec<Z64>) = (random.signed(LEN, 30), random.signed(LEN, 30));
    let inputs = [(vec![LEN], x.clone()), (vec![LEN], y.clone())];
    let cost = bilinear_truncated_cost::<Z64>(LEN, 20);
    let found = run(&inputs, cost, async |p, x| {
        mul_truncated(p, &x[0], &x[1], 20).await
    });
    for ((x, y), z) in x.iter().zip(&y).zip(found) {
        let off = z.to_i64() - ((x.to_i64() * y.to_i64()) >> 20);
        assert!(
            (0..=1).contains(&off),
            "{} * {}: off by {off}",
            x.to_i64(),
            y.to_i64()
        );
    }
    let inputs = [(vec![LEN], x.clone())];
    let cost = truncate_cost::<Z64>(LEN, 7);
    let found = run(&inputs, cost, async |p, x| truncate(p, &x[0], 7).await);
    for (x, z) in x.iter().zip(found) {
        let off = z.to_i64() - (x.to_i64() >> 7);
        assert!((0..=1).contains(&off), "{} / 128: off by {off}", x.to_i64());
    }
}

/// More rows of weights than a block of them.
#[test]
fn products_of_large_matrices() {
    let [m, k, n] = [2, 700, 2000];
    let mut random = Random::printed("a large matrix");
    let (x, y): (Vec<Z64>, Vec<Z64>) = (random.signed(m * k, 20), random.signed(k * n, 20));
    let inputs = [(vec![m, k], x.clone()), (vec![k, n], y.clone())];
    let cost = bilinear_truncated_cost::<Z64>(m * n, 10);
    let found = run(&inputs, cost, async |p, x| {
        matmul_truncated(p, &x[0], &x[1], None, 10).await
    });
    for (at, z) in found.iter().enumerate() {
        let (row, column) = (at / n, at % n);
        let terms = (0..k).map(|i| x[row * k + i].to_i64() * y[i * n + column].to_i64());
        let off = z.to_i64() - (terms.sum::<i64>() >> 10);
        assert!((0..=1).contains(&off), "element {at} is off by {off}");
    }
}
