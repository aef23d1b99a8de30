//! The list of protocols that an audit runs. A new protocol is one item in one of these files.

mod answers;
mod arithmetic;
mod boolean;
mod functions;
mod guard;
mod large;
mod network;
mod opening;

use crate::world::Secret;
use crate::{AuditError, Entry, Random};
use trefoil_ring::{Bits, FixedPoint, Ring};

/// Elements of most secrets: packed bits of so many fill whole bytes.
const LEN: usize = 8;

/// Every protocol of the product: all of `trefoil_mpc`, the executor of `trefoil_nn` on a small network, and the guard of
/// `trefoil_guard` on a small classifier.
///
/// A test fails if a public protocol of `trefoil_mpc` is covered by none of them.
///
/// # Errors
/// If the small network does not compile, or the small classifier does not fit its settings.
pub fn protocols() -> Result<Vec<Entry>, AuditError> {
    let mut all = Vec::new();
    all.extend(arithmetic::entries());
    all.extend(boolean::entries());
    all.extend(functions::entries());
    all.extend(opening::entries());
    all.extend(large::entries());
    all.extend(answers::entries());
    all.extend(network::entries()?);
    all.extend(guard::entries()?);
    Ok(all)
}

/// Two secrets of these shapes: uniform elements, and zeros.
fn any<R: Ring>(shapes: &'static [&'static [usize]]) -> impl Fn(&mut Random) -> [Secret<R>; 2] {
    move |random| {
        let all = |f: &mut dyn FnMut() -> R| -> Secret<R> {
            shapes
                .iter()
                .map(|shape| {
                    let len = shape.iter().product();
                    (shape.to_vec(), (0..len).map(|_| f()).collect())
                })
                .collect()
        };
        let uniform = all(&mut || R::from_u64(random.word()));
        [uniform, all(&mut R::zero)]
    }
}

/// Two secrets of these shapes: signed numbers of `bits` bits, and the same with the other sign.
fn signed<R: Ring>(
    shapes: &'static [&'static [usize]],
    bits: u32,
) -> impl Fn(&mut Random) -> [Secret<R>; 2] {
    move |random| {
        let one = |shape: &&[usize]| {
            let len = shape.iter().product();
            let values = (0..len).map(|_| R::from_i64((random.word() as i64) >> (63 - bits)));
            (shape.to_vec(), values.collect::<Vec<R>>())
        };
        let some: Secret<R> = shapes.iter().map(one).collect();
        let negated = some.iter().map(|(shape, values)| {
            let negated = values.iter().map(|&v| -v).collect();
            (shape.clone(), negated)
        });
        let negated = negated.collect();
        [some, negated]
    }
}

/// Two secrets of one tensor of reals: some near the lower end of an interval, and some near the upper.
fn reals<R: Ring>(
    shape: &'static [usize],
    interval: [f64; 2],
    format: FixedPoint,
) -> impl Fn(&mut Random) -> [Secret<R>; 2] {
    move |random| {
        let tenth = (interval[1] - interval[0]) / 10.0;
        let mut near = |low: f64| {
            let len: usize = shape.iter().product();
            let values = (0..len).map(|_| format.encode(random.real(low, low + tenth)));
            vec![(shape.to_vec(), values.collect())]
        };
        [near(interval[0]), near(interval[1] - tenth)]
    }
}

/// The lowest bit of each element as a shared bit: the XOR of the components' lowest bits, no message.
fn low_bits<R: Ring>(x: &trefoil_mpc::Share<R>) -> trefoil_mpc::BitShare {
    let low = |component: &[R]| {
        component
            .iter()
            .map(|v| v.to_u64() & 1 == 1)
            .collect::<Bits>()
    };
    trefoil_mpc::BitShare::new(low(x.mine()), low(x.next()))
}
