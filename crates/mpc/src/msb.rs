//! The sign of a shared number.

use crate::gates::{Gate, Planes, deal_planes, gates, gates_cost, packed_bytes, reshare_planes};
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring, to_planes};

/// Bits that one lookup of a carry spans.
const BLOCK: usize = 4;

/// The most significant bit of the low `bits` bits of each element: whether `x < 0`, for
/// `-2^(bits-1) <= x < 2^(bits-1)`.
///
/// # Protocol
/// `x = m + l`, where both evaluators know `m` and party 0 knows `l`. The carry of a block of four bits is
/// a comparison of the block of `l` with a threshold that `m` decides: party 0 deals, bit by bit, whether its
/// block reaches each of the 15 thresholds, and the evaluators pick the entries for carry-in 0 and 1 without
/// a message. One exchange turns these into shared (generate, propagate) pairs; four-input gates merge
/// four pairs a round.
///
/// # Security
/// Semi-honest, see [`crate`]. Party 2 receives dealt tables under party 0's and 1's masks; the evaluators
/// exchange bits under masks drawn with party 0.
///
/// # Range
/// Exact for every `x` in the stated range; `bits` is at least 2 and at most those of the ring. Fewer bits
/// cost less: give the number that the value's known range needs.
///
/// # Cost
/// [`msb_cost`]: 3 rounds for 64 and for 32 bits; for 64 bits, 42 bytes from party 0 and 5 1/8 from each
/// evaluator.
pub async fn msb<R: Ring>(party: &Party, x: &Share<R>, bits: u32) -> Result<BitShare, Abort> {
    assert!(
        (2..=R::BITS).contains(&bits),
        "the sign of {bits} bits in a ring of {}",
        R::BITS
    );
    let (low, len) = (bits as usize - 1, x.len());
    if len == 0 {
        return Ok(BitShare::public(party.role(), &Bits::zeros(0)));
    }
    let addend = match party.role() {
        Role::P0 => to_planes(&x.mask()),
        role => to_planes(x.masked(role)),
    };
    let width = Bits::words_for(len);
    let top = &addend[low * width..(low + 1) * width];
    let sizes = block_sizes(low);
    let (pairs, top) = block_carries(party, len, &addend[..low * width], top, &sizes).await?;
    let carry = merge(party, len, pairs).await?;
    Ok(carry.xor(&top).to_share(0))
}

/// Cost of [`msb`] for `len` elements.
pub fn msb_cost(len: usize, bits: u32) -> Cost {
    if len == 0 {
        return Cost::FREE;
    }
    let sizes = block_sizes(bits as usize - 1);
    let tables: usize = sizes.iter().map(|size| (1 << size) - 1).sum();
    let online = packed_bytes(len, 2 * sizes.len());
    let mut cost = Cost::new(1, [packed_bytes(len, tables + 1), online, online]);
    let mut count = sizes.len();
    while count > 1 {
        let (full, rest) = (count / 4, count % 4);
        let last = full + usize::from(rest > 0) == 1;
        let mut shapes = Vec::new();
        if full > 0 {
            shapes.push((full, merge_gate(4, last)));
        }
        if rest > 1 {
            shapes.push((1, merge_gate(rest, last)));
        }
        cost = cost + gates_cost(len, &shapes);
        count = full + usize::from(rest > 0);
    }
    cost
}

/// Whether `x < y`, element by element, for `|x - y| < 2^(bits-1)`. Cost: [`msb_cost`].
pub async fn less_than<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    bits: u32,
) -> Result<BitShare, Abort> {
    msb(party, &x.sub(y), bits).await
}

pub(crate) fn block_sizes(low: usize) -> Vec<usize> {
    (0..low)
        .step_by(BLOCK)
        .map(|at| (low - at).min(BLOCK))
        .collect()
}

/// Shared (generate, propagate) pairs, one plane each per block, lowest block first.
pub(crate) struct Pairs {
    pub(crate) generate: Planes,
    pub(crate) propagate: Planes,
}

/// Per block of bits a pair (generate, propagate), shared; and the shared top bit.
async fn block_carries(
    party: &Party,
    len: usize,
    addend: &[u64],
    top: &[u64],
    sizes: &[usize],
) -> Result<(Pairs, Planes), Abort> {
    let width = Bits::words_for(len);
    let tables: usize = sizes.iter().map(|size| (1 << size) - 1).sum();
    let deal = || {
        let mut planes = top.to_vec();
        for block in blocks(addend, sizes, width) {
            planes.extend(thresholds(block, width).concat());
        }
        planes
    };
    let mut dealt = deal_planes(party, len, tables + 1, deal).await?;
    let tables = dealt.split_off(width);
    let (mut part, role) = (Vec::new(), party.role());
    let top = if role == Role::P0 {
        // Party 2's half of the top bit is its dealt share, party 1's the rest.
        let other = dealt.iter().zip(top).map(|(a, b)| a ^ b).collect();
        Planes::new(len, dealt, other)
    } else {
        let one = if role == Role::P1 { u64::MAX } else { 0 };
        let mut rest = tables.as_slice();
        for block in blocks(addend, sizes, width) {
            let (table, others) = rest.split_at(((1 << (block.len() / width)) - 1) * width);
            rest = others;
            let (generate, propagate) = pick(block, table, width, one);
            part.extend(generate);
            part.extend(propagate);
        }
        Planes::evaluated(role, len, dealt, top.to_vec())
    };
    let pairs = reshare_planes(party, len, 2 * sizes.len(), part).await?;
    let (generate, propagate) = (
        pairs.every(0, 2, sizes.len()),
        pairs.every(1, 2, sizes.len()),
    );
    Ok((
        Pairs {
            generate,
            propagate,
        },
        top,
    ))
}

