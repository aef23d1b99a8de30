//! Maxima by a tournament: fewer comparisons for many rows, fewer rounds for few.

use crate::gates::{Gate, Planes, gates, gates_cost};
use crate::reshare::{Part, reshare, reshare_cost};
use crate::select::{bit_products, bit_products_cost};
use crate::tiles::{joined, tiles};
use crate::{Abort, BitShare, Cost, Party, Share, msb, msb_cost, select, select_cost};
use std::ops::Range;
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring};

/// Comparisons in one level up to which rounds are saved by comparing all pairs of a group.
const FEW_COMPARISONS: usize = 4096;

/// The maximum over the first axis of `x` (n × rows): rows elements; differences must stay within
/// `±2^(bits-1)`.
///
/// # Protocol
/// A tournament of groups. With many rows the groups are pairs: n - 1 comparisons a row and `log2 n` levels of
/// 4 rounds. With few rows the groups are larger, all pairs of a group are compared at once, and the winner is
/// the AND of its comparisons: few levels of 5 or 6 rounds. The sizes are public and so is the choice.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of [`msb`], four-input gates and bit products. Exact.
///
/// # Cost
/// [`max_cost`].
///
/// # Panics
/// If `x` is not a matrix with at least one row of slots.
pub async fn max<R: Ring>(party: &Party, x: &Share<R>, bits: u32) -> Result<Share<R>, Abort> {
    let (n, rows) = (x.shape()[0], x.shape()[1]);
    // A tile has rows enough to be compared in pairs, like the whole.
    let tiles = tiles(rows);
    if tiles.len() == 1 {
        return max_tile(party, x.clone(), bits).await;
    }
    let cut = |component: &[R], range: &Range<usize>| -> Vec<R> {
        let slots = component.chunks_exact(rows);
        slots
            .flat_map(|slot| &slot[range.clone()])
            .copied()
            .collect()
    };
    let pieces = tiles.into_iter().map(|range| {
        let (mine, next) = (cut(x.mine(), &range), cut(x.next(), &range));
        Share::new(&[n, range.len()], mine, next)
    });
    let done = party.join_all(pieces.collect(), async |party: &Party, piece: Share<R>| {
        max_tile(party, piece, bits).await
    });
    joined(&[rows], done.await)
}

async fn max_tile<R: Ring>(party: &Party, mut x: Share<R>, bits: u32) -> Result<Share<R>, Abort> {
    let (mut n, rows) = (x.shape()[0], x.shape()[1]);
    for size in group_sizes(n, rows) {
        let (winners, _) = level(party, &x, bits, size, true).await?;
        n = n.div_ceil(size);
        x = match winners {
            Some(winners) => winners,
            None => unreachable!("a level asked for its winners' values"),
        };
    }
    assert_eq!(n, 1, "slots of a tournament");
    Ok(x.reshape(&[rows]))
}

/// Cost of [`max`] over n × rows.
pub fn max_cost<R: Ring>(n: usize, rows: usize, bits: u32) -> Cost {
    let mut left = n;
    let mut cost = Cost::FREE;
    for size in group_sizes(n, rows) {
        cost = cost + level_cost::<R>(left, rows, bits, size, true);
        left = left.div_ceil(size);
    }
    cost
}

/// Group size of each level for `n` slots in each of `rows` rows.
pub(crate) fn group_sizes(n: usize, rows: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    let mut left = n;
    while left > 1 {
        // All pairs of groups of `g` are `left (g - 1) / 2` comparisons a row.
        let most = (2 * FEW_COMPARISONS / (left * rows).max(1) + 1).clamp(2, left);
        let mut levels = 1;
        while most.pow(levels) < left {
            levels += 1;
        }
        let size = (2..=most)
            .find(|size| size.pow(levels) >= left)
            .unwrap_or(most);
        sizes.push(size);
        left = left.div_ceil(size);
    }
    sizes
}

/// The slots of each group.
fn groups(n: usize, size: usize) -> Vec<Range<usize>> {
    (0..n)
        .step_by(size)
        .map(|start| start..(start + size).min(n))
        .collect()
}

/// The pairs of slots that a level compares, the earlier slot first.
fn pairs(n: usize, size: usize) -> Vec<(usize, usize)> {
    let within = |group: Range<usize>| {
        let end = group.end;
        group.flat_map(move |i| (i + 1..end).map(move |j| (i, j)))
    };
    groups(n, size).into_iter().flat_map(within).collect()
}

