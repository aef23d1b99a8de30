//! All bits of a shared number.

use crate::gates::BLOCK;
use crate::gates::{
    BitPart, BitParts, Gate, Planes, deal_planes, gates, gates_cost, packed_bytes, pick,
    reshare_planes,
};
use crate::msb::{blocks, thresholds};
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring, to_planes};

/// `p ^ G ^ P·(g ^ q·c)` over inputs p, G, P, g, q, c: a sum bit from its propagate bit, the carry pair of
/// the lower bits of its block, that of the lower blocks of its group, and the carry into the group.
const SUM: &[&[u16]] = &[&[1, 1 << 1, 1 << 2 | 1 << 3, 1 << 2 | 1 << 4 | 1 << 5]];
/// The carry pairs of the first one, two, three and four blocks of a group, from propagate bits of blocks
/// 0 … 3 (inputs 0 … 3) and generate bits (inputs 4 … 7).
const PREFIXES: &[&[u16]] = &[
    &[1 << 5, 1 << 1 | 1 << 4],
    &[0b11],
    &[1 << 6, 1 << 2 | 1 << 5, 0b110 | 1 << 4],
    &[0b111],
    &[1 << 7, 1 << 3 | 1 << 6, 0b1100 | 1 << 5, 0b1110 | 1 << 4],
    &[0b1111],
];

/// The `R::BITS` bits of each element, least significant first: one share of `len` bits each.
///
/// # Protocol
/// The addition of [`crate::msb`] with all sum bits: carry pairs within blocks of four by dealt tables, prefixes
/// of four blocks and of four groups by four-input gates, and one gate for all sum bits.
///
/// # Security
/// Semi-honest, see [`crate`]. Exact.
///
/// # Cost
/// [`a2b_cost`]: 4 rounds.
pub async fn a2b<R: Ring>(party: &Party, x: &Share<R>) -> Result<Vec<BitShare>, Abort> {
    let (len, role) = (x.len(), party.role());
    let width = Bits::words_for(len);
    let addend = if role == Role::P0 {
        to_planes(&x.mask())
    } else {
        to_planes(x.masked(role))
    };
    let sizes = vec![BLOCK; R::BITS as usize / BLOCK];
    let deal = || {
        let mut planes = addend.clone();
        for block in blocks(&addend, &sizes, width) {
            for low in 2..=block.len() / width {
                planes.extend(thresholds(&block[..low * width], width).concat());
            }
        }
        planes
    };
    let mut dealt = deal_planes(party, len, dealt_planes(&sizes), deal).await?;
    let tables = dealt.split_off(addend.len());
    let propagate = dealt.masking(role, len, &addend);
    let mut part = BitParts::default();
    if role != Role::P0 {
        let one = if role == Role::P1 { u64::MAX } else { 0 };
        let mut rest = tables.all();
        for (b, block) in blocks(&addend, &sizes, width).enumerate() {
            for low in 1..=sizes[b] {
                let table = if low == 1 {
                    // One bit reaches the threshold 1 if it is set: its own dealt share.
                    let own = &propagate.half_mask(role)[4 * b * width..(4 * b + 1) * width];
                    BitPart::of_mask(own)
                } else {
                    let (table, others) = rest.split_at(((1 << low) - 1) * width);
                    rest = others;
                    table
                };
                let (generate, propagate) = pick(&block[..low * width], table, width, one);
                part.extend(&generate);
                part.extend(&propagate);
            }
        }
    }
    // Pairs by block and number of bits: plane 2 (4 b + low - 1) generates, the next one propagates.
    let pairs = reshare_planes(party, len, 2 * R::BITS as usize, part).await?;
    let blocks = sizes.len();
    let (generate, carry) = (pairs.every(6, 8, blocks), pairs.every(7, 8, blocks));
    let prefixes = prefix(party, len, &generate, &carry).await?;
    // The same over groups of four blocks, for the carry into each group.
    let (group_generate, group_carry) = (
        prefixes.generate.every(3, 4, blocks / 4),
        prefixes.propagate.every(3, 4, blocks / 4),
    );
    let into = if blocks > 4 {
        prefix(party, len, &group_generate, &group_carry)
            .await?
            .generate
    } else {
        group_generate
    };
    let carries = Carries {
        propagate,
        pairs,
        prefixes,
        into,
    };
    let inputs = carries.sum_inputs(role, len);
    let done = gates(
        party,
        len,
        &[Gate {
            inputs: inputs.iter().collect(),
            outputs: SUM,
        }],
    )
    .await?;
    Ok((0..R::BITS as usize)
        .map(|bit| done[0][0].to_share(bit))
        .collect())
}