/// The planes of each block.
pub(crate) fn blocks<'a>(
    planes: &'a [u64],
    sizes: &'a [usize],
    width: usize,
) -> impl Iterator<Item = &'a [u64]> {
    sizes.iter().scan(planes, move |rest, size| {
        let (block, others) = rest.split_at(size * width);
        *rest = others;
        Some(block)
    })
}

/// Planes `[block >= v]` for `v = 1 … 2^size - 1`.
pub(crate) fn thresholds(block: &[u64], width: usize) -> Vec<Vec<u64>> {
    let mut table: Vec<Vec<u64>> = Vec::new();
    for bit in block.chunks_exact(width) {
        // With a new top bit: below the middle the bit or the old table, above it both.
        let or = table
            .iter()
            .map(|t| t.iter().zip(bit).map(|(t, b)| t | b).collect::<Vec<_>>());
        let and = table
            .iter()
            .map(|t| t.iter().zip(bit).map(|(t, b)| t & b).collect::<Vec<_>>());
        table = or.chain([bit.to_vec()]).chain(and).collect();
    }
    table
}

/// The shares of `generate` and `propagate` from the shared threshold table of the other addend's block:
/// the entries `2^size - m` (carry without carry-in) and `2^size - 1 - m` (with), `m` the own block.
pub(crate) fn pick(block: &[u64], table: &[u64], width: usize, one: u64) -> (Vec<u64>, Vec<u64>) {
    let size = block.len() / width;
    let entries = 1 << size;
    let (mut generate, mut propagate) = (vec![0; width], vec![0; width]);
    for w in 0..width {
        // with[m] = [other >= entries - 1 - m]; without[m] = with[m - 1], and never for m = 0.
        let mut with = [0; 1 << BLOCK];
        let mut without = [0; 1 << BLOCK];
        for m in 0..entries {
            let threshold = entries - 1 - m;
            with[m] = if threshold == 0 {
                one
            } else {
                table[(threshold - 1) * width + w]
            };
            without[m] = if m == 0 { 0 } else { with[m - 1] };
        }
        for (bit, plane) in block.chunks_exact(width).enumerate() {
            for m in 0..entries >> (bit + 1) {
                with[m] = with[2 * m] ^ (plane[w] & (with[2 * m] ^ with[2 * m + 1]));
                without[m] = without[2 * m] ^ (plane[w] & (without[2 * m] ^ without[2 * m + 1]));
            }
        }
        generate[w] = without[0];
        propagate[w] = with[0] ^ without[0];
    }
    (generate, propagate)
}

/// Inputs of a merging gate: propagate 3, 2, 1, 0 as inputs 0 … 3, generate 3, 2, 1, 0 as inputs 4 … 7 (the
/// highest block first); for fewer pairs the first ones of each.
const MERGE_2: &[&[u16]] = &[&[1 << 4, 1 | 1 << 5], &[0b11]];
const MERGE_3: &[&[u16]] = &[&[1 << 4, 1 | 1 << 5, 0b11 | 1 << 6], &[0b111]];
const MERGE_4: &[&[u16]] = &[
    &[1 << 4, 1 | 1 << 5, 0b11 | 1 << 6, 0b111 | 1 << 7],
    &[0b1111],
];
/// The last merge needs no propagate bit.
const LAST_2: &[&[u16]] = &[MERGE_2[0]];
const LAST_3: &[&[u16]] = &[MERGE_3[0]];
const LAST_4: &[&[u16]] = &[MERGE_4[0]];

fn merge_gate(pairs: usize, last: bool) -> &'static [&'static [u16]] {
    match (pairs, last) {
        (2, false) => MERGE_2,
        (3, false) => MERGE_3,
        (_, false) => MERGE_4,
        (2, true) => LAST_2,
        (3, true) => LAST_3,
        (_, true) => LAST_4,
    }
}

/// The inputs of a gate that merges each run of `size` pairs, `groups` of them, from pair `first` on.
fn merge_inputs(pairs: &Pairs, first: usize, size: usize, groups: usize) -> Vec<Planes> {
    let pick = |planes: &Planes| -> Vec<Planes> {
        (0..4)
            .map(|i| planes.every(first + size - 1 - i.min(size - 1), size, groups))
            .collect()
    };
    [pick(&pairs.propagate), pick(&pairs.generate)].concat()
}

/// The carry out of all blocks together.
async fn merge(party: &Party, len: usize, mut pairs: Pairs) -> Result<Planes, Abort> {
    while pairs.generate.count() > 1 {
        let (full, rest) = (pairs.generate.count() / 4, pairs.generate.count() % 4);
        let last = full + usize::from(rest > 0) == 1;
        let fours = merge_inputs(&pairs, 0, 4.min(pairs.generate.count()), full.max(1));
        let others = merge_inputs(&pairs, 4 * full, rest.max(1), usize::from(rest > 0));
        let mut calls = Vec::new();
        if full > 0 {
            calls.push(Gate {
                inputs: fours.iter().collect(),
                outputs: merge_gate(4, last),
            });
        }
        if rest > 1 {
            calls.push(Gate {
                inputs: others.iter().collect(),
                outputs: merge_gate(rest, last),
            });
        }
        let merged = gates(party, len, &calls).await?;
        let side = |which: usize, alone: &Planes| {
            let mut parts: Vec<&Planes> = merged
                .iter()
                .filter_map(|outputs| outputs.get(which))
                .collect();
            let single = alone.every(4 * full, 1, usize::from(rest == 1));
            if rest == 1 {
                parts.push(&single);
            }
            Planes::concat(len, &parts)
        };
        pairs = Pairs {
            generate: side(0, &pairs.generate),
            propagate: side(1, &pairs.propagate),
        };
    }
    Ok(pairs.generate)
}
