//! The sign of a shared number.

use crate::carry::{Run, Tree, merge_gate, runs};
use crate::gates::{BitParts, Gate, Planes, deal_planes, gates, pick, reshare_planes, tiled};
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring, to_planes};

/// The most significant bit of the low `bits` bits of each element: whether `x < 0`, for
/// `-2^(bits-1) <= x < 2^(bits-1)`.
///
/// # Protocol
/// `x = m + l`, where both evaluators know `m` and party 0 knows `l`. The carry of a block of up to four bits is
/// a comparison of the block of `l` with a threshold that `m` decides: party 0 deals, bit by bit, whether its
/// block reaches each of the up to 15 thresholds, and the evaluators pick the entries for carry-in 0 and 1 without
/// a message. One exchange turns these into shared (generate, propagate) pairs; gates of up to four inputs merge
/// up to four pairs a round. Blocks and groups are as small as the fewest rounds allow, which takes fewest bytes.
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
/// [`msb_cost`]: 3 rounds for 64 and for 32 bits, 2 for up to 17.
pub async fn msb<R: Ring>(party: &Party, x: &Share<R>, bits: u32) -> Result<BitShare, Abort> {
    signs(party, x, &[R::zero()], bits).await
}

/// [`msb`] of `x - t` for each of the public `thresholds`, one behind the other: where each element stands among them.
///
/// # Protocol
/// The tables that party 0 deals depend on the mask alone, and no threshold changes it: they are dealt once for all.
///
/// # Security
/// As [`msb`]. A dealt table enters local sums only, and what is picked from it is masked afresh for each threshold.
///
/// # Cost
/// [`signs_cost`]: rounds as [`msb`].
pub(crate) async fn signs<R: Ring>(
    party: &Party,
    x: &Share<R>,
    thresholds: &[R],
    bits: u32,
) -> Result<BitShare, Abort> {
    let known = match party.role() {
        Role::P0 => x.mask(),
        role => x.masked(role).to_vec(),
    };
    signs_of(party, &known, thresholds, bits).await
}

/// [`signs`] of values whose masks party 0 and whose masked values the evaluators know (`known`).
pub(crate) async fn signs_of<R: Ring>(
    party: &Party,
    known: &[R],
    thresholds: &[R],
    bits: u32,
) -> Result<BitShare, Abort> {
    assert!(
        (2..=R::BITS).contains(&bits),
        "the sign of {bits} bits in a ring of {}",
        R::BITS
    );
    let low = bits as usize - 1;
    let lengths = Lengths {
        each: known.len(),
        copies: thresholds.len(),
    };
    let len = lengths.all();
    if len == 0 {
        return Ok(BitShare::public(party.role(), &Bits::zeros(0)));
    }
    let (addend, width) = if party.role() == Role::P0 {
        (to_planes(known), Bits::words_for(lengths.each))
    } else {
        let moved = thresholds.iter();
        let moved = moved.flat_map(|&t| known.iter().map(move |&m| m - t));
        (to_planes(&moved.collect::<Vec<R>>()), Bits::words_for(len))
    };
    let top = &addend[low * width..(low + 1) * width];
    let tree = Tree::of(low);
    let (pairs, top) = block_carries(party, &lengths, &addend[..low * width], top, tree).await?;
    let carry = merge(party, len, pairs, &tree.levels).await?;
    Ok(carry.xor(&top).to_share(0))
}

/// Elements, and how often each is compared.
struct Lengths {
    each: usize,
    copies: usize,
}

impl Lengths {
    fn all(&self) -> usize {
        self.each * self.copies
    }

    /// Parts of the elements' planes, as those of all comparisons.
    fn tile(&self, planes: BitParts) -> BitParts {
        planes.tiled(self.each, self.copies)
    }
}

/// Cost of [`msb`] for `len` elements.
pub fn msb_cost(len: usize, bits: u32) -> Cost {
    if len == 0 {
        return Cost::FREE;
    }
    Tree::of(bits as usize - 1).cost(len, 1)
}

