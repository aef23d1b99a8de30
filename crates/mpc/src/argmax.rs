//! The position of the maximum, one-hot.

use crate::max::{group_sizes, level, level_cost, slots};
use crate::{Abort, BitShare, Cost, Party, Share, and, and_cost};
use trefoil_ring::{Bits, Ring, Z32};

/// Over the first axis of `x` (n × rows): one bit per element, set at the first of the equal maxima of each
/// row; n bit vectors of length rows, concatenated. Differences must stay within `±2^(bits-1)`.
///
/// # Protocol
/// The tournament of [`crate::max`]; a slot is the maximum if it won on every level, which is found level by level, beside
/// the next one's comparisons. Where
/// differences fit 32 bits they are all that is looked at, and the values are taken modulo `2^32`.
///
/// # Security
/// Semi-honest, see [`crate`]. Exact.
///
/// # Cost
/// [`argmax_one_hot_cost`]: logarithmic depth. For n = 10 and few rows 5 rounds.
pub async fn argmax_one_hot<R: Ring>(
    party: &Party,
    x: &Share<R>,
    bits: u32,
) -> Result<BitShare, Abort> {
    let sizes = group_sizes(x.shape()[0], x.shape()[1]);
    tournament(party, x, bits, &sizes).await
}

/// [`argmax_one_hot`] by pairs, whatever the sizes: n - 1 comparisons a row, and 4 rounds for each doubling of n. For
/// callers that have rounds to spare beside it and want its bytes to grow linearly in n.
///
/// # Cost
/// [`argmax_one_hot_lean_cost`].
pub async fn argmax_one_hot_lean<R: Ring>(
    party: &Party,
    x: &Share<R>,
    bits: u32,
) -> Result<BitShare, Abort> {
    tournament(party, x, bits, &pairs(x.shape()[0])).await
}

/// Cost of [`argmax_one_hot_lean`] over n × rows.
pub fn argmax_one_hot_lean_cost<R: Ring>(n: usize, rows: usize, bits: u32) -> Cost {
    tournament_cost::<R>(n, rows, bits, &pairs(n))
}

/// The group sizes of a tournament of pairs.
fn pairs(n: usize) -> Vec<usize> {
    vec![2; n.next_power_of_two().trailing_zeros() as usize]
}

/// Whether differences of `bits` bits are told as well in the small ring, where values are half as long.
fn fits_small(bits: u32) -> bool {
    bits <= <Z32 as Ring>::BITS
}

async fn tournament<R: Ring>(
    party: &Party,
    x: &Share<R>,
    bits: u32,
    sizes: &[usize],
) -> Result<BitShare, Abort> {
    if fits_small(bits) {
        return tournament_in(party, &x.narrow(), bits, sizes).await;
    }
    tournament_in(party, x, bits, sizes).await
}

async fn tournament_in<R: Ring>(
    party: &Party,
    x: &Share<R>,
    bits: u32,
    sizes: &[usize],
) -> Result<BitShare, Abort> {
    let (n, rows) = (x.shape()[0], x.shape()[1]);
    let mut x = x.clone();
    // Whether each slot has won on all levels but the last one, and whether on that, both as vectors like the result.
    let mut won: Option<BitShare> = None;
    let mut last: Option<BitShare> = None;
    let mut slot_size = 1;
    for (i, &size) in sizes.iter().enumerate() {
        let level = async |party: &Party| {
            let values = i + 1 < sizes.len();
            level(party, &x, bits, size, values).await
        };
        let climb = async |party: &Party| climb(party, won.take(), last.take()).await;
        let (level, climbed) = party.join(level, climb).await;
        let (winners, first) = level?;
        won = climbed?;
        // A slot of this level stands for so many of the first.
        let of = |component: &Bits| slots(rows, (0..n).map(|slot| (component, slot / slot_size)));
        last = Some(first.map(of));
        slot_size *= size;
        if let Some(winners) = winners {
            x = winners;
        }
    }
    let all = || (0..n * rows).map(|_| true).collect();
    let won = climb(party, won, last).await?;
    Ok(won.unwrap_or_else(|| BitShare::public(party.role(), &all())))
}

/// Which slots have won on all levels so far. It runs beside the comparisons of the next level.
async fn climb(
    party: &Party,
    won: Option<BitShare>,
    last: Option<BitShare>,
) -> Result<Option<BitShare>, Abort> {
    match (won, last) {
        (Some(won), Some(last)) => Ok(Some(and(party, &won, &last).await?)),
        (won, last) => Ok(won.or(last)),
    }
}

/// Cost of [`argmax_one_hot`] over n × rows.
pub fn argmax_one_hot_cost<R: Ring>(n: usize, rows: usize, bits: u32) -> Cost {
    tournament_cost::<R>(n, rows, bits, &group_sizes(n, rows))
}

fn tournament_cost<R: Ring>(n: usize, rows: usize, bits: u32, sizes: &[usize]) -> Cost {
    let level_cost = if fits_small(bits) {
        level_cost::<Z32>
    } else {
        level_cost::<R>
    };
    let climb = and_cost(n * rows);
    let mut cost = Cost::FREE;
    let mut slots = n;
    for (i, &size) in sizes.iter().enumerate() {
        let level = level_cost(slots, rows, bits, size, i + 1 < sizes.len());
        cost = cost + if i > 1 { level.beside(climb) } else { level };
        slots = slots.div_ceil(size);
    }
    if sizes.len() > 1 {
        cost = cost + climb;
    }
    cost
}
