//! Every protocol against its contract: oracle, exact cost, traffic shape, views, tampered messages.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::semicolon_if_nothing_returned
)]

mod arithmetic;
mod boolean;
mod comparison;
mod functions;
mod logarithms;
mod opening;
mod runtime;
mod tiles;
mod truncation;

use trefoil_mpc::{Abort, BitShare, Party, Share, bit_to_arithmetic};
use trefoil_ring::{Bits, Ring};
use trefoil_testkit::Random;

/// Edges first, then uniform ring elements.
fn any<R: Ring>(random: &mut Random, shapes: &[&[usize]]) -> Vec<Vec<R>> {
    let edges = [
        0,
        1,
        u64::MAX,
        1 << 63,
        (1 << 63) - 1,
        1 << 31,
        (1 << 31) - 1,
        1 << 32,
        0x5555_5555_5555_5555,
    ];
    let one = |random: &mut Random, len: usize| {
        let mut values = random.elements::<R>(len);
        // A small tensor gets a few edges at random places, a large one all of them.
        for (i, value) in values.iter_mut().enumerate() {
            if len > 4 * edges.len() && i < edges.len() {
                *value = R::from_u64(edges[i]);
            } else if random.word().is_multiple_of(4) {
                *value = R::from_u64(edges[random.word() as usize % edges.len()]);
            }
        }
        values
    };
    shapes
        .iter()
        .map(|shape| one(random, shape.iter().product()))
        .collect()
}

/// Signed values of all sizes below `2^bits`.
fn signed<R: Ring>(bits: u32) -> impl Fn(&mut Random, &[&[usize]]) -> Vec<Vec<R>> {
    move |random, shapes| {
        shapes
            .iter()
            .map(|shape| random.signed(shape.iter().product(), bits))
            .collect()
    }
}

/// Reals in an interval, both ends included, in a format of `fraction` bits.
fn reals<R: Ring>(
    low: f64,
    high: f64,
    fraction: u32,
) -> impl Fn(&mut Random, &[&[usize]]) -> Vec<Vec<R>> {
    let format = trefoil_ring::FixedPoint::new(fraction);
    move |random, shapes| {
        let one = |random: &mut Random, i: usize| match i {
            0 => low,
            1 => high,
            _ => random.real(low, high),
        };
        shapes
            .iter()
            .map(|shape| {
                (0..shape.iter().product())
                    .map(|i| format.encode(one(random, i)))
                    .collect()
            })
            .collect()
    }
}

/// Shared bits as numbers, without a message: for tests whose protocol yields bits.
async fn as_numbers<R: Ring>(party: &Party, bits: &BitShare) -> Result<Vec<Share<R>>, Abort> {
    Ok(vec![bit_to_arithmetic(party, bits).await?])
}

/// The lowest bit of each element as a shared bit: XOR of the components' lowest bits, local.
fn low_bits<R: Ring>(x: &Share<R>) -> BitShare {
    let low = |component: &[R]| {
        component
            .iter()
            .map(|v| v.to_u64() & 1 == 1)
            .collect::<Bits>()
    };
    BitShare::new(low(x.mine()), low(x.next()))
}

/// Check that each output is within `units` of `f` of its input.
fn close<R: Ring>(
    inputs: &[R],
    outputs: &[R],
    from: u32,
    to: u32,
    tolerance: impl Fn(f64) -> f64,
    f: impl Fn(f64) -> f64,
) {
    let (from, to) = (
        trefoil_ring::FixedPoint::new(from),
        trefoil_ring::FixedPoint::new(to),
    );
    for (x, y) in inputs.iter().zip(outputs) {
        let (x, y) = (from.decode(*x), to.decode(*y));
        let expected = f(x);
        let error = (y - expected).abs();
        assert!(
            error <= tolerance(expected),
            "f({x}) is {expected}, not {y}: off by {error:e}"
        );
    }
}