/// Cost of [`signs`] for `len` elements.
pub(crate) fn signs_cost(len: usize, thresholds: usize, bits: u32) -> Cost {
    if len * thresholds == 0 {
        return Cost::FREE;
    }
    Tree::of(bits as usize - 1).cost(len, thresholds)
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

/// Shared (generate, propagate) pairs, one plane each per block, lowest block first.
struct Pairs {
    generate: Planes,
    /// Of all but the lowest, into which nothing is carried.
    propagate: Planes,
}

impl Pairs {
    /// The inputs of the gate that merges the groups of `run`, as [`merge_gate`] takes them.
    fn inputs(&self, run: &Run) -> Vec<Planes> {
        let each = |planes: &Planes, place: usize| planes.every(place, run.size, run.count);
        let places = || (0..4).map(|i| run.first + run.size - 1 - i.min(run.size - 1));
        // The lowest group does not read the propagate bit that the lowest pair lacks.
        let propagate = places().map(|place| match place.checked_sub(1) {
            Some(place) => each(&self.propagate, place),
            None => each(&self.generate, 0),
        });
        propagate
            .chain(places().map(|place| each(&self.generate, place)))
            .collect()
    }

    /// The pairs of a run of groups of one, which stay as they are: generate, and propagate if there is one.
    fn alone(&self, run: &Run) -> Vec<Planes> {
        let generate = self.generate.every(run.first, 1, run.count);
        let propagate = run.first.checked_sub(1);
        let propagate = propagate.map(|first| self.propagate.every(first, 1, run.count));
        [generate].into_iter().chain(propagate).collect()
    }
}

/// Per block of bits a pair (generate, propagate), shared; and the shared top bit.
async fn block_carries(
    party: &Party,
    lengths: &Lengths,
    addend: &[u64],
    top: &[u64],
    tree: &Tree,
) -> Result<(Pairs, Planes), Abort> {
    let (len, role) = (lengths.all(), party.role());
    let sizes = &tree.blocks;
    let deal = || {
        let width = Bits::words_for(lengths.each);
        let mut planes = top.to_vec();
        for block in blocks(addend, sizes, width) {
            planes.extend(thresholds(block, width).concat());
        }
        planes
    };
    let mut dealt = deal_planes(party, lengths.each, tree.tables() + 1, deal).await?;
    let tables = dealt.split_off(Bits::words_for(lengths.each));
    let width = Bits::words_for(len);
    let mut part = BitParts::default();
    let top = if role == Role::P0 {
        let top = tiled(top.to_vec(), lengths.each, lengths.copies);
        lengths.tile(dealt).masking(role, len, &top)
    } else {
        let one = if role == Role::P1 { u64::MAX } else { 0 };
        let tables = lengths.tile(tables);
        let mut rest = tables.all();
        let mut propagates = Vec::new();
        for block in blocks(addend, sizes, width) {
            let (table, others) = rest.split_at(((1 << (block.len() / width)) - 1) * width);
            rest = others;
            let (generate, propagate) = pick(block, table, width, one);
            part.extend(&generate);
            propagates.push(propagate);
        }
        propagates[1..].iter().for_each(|plane| part.extend(plane));
        lengths.tile(dealt).masking(role, len, top)
    };
    let count = sizes.len();
    let pairs = reshare_planes(party, len, 2 * count - 1, part).await?;
    let pairs = Pairs {
        generate: pairs.every(0, 1, count),
        propagate: pairs.every(count, 1, count - 1),
    };
    Ok((pairs, top))
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

/// The carry out of all blocks together: `levels` of groups, see [`Tree`].
async fn merge(
    party: &Party,
    len: usize,
    mut pairs: Pairs,
    levels: &[Vec<usize>],
) -> Result<Planes, Abort> {
    for groups in levels {
        let runs = runs(groups);
        let inputs: Vec<Vec<Planes>> = runs.iter().map(|run| pairs.inputs(run)).collect();
        let mut calls = Vec::new();
        for (run, inputs) in runs.iter().zip(&inputs).filter(|(run, _)| run.size > 1) {
            calls.push(Gate {
                inputs: inputs.iter().collect(),
                outputs: merge_gate(run.size, run.lowest()),
            });
        }
        let mut merged = gates(party, len, &calls).await?.into_iter();
        let (mut generate, mut propagate) = (Vec::new(), Vec::new());
        for run in &runs {
            let outputs = if run.size > 1 {
                merged.next().unwrap_or_default()
            } else {
                pairs.alone(run)
            };
            let mut outputs = outputs.into_iter();
            generate.extend(outputs.next());
            propagate.extend(outputs.next());
        }
        let concat = |planes: &[Planes]| Planes::concat(len, &planes.iter().collect::<Vec<_>>());
        pairs = Pairs {
            generate: concat(&generate),
            propagate: concat(&propagate),
        };
    }
    Ok(pairs.generate)
}