/// One level: the maximum of each group (if asked for) and, per slot and row, whether it is its group's first maximum.
pub(crate) async fn level<R: Ring>(
    party: &Party,
    x: &Share<R>,
    bits: u32,
    size: usize,
    values: bool,
) -> Result<(Option<Share<R>>, BitShare), Abort> {
    let (n, rows, role) = (x.shape()[0], x.shape()[1], party.role());
    let pairs = pairs(n, size);
    let gather = |slots: &mut dyn Iterator<Item = usize>| {
        let slots: Vec<usize> = slots.collect();
        let gather = |c: &[R]| {
            slots
                .iter()
                .flat_map(|&i| &c[i * rows..(i + 1) * rows])
                .copied()
                .collect()
        };
        Share::new(&[slots.len() * rows], gather(x.mine()), gather(x.next()))
    };
    let (left, right) = (
        gather(&mut pairs.iter().map(|p| p.0)),
        gather(&mut pairs.iter().map(|p| p.1)),
    );
    let less = msb(party, &left.sub(&right), bits).await?;
    let groups = groups(n, size);
    if size == 2 {
        let first = first_of_pairs(role, &less, n, rows);
        if !values {
            return Ok((None, first));
        }
        let winners = select(party, &less, &right, &left).await?;
        let mut stacked = [winners.mine().to_vec(), winners.next().to_vec()];
        if n % 2 == 1 {
            stacked[0].extend(&x.mine()[(n - 1) * rows..]);
            stacked[1].extend(&x.next()[(n - 1) * rows..]);
        }
        let [mine, next] = stacked;
        return Ok((Some(Share::new(&[groups.len(), rows], mine, next)), first));
    }
    // What each slot must win: `i` against a later `j` unless less, against an earlier one if that is less.
    let mut won: Vec<Vec<Planes>> = vec![Vec::new(); n];
    for (p, &(i, j)) in pairs.iter().enumerate() {
        let less = less.map(|b| b.extract(p * rows..(p + 1) * rows));
        won[i].push(Planes::from_share(&less.not(role)));
        won[j].push(Planes::from_share(&less));
    }
    let won = and_all(party, rows, won).await?;
    let first: Vec<BitShare> = won
        .into_iter()
        .map(|plane| match plane {
            Some(plane) => plane.to_share(0),
            None => BitShare::public(role, &Bits::ones(rows)),
        })
        .collect();
    let first = concat(&first);
    if !values {
        return Ok((None, first));
    }
    let flat = x.clone().reshape(&[n * rows]);
    let products = bit_products(party, &first, &flat).await?.products;
    let mut part = vec![Part::zero(); groups.len() * rows];
    if role != Role::P0 {
        for (group, part) in groups.iter().zip(part.chunks_exact_mut(rows)) {
            for slot in group.clone() {
                part.iter_mut()
                    .zip(&products[slot * rows..])
                    .for_each(|(v, &p)| *v += p);
            }
        }
    }
    Ok((
        Some(reshare(party, &[groups.len(), rows], part).await?),
        first,
    ))
}

/// Per slot and row, whether it is its pair's first maximum, from whether the earlier of each pair is less.
fn first_of_pairs(role: Role, less: &BitShare, n: usize, rows: usize) -> BitShare {
    let (not_less, alone) = (less.not(role), BitShare::public(role, &Bits::ones(rows)));
    let of = |component: fn(&BitShare) -> &Bits| {
        let place = |slot: usize| match slot % 2 {
            0 if slot + 1 == n => (component(&alone), 0),
            0 => (component(&not_less), slot / 2),
            _ => (component(less), slot / 2),
        };
        slots(rows, (0..n).map(place))
    };
    BitShare::new(of(BitShare::mine), of(BitShare::next))
}

