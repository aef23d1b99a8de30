//! Rows replaced by values of a table, in the order of their elements.

use crate::bilinear::{bilinear_cost, dot, matmul};
use crate::lookup::{one_hot, one_hot_cost};
use crate::reshare::{Part, deal_cost, reshare, reshare_cost};
use crate::select::bit_parts;
use crate::tiles::{TILE, joined};
use crate::{Abort, Cost, Party, Share, msb, msb_cost};
use ndarray::{Axis, IxDyn};
use std::ops::Range;
use trefoil_net::Role;
use trefoil_ring::Ring;

/// For each row of `x` (rows × n, n at least 2) the row of `table` (n × n) that belongs to the position of its maximum, its
/// values placed by rank: the largest element of `x` becomes the first of them, the next largest the second. Of equal
/// elements the first counts as larger. Differences must stay within `±2^(bits-1)`.
///
/// # Protocol
/// All n (n - 1) / 2 pairs are compared at once. A rank is the number of lost comparisons: a sum of bits, which is linear in
/// what party 0 deals ([`crate::bit_to_arithmetic`]), so that only the n sums are exchanged. A rank becomes one-hot as a
/// lookup does ([`crate::lookup`]): the rotated one-hot vector of the mask itself, without a table. The first column of
/// the one-hot ranks is the position of the maximum: its product with the table is the wanted row, and the product of
/// that with each one-hot rank the wanted value. No loop, and no step depends on the values.
///
/// # Security
/// Semi-honest, see [`crate`]. Nothing is opened; sizes and order of the messages follow from the shape alone.
///
/// # Range
/// Exact for every `x` in the range and every table: the products are with integers 0 and 1, and nothing is truncated.
///
/// # Cost
/// [`by_rank_cost`]: the rounds of [`crate::msb`] and 4 more, 7 for wide values. Bytes grow with the square of n.
///
/// # Panics
/// If `x` is no matrix of at least two columns, or the table has another size.
pub async fn by_rank<R: Ring>(
    party: &Party,
    x: &Share<R>,
    table: &Share<R>,
    bits: u32,
) -> Result<Share<R>, Abort> {
    let shape = x.shape();
    assert!(shape.len() == 2 && shape[1] >= 2, "ranks of {shape:?}");
    let (rows, n) = (shape[0], shape[1]);
    assert_eq!(table.shape(), [n, n], "a table of rows by rank");
    let cut = |range: Range<usize>| {
        let part = |component: &[R]| component[range.start * n..range.end * n].to_vec();
        Share::new(&[range.len(), n], part(x.mine()), part(x.next()))
    };
    let pieces = pieces(rows, n).map(cut).collect();
    let placed = async |party: &Party, x: Share<R>| piece(party, &x, table, bits).await;
    joined(shape, party.join_all(pieces, placed).await)
}

/// Cost of [`by_rank`] for rows × n.
pub fn by_rank_cost<R: Ring>(rows: usize, n: usize, bits: u32) -> Cost {
    let piece = |rows: usize| {
        let pairs = rows * pairs(n).count();
        msb_cost(pairs, bits)
            + deal_cost::<R>(pairs)
            + reshare_cost::<R>(rows * n)
            + one_hot_cost::<R>(rows * n, index_bits(n))
            + reshare_cost::<R>(rows * n * n)
            + bilinear_cost::<R>(rows * n)
            + bilinear_cost::<R>(rows * n)
    };
    pieces(rows, n).fold(Cost::FREE, |sum, rows| sum.beside(piece(rows.len())))
}

/// Rows that are compared as one vector: side by side with the others, so that what is made on the way stays small.
fn pieces(rows: usize, n: usize) -> impl Iterator<Item = Range<usize>> {
    let each = (TILE / pairs(n).count().max(1)).max(1);
    (0..rows)
        .step_by(each)
        .map(move |first| first..rows.min(first + each))
}

/// All pairs of columns, the first before the second.
fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)))
}

/// Bits of a rank.
fn index_bits(n: usize) -> u32 {
    n.next_power_of_two().trailing_zeros()
}

/// [`by_rank`] of a few rows.
async fn piece<R: Ring>(
    party: &Party,
    x: &Share<R>,
    table: &Share<R>,
    bits: u32,
) -> Result<Share<R>, Abort> {
    let (rows, n) = (x.shape()[0], x.shape()[1]);
    let ranks = ranks(party, x, bits).await?;
    let hot = one_hot_ranks(party, &ranks).await?;
    let label = hot.map(|hot| hot.index_axis(Axis(2), 0).to_owned());
    let row = matmul(party, &label, table).await?;
    let each = row.map(|row| {
        let row = row.insert_axis(Axis(1));
        let each = row.broadcast(IxDyn(&[rows, n, n])).map(|v| v.to_owned());
        each.unwrap_or_default()
    });
    let (hot, each) = (hot.reshape(&[rows * n, n]), each.reshape(&[rows * n, n]));
    Ok(dot(party, &hot, &each).await?.reshape(&[rows, n]))
}

/// How many elements of its row come before each element (rows × n).
async fn ranks<R: Ring>(party: &Party, x: &Share<R>, bits: u32) -> Result<Share<R>, Abort> {
    let (rows, n) = (x.shape()[0], x.shape()[1]);
    let differences = |x: &[R]| -> Vec<R> {
        let row = |row: &[R]| pairs(n).map(|(i, j)| row[i] - row[j]).collect::<Vec<R>>();
        x.chunks_exact(n).flat_map(row).collect()
    };
    let (mine, next) = (differences(x.mine()), differences(x.next()));
    let differences = Share::new(&[mine.len()], mine, next);
    let less = msb(party, &differences, bits).await?;
    let less = bit_parts::<R>(party, &less).await?;
    // Party 0 has no part.
    let mut part = vec![Part::zero(); rows * n];
    let one = if party.role() == Role::P1 {
        Part::of(R::one())
    } else {
        Part::zero()
    };
    let lost = less.chunks_exact(pairs(n).count());
    for (ranks, less) in part.chunks_exact_mut(n).zip(lost) {
        for ((first, second), &less) in pairs(n).zip(less) {
            ranks[first] += less;
            ranks[second] += one - less;
        }
    }
    reshare(party, x.shape(), part).await
}

/// 1 at the rank of each element, 0 elsewhere (rows × n × n), for ranks below n (rows × n).
async fn one_hot_ranks<R: Ring>(party: &Party, ranks: &Share<R>) -> Result<Share<R>, Abort> {
    let (rows, n) = (ranks.shape()[0], ranks.shape()[1]);
    let bits = index_bits(n);
    let entries = 1_usize << bits;
    let mut part = vec![Part::zero(); rows * n * n];
    one_hot(
        party,
        ranks,
        0..bits,
        |_| R::one(),
        |position, hot| {
            let masked = ranks.masked(party.role())[position].to_u64() as usize % entries;
            let to = &mut part[position * n..(position + 1) * n];
            for (rank, to) in to.iter_mut().enumerate() {
                // The mask of an element of this rank.
                *to = hot[(rank + entries - masked) % entries];
            }
        },
    )
    .await?;
    reshare(party, &[rows, n, n], part).await
}