/// What the sum bits follow from.
struct Carries {
    /// Per bit whether the addends differ.
    propagate: Planes,
    /// Carry pairs within blocks: plane `2 (4 block + bits - 1)` generates, the next one propagates.
    pairs: Planes,
    /// Carry pairs of the first blocks of each group.
    prefixes: Prefixes,
    /// The carry out of the first groups.
    into: Planes,
}

impl Carries {
    /// The inputs of the gate [`SUM`], one plane per bit each.
    fn sum_inputs(&self, role: Role, len: usize) -> Vec<Planes> {
        let zero = constant_plane(role, len, 0);
        let ones = constant_plane(role, len, u64::MAX);
        let plane = |source: &Planes, at: usize| source.every(at, 1, 1);
        let mut inputs: [Vec<Planes>; 6] = Default::default();
        for bit in 0..self.propagate.count() {
            let (block, low) = (bit / 4, bit % 4);
            let (group, within) = (block / 4, block % 4);
            inputs[0].push(plane(&self.propagate, bit));
            let lower = |second: usize| plane(&self.pairs, 2 * (4 * block + low - 1) + second);
            inputs[1].push(if low == 0 { zero.clone() } else { lower(0) });
            inputs[2].push(if low == 0 { ones.clone() } else { lower(1) });
            let before = |source: &Planes, otherwise: &Planes| {
                if within == 0 {
                    otherwise.clone()
                } else {
                    plane(source, block - 1)
                }
            };
            inputs[3].push(before(&self.prefixes.generate, &zero));
            inputs[4].push(before(&self.prefixes.propagate, &ones));
            inputs[5].push(if group == 0 {
                zero.clone()
            } else {
                plane(&self.into, group - 1)
            });
        }
        inputs
            .iter()
            .map(|i| Planes::concat(len, &i.iter().collect::<Vec<_>>()))
            .collect()
    }
}

/// Cost of [`a2b`] for `len` elements.
pub fn a2b_cost<R: Ring>(len: usize) -> Cost {
    let bits = R::BITS as usize;
    let sizes = vec![BLOCK; bits / BLOCK];
    let online = packed_bytes(len, 2 * bits);
    let first = Cost::new(1, [packed_bytes(len, dealt_planes(&sizes)), online, online]);
    let groups = sizes.len() / 4;
    let within = gates_cost(len, &[(groups, PREFIXES)]);
    let across = if groups == 4 {
        gates_cost(len, &[(1, PREFIXES)])
    } else {
        gates_cost(len, &[(1, PREFIX_2)])
    };
    first + within + across + gates_cost(len, &[(bits, SUM)])
}

/// The prefixes of two blocks.
const PREFIX_2: &[&[u16]] = &[&[1 << 5, 1 << 1 | 1 << 4], &[0b11]];

fn dealt_planes(sizes: &[usize]) -> usize {
    sizes
        .iter()
        .map(|size| size + (2..=*size).map(|low| (1 << low) - 1).sum::<usize>())
        .sum()
}

fn constant_plane(role: Role, len: usize, word: u64) -> Planes {
    Planes::from_share(&BitShare::public(
        role,
        &Bits::from_words(len, vec![word; Bits::words_for(len)]),
    ))
}

struct Prefixes {
    generate: Planes,
    propagate: Planes,
}

/// The carry pairs of the first blocks of each group of four (of two, where there are only two).
async fn prefix(
    party: &Party,
    len: usize,
    generate: &Planes,
    propagate: &Planes,
) -> Result<Prefixes, Abort> {
    let size = generate.count().min(4);
    let groups = generate.count() / size;
    let nth = |source: &Planes| -> Vec<Planes> {
        (0..4)
            .map(|i| source.every(i.min(size - 1), size, groups))
            .collect()
    };
    let inputs = [nth(propagate), nth(generate)].concat();
    let outputs = if size == 4 { PREFIXES } else { PREFIX_2 };
    let done = gates(
        party,
        len,
        &[Gate {
            inputs: inputs.iter().collect(),
            outputs,
        }],
    )
    .await?;
    let collect = |second: usize, first: &Planes| {
        let mut planes = Vec::new();
        for group in 0..groups {
            planes.push(first.every(group * size, 1, 1));
            planes.extend((0..size - 1).map(|i| done[0][2 * i + second].every(group, 1, 1)));
        }
        Planes::concat(len, &planes.iter().collect::<Vec<_>>())
    };
    Ok(Prefixes {
        generate: collect(0, generate),
        propagate: collect(1, propagate),
    })
}
