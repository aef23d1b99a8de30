//! Public tables at secret positions.

use crate::point::{points, points_cost};
use crate::reshare::{Part, reshare, reshare_cost};
use crate::{Abort, Cost, Party, Share};
use std::ops::Range;
use trefoil_net::Role;
use trefoil_ring::Ring;

/// `tables[t][x mod 2^index_bits]` for each element of `x` and each table.
///
/// # Protocol
/// A one-time truth table (Ishai et al., TCC 2013): the evaluators know `x + r`, so party 0, which knows
/// `r`, deals the one-hot vector of `r`, and its inner product with the rotated public table is local. One deal
/// serves any number of tables.
///
/// # Security
/// Semi-honest, see [`crate`]. The dealt vector is additively shared, as a vector or by keys of a point function that are
/// pseudorandom to either evaluator.
///
/// # Range
/// Exact, for every `x`: bits above `index_bits` are ignored.
///
/// # Cost
/// [`lookup_cost`]: 1 round; a key of the one-hot vector from party 0, which grows with `index_bits`, and an element per
/// table from each evaluator.
///
/// # Panics
/// If a table has not `2^index_bits` entries.
pub async fn lookup<R: Ring>(
    party: &Party,
    x: &Share<R>,
    index_bits: u32,
    tables: &[Vec<R>],
) -> Result<Vec<Share<R>>, Abort> {
    let entries = 1 << index_bits;
    assert!(
        tables.iter().all(|t| t.len() == entries),
        "entries of a table of {index_bits} index bits"
    );
    let len = x.len();
    let mut part = vec![Part::zero(); tables.len() * len];
    let residue = |v: R| v.to_u64() as usize % entries;
    one_hot(
        party,
        x,
        0..index_bits,
        |_| R::one(),
        |position, hot| {
            let masked = residue(x.masked(party.role())[position]);
            for (t, table) in tables.iter().enumerate() {
                // The entry for mask `v` is `table[masked + v]`.
                let (low, high) = table.split_at(masked);
                let first = hot.iter().zip(high);
                let second = hot[high.len()..].iter().zip(low);
                part[t * len + position] = first.chain(second).map(|(&h, &e)| h * e).sum();
            }
        },
    )
    .await?;
    let shape = [&[tables.len()], x.shape()].concat();
    let all = reshare(party, &shape, part).await?;
    let cut = |t: usize, component: &[R]| component[t * len..(t + 1) * len].to_vec();
    Ok((0..tables.len())
        .map(|t| Share::new(x.shape(), cut(t, all.mine()), cut(t, all.next())))
        .collect())
}

/// Cost of [`lookup`] for `len` elements in `tables` tables.
pub fn lookup_cost<R: Ring>(len: usize, index_bits: u32, tables: usize) -> Cost {
    one_hot_cost::<R>(len, index_bits) + reshare_cost::<R>(len * tables)
}

/// Deal, per element of `x`, the vector that is `value(mask)` at the number in the mask's `index` bits and 0
/// elsewhere, and hand each evaluator's shares of it to `read`, in order.
pub(crate) async fn one_hot<R: Ring>(
    party: &Party,
    x: &Share<R>,
    index: Range<u32>,
    value: impl Fn(R) -> R,
    read: impl FnMut(usize, &[Part<R>]),
) -> Result<(), Abort> {
    let (entries, bits) = (1_usize << index.len(), index.len() as u32);
    let masks = if party.role() == Role::P0 {
        x.mask()
    } else {
        Vec::new()
    };
    let point = |i: usize| {
        let position = masks[i].shift_right(index.start).to_u64() as usize % entries;
        (position, value(masks[i]))
    };
    points(party, x.len(), bits, point, read).await
}

/// Cost of [`one_hot`] for `len` elements.
pub(crate) fn one_hot_cost<R: Ring>(len: usize, index_bits: u32) -> Cost {
    points_cost::<R>(len, index_bits)
}
