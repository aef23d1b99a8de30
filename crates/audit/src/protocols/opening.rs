//! Values entering and leaving the sharing.

use super::{LEN, any, low_bits};
use crate::Entry;
use crate::world::{OpenedShare, Secret};
use trefoil_mpc::{input, mul, open, open_bits, open_to};
use trefoil_net::Role;
use trefoil_ring::{Ring, Z64};

const VECTOR: &[&[usize]] = &[&[LEN]];

/// The first secret's values, once.
fn values<R: Ring>(secret: &Secret<R>) -> Vec<Vec<u64>> {
    vec![secret[0].1.iter().map(|v| v.to_u64()).collect()]
}

/// The products of the first two secrets.
fn products<R: Ring>(secret: &Secret<R>) -> Vec<Vec<u64>> {
    let pairs = secret[0].1.iter().zip(&secret[1].1);
    vec![pairs.map(|(&a, &b)| (a * b).to_u64()).collect()]
}

pub(super) fn entries() -> Vec<Entry> {
    vec![
        // An evaluator's input: its own component plays the value that it brings.
        Entry::new::<Z64>(
            "input of party 1",
            &["trefoil_mpc::input"],
            any(VECTOR),
            async |p, x| {
                let own = Some(x.shares[0].mine()).filter(|_| p.role() == Role::P1);
                input(p, Role::P1, &[LEN], own).await.map(drop)
            },
        ),
        Entry::new::<Z64>(
            "input of party 2",
            &["trefoil_mpc::input"],
            any(VECTOR),
            async |p, x| {
                let own = Some(x.shares[0].next()).filter(|_| p.role() == Role::P2);
                input(p, Role::P2, &[LEN], own).await.map(drop)
            },
        ),
        Entry::opening::<Z64>(
            "open",
            &["trefoil_mpc::open"],
            any(VECTOR),
            values,
            async |p, x| {
                open(p, &x.shares[0]).await?;
                Ok(vec![OpenedShare::Elements(x.shares[0].clone())])
            },
        ),
        Entry::opening::<Z64>(
            "mul, opened",
            &["trefoil_mpc::mul", "trefoil_mpc::open"],
            any(&[&[LEN], &[LEN]]),
            products,
            async |p, x| {
                let product = mul(p, &x.shares[0], &x.shares[1]).await?;
                open(p, &product).await?;
                Ok(vec![OpenedShare::Elements(product)])
            },
        ),
        Entry::opening::<Z64>(
            "open to one",
            &["trefoil_mpc::open_to"],
            any(VECTOR),
            values,
            async |p, x| {
                for to in Role::ALL {
                    open_to(p, &x.shares[0], to).await?;
                }
                Ok(vec![OpenedShare::Elements(x.shares[0].clone())])
            },
        ),
        Entry::opening::<Z64>(
            "open bits",
            &["trefoil_mpc::open_bits"],
            any(&[&[64]]),
            |secret: &Secret<Z64>| {
                // The XOR of the components' lowest bits is the lowest bit of their sum.
                let bits = secret[0].1.iter().enumerate();
                vec![vec![
                    bits.fold(0, |word, (i, v)| word | (v.to_u64() & 1) << i),
                ]]
            },
            async |p, x| {
                let bits = low_bits(&x.shares[0]);
                open_bits(p, &bits).await?;
                Ok(vec![OpenedShare::Bits(bits)])
            },
        ),
    ]
}