/// The bits of slots, so many rows each, every slot's from a place in bits of other slots.
pub(crate) fn slots<'a>(rows: usize, places: impl Iterator<Item = (&'a Bits, usize)>) -> Bits {
    if rows < 64 {
        let each = |(bits, at): (&'a Bits, usize)| (0..rows).map(move |r| bits.get(at * rows + r));
        return places.flat_map(each).collect();
    }
    let parts = places.map(|(bits, at)| bits.extract(at * rows..(at + 1) * rows));
    let parts: Vec<Bits> = parts.collect();
    Bits::concat(&parts.iter().collect::<Vec<_>>())
}

/// Cost of [`level`].
pub(crate) fn level_cost<R: Ring>(
    n: usize,
    rows: usize,
    bits: u32,
    size: usize,
    values: bool,
) -> Cost {
    let pairs = pairs(n, size);
    let mut counts = vec![0; n];
    for (i, j) in &pairs {
        counts[*i] += 1;
        counts[*j] += 1;
    }
    let compare = msb_cost(pairs.len() * rows, bits) + and_all_cost(rows, counts);
    match (values, size) {
        (false, _) => compare,
        (true, 2) => compare + select_cost::<R>(pairs.len() * rows),
        (true, _) => {
            compare
                + bit_products_cost::<R>(n * rows)
                + reshare_cost::<R>(groups(n, size).len() * rows)
        }
    }
}

/// Bit vectors, one after the other.
fn concat(parts: &[BitShare]) -> BitShare {
    let mine: Vec<&Bits> = parts.iter().map(BitShare::mine).collect();
    let next: Vec<&Bits> = parts.iter().map(BitShare::next).collect();
    BitShare::new(Bits::concat(&mine), Bits::concat(&next))
}

const AND_2: &[&[u16]] = &[&[0b11]];
const AND_3: &[&[u16]] = &[&[0b111]];
const AND_4: &[&[u16]] = &[&[0b1111]];

fn and_gate(size: usize) -> &'static [&'static [u16]] {
    match size {
        2 => AND_2,
        3 => AND_3,
        _ => AND_4,
    }
}

/// Per list the AND of its planes (`None` for an empty list), four at a time, all lists side by side.
pub(crate) async fn and_all(
    party: &Party,
    bits: usize,
    mut lists: Vec<Vec<Planes>>,
) -> Result<Vec<Option<Planes>>, Abort> {
    while lists.iter().any(|list| list.len() > 1) {
        // Chunks of one size go through one gate together.
        let mut stacked: Vec<(usize, Vec<Planes>)> = Vec::new();
        for size in 2..=4 {
            let chunks: Vec<&[Planes]> = lists
                .iter()
                .flat_map(|list| list.chunks(4))
                .filter(|chunk| chunk.len() == size)
                .collect();
            if !chunks.is_empty() {
                let input = |i: usize| {
                    Planes::concat(bits, &chunks.iter().map(|c| &c[i]).collect::<Vec<_>>())
                };
                stacked.push((size, (0..size).map(input).collect()));
            }
        }
        let calls: Vec<Gate<'_>> = stacked
            .iter()
            .map(|(size, inputs)| Gate {
                inputs: inputs.iter().collect(),
                outputs: and_gate(*size),
            })
            .collect();
        let done = gates(party, bits, &calls).await?;
        let mut used = vec![0; stacked.len()];
        for list in &mut lists {
            *list = list
                .chunks(4)
                .map(|chunk| {
                    let Some(gate) = stacked.iter().position(|(size, _)| *size == chunk.len())
                    else {
                        return chunk[0].clone();
                    };
                    used[gate] += 1;
                    done[gate][0].every(used[gate] - 1, 1, 1)
                })
                .collect();
        }
    }
    Ok(lists.into_iter().map(|mut list| list.pop()).collect())
}

/// Cost of [`and_all`] for lists of the given lengths.
pub(crate) fn and_all_cost(bits: usize, mut counts: Vec<usize>) -> Cost {
    let mut cost = Cost::FREE;
    while counts.iter().any(|&count| count > 1) {
        let chunks = |size: usize| -> usize {
            counts
                .iter()
                .map(|&c| {
                    if size == 4 {
                        c / 4
                    } else {
                        usize::from(c % 4 == size)
                    }
                })
                .sum()
        };
        let shapes: Vec<_> = (2..=4)
            .map(|size| (chunks(size), and_gate(size)))
            .filter(|(planes, _)| *planes > 0)
            .collect();
        cost = cost + gates_cost(bits, &shapes);
        for count in &mut counts {
            *count = count.div_ceil(4);
        }
    }
    cost
}
