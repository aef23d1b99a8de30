//! Boolean gates: any XOR of products of up to four shared bits costs one round.

mod part;

use crate::{Abort, BitShare, Cost, Party};
use trefoil_net::Role;
use trefoil_ring::Bits;

use part::product;
pub(crate) use part::{BitPart, BitParts, deal_planes, pick, reshare_planes, tiled};

/// Bit planes of one length, XOR-shared as [`BitShare`] is: the working form of boolean protocols.
/// Each plane takes whole words; on the wire planes are packed without gaps.
#[derive(Clone)]
pub(crate) struct Planes {
    bits: usize,
    mine: Vec<u64>,
    next: Vec<u64>,
}

impl Planes {
    pub(crate) fn new(bits: usize, mine: Vec<u64>, next: Vec<u64>) -> Self {
        assert_eq!(mine.len(), next.len(), "components of bit planes");
        Self { bits, mine, next }
    }

    /// One plane from a share of bits.
    pub(crate) fn from_share(share: &BitShare) -> Self {
        Self::new(
            share.len(),
            share.mine().words().to_vec(),
            share.next().words().to_vec(),
        )
    }

    /// Plane `index` as a share of bits.
    pub(crate) fn to_share(&self, index: usize) -> BitShare {
        let width = self.width();
        let cut =
            |words: &[u64]| Bits::from_words(self.bits, words[index * width..][..width].to_vec());
        BitShare::new(cut(&self.mine), cut(&self.next))
    }

    fn width(&self) -> usize {
        Bits::words_for(self.bits)
    }

    /// Planes held.
    pub(crate) fn count(&self) -> usize {
        if self.bits == 0 {
            0
        } else {
            self.mine.len() / self.width()
        }
    }

    /// The planes `first, first + step, …`, `count` of them.
    pub(crate) fn every(&self, first: usize, step: usize, count: usize) -> Self {
        let width = self.width();
        let cut = |words: &[u64]| {
            (0..count)
                .flat_map(|i| &words[(first + i * step) * width..][..width])
                .copied()
                .collect()
        };
        Self::new(self.bits, cut(&self.mine), cut(&self.next))
    }

    /// The planes of `parts`, one after the other.
    pub(crate) fn concat(bits: usize, parts: &[&Self]) -> Self {
        let cat = |f: fn(&Self) -> &[u64]| parts.iter().flat_map(|p| f(p)).copied().collect();
        Self::new(bits, cat(|p| &p.mine), cat(|p| &p.next))
    }

    pub(crate) fn xor(&self, other: &Self) -> Self {
        let xor = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(x, y)| x ^ y).collect();
        Self::new(
            self.bits,
            xor(&self.mine, &other.mine),
            xor(&self.next, &other.next),
        )
    }

    pub(crate) fn masked(&self, role: Role) -> &[u64] {
        assert_ne!(role, Role::P0, "party 0 holds no masked value");
        if role == Role::P1 {
            &self.next
        } else {
            &self.mine
        }
    }

    pub(crate) fn half_mask(&self, role: Role) -> &[u64] {
        assert_ne!(role, Role::P0, "party 0 holds the whole mask");
        if role == Role::P1 {
            &self.mine
        } else {
            &self.next
        }
    }

    pub(crate) fn mask(&self) -> Vec<u64> {
        self.mine
            .iter()
            .zip(&self.next)
            .map(|(a, b)| a ^ b)
            .collect()
    }

    pub(crate) fn evaluated(
        role: Role,
        bits: usize,
        half_mask: Vec<u64>,
        masked: Vec<u64>,
    ) -> Self {
        if role == Role::P1 {
            Self::new(bits, half_mask, masked)
        } else {
            Self::new(bits, masked, half_mask)
        }
    }
}

/// Bytes of `count` planes of `bits` bits on the wire.
pub(crate) const fn packed_bytes(bits: usize, count: usize) -> usize {
    (bits * count).div_ceil(8)
}

/// Planes without gaps; `bits` of each.
fn pack(bits: usize, words: &[u64]) -> Vec<u8> {
    if bits.is_multiple_of(64) {
        return bytemuck::cast_slice(words).to_vec();
    }
    let width = Bits::words_for(bits);
    let count = words.len() / width;
    let mut packed = vec![0_u64; (bits * count).div_ceil(64)];
    let mut at = 0;
    for plane in words.chunks_exact(width) {
        for (i, &word) in plane.iter().enumerate() {
            let take = (bits - 64 * i).min(64);
            let word = if take == 64 {
                word
            } else {
                word & ((1 << take) - 1)
            };
            packed[at / 64] |= word << (at % 64);
            if at % 64 + take > 64 {
                packed[at / 64 + 1] |= word >> (64 - at % 64);
            }
            at += take;
        }
    }
    let mut bytes = bytemuck::cast_slice(&packed).to_vec();
    bytes.truncate(packed_bytes(bits, count));
    bytes
}

/// Inverse of [`pack`]: each plane in whole words, the unused bits 0.
fn unpack(bits: usize, count: usize, bytes: &[u8]) -> Vec<u64> {
    if bits.is_multiple_of(64) {
        return bytemuck::pod_collect_to_vec(bytes);
    }
    let mut packed = vec![0_u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut packed)[..bytes.len()].copy_from_slice(bytes);
    let width = Bits::words_for(bits);
    let mut words = vec![0; width * count];
    let mut at = 0;
    for plane in words.chunks_exact_mut(width) {
        for (i, word) in plane.iter_mut().enumerate() {
            let take = (bits - 64 * i).min(64);
            *word = packed[at / 64] >> (at % 64);
            if at % 64 + take > 64 {
                *word |= packed[at / 64 + 1] << (64 - at % 64);
            }
            if take < 64 {
                *word &= (1 << take) - 1;
            }
            at += take;
        }
    }
    words
}

/// The most inputs of one product.
pub(crate) const MOST_INPUTS: usize = 4;

/// The most bits that one lookup of a carry spans: a block of `s` bits takes `2^s - 1` dealt bits.
pub(crate) const BLOCK: usize = 4;

/// Inputs of up to four planes' worth each, and outputs as XORs of products of them.
pub(crate) struct Gate<'a> {
    /// The inputs, all of one number of planes.
    pub(crate) inputs: Vec<&'a Planes>,
    /// Per output its products, each a set of inputs (bit `i` for input `i`) of at most four.
    pub(crate) outputs: &'static [&'static [u16]],
}

impl Gate<'_> {
    fn planes(&self) -> usize {
        self.inputs.first().map_or(0, |input| input.count())
    }
}

/// The sets of two and more inputs whose mask products party 0 deals.
fn monomials(outputs: &[&[u16]]) -> Vec<u16> {
    let mut sets: Vec<u16> = outputs
        .iter()
        .flat_map(|terms| terms.iter())
        .flat_map(|&term| (1..=term).filter(move |set| set & !term == 0))
        .filter(|set| set.count_ones() >= 2)
        .collect();
    sets.sort_unstable();
    sets.dedup();
    sets
}

/// Evaluate gates side by side, for planes of `bits` bits; returns each gate's outputs, in order.
///
/// # Protocol
/// A product of masked bits `m_i ^ l_i` is the XOR over all subsets of `prod l_i` (dealt by party 0) times
/// the other `m_i` (known to both evaluators); so a product of up to four bits needs one exchange. The
/// multi-input AND of HPMPC (PIGEON) in our sharing.
///
/// # Cost
/// [`gates_cost`]: 1 round; each evaluator sends a bit per output, party 0 one per distinct product of masks.
pub(crate) async fn gates(
    party: &Party,
    bits: usize,
    gates: &[Gate<'_>],
) -> Result<Vec<Vec<Planes>>, Abort> {
    let width = Bits::words_for(bits);
    let sets: Vec<Vec<u16>> = gates.iter().map(|gate| monomials(gate.outputs)).collect();
    let dealt_planes = gates
        .iter()
        .zip(&sets)
        .map(|(gate, sets)| gate.planes() * sets.len())
        .sum();
    let deal = || {
        let mut planes = Vec::with_capacity(dealt_planes * width);
        for (gate, sets) in gates.iter().zip(&sets) {
            let masks: Vec<Vec<u64>> = gate.inputs.iter().map(|input| input.mask()).collect();
            for &set in sets {
                let mut members = (0..masks.len()).filter(|i| set >> i & 1 == 1);
                let mut product = members.next().map(|i| masks[i].clone()).unwrap_or_default();
                members.for_each(|i| product.iter_mut().zip(&masks[i]).for_each(|(p, m)| *p &= m));
                planes.extend(product);
            }
        }
        planes
    };
    let dealt = deal_planes(party, bits, dealt_planes, deal).await?;
    let mut part = BitParts::default();
    if party.role() != Role::P0 {
        let mut rest = dealt.all();
        for (gate, sets) in gates.iter().zip(&sets) {
            let words = gate.planes() * width;
            let (mine, others) = rest.split_at(words * sets.len());
            rest = others;
            for terms in gate.outputs {
                let mut out = BitParts::zeros(words);
                for &term in *terms {
                    add_product(party.role(), gate, sets, mine, term, &mut out);
                }
                part.extend(&out);
            }
        }
    }
    let outputs = gates
        .iter()
        .map(|gate| gate.planes() * gate.outputs.len())
        .sum();
    let done = reshare_planes(party, bits, outputs, part).await?;
    let mut at = 0;
    Ok(gates
        .iter()
        .map(|gate| {
            let outputs = gate.outputs.iter().map(|_| {
                at += gate.planes();
                done.every(at - gate.planes(), 1, gate.planes())
            });
            outputs.collect()
        })
        .collect())
}

/// `out ^=` this evaluator's part of the product of the inputs in `term`.
fn add_product(
    role: Role,
    gate: &Gate<'_>,
    sets: &[u16],
    dealt: BitPart<'_>,
    term: u16,
    out: &mut BitParts,
) {
    let members: Vec<usize> = (0..gate.inputs.len())
        .filter(|i| term >> i & 1 == 1)
        .collect();
    let words = gate.inputs[0].mine.len();
    let masked: Vec<&[u64]> = members
        .iter()
        .map(|&i| gate.inputs[i].masked(role))
        .collect();
    // The share of each subset's mask product, by the subset's number among the members.
    let shares: Vec<BitPart<'_>> = (1..1_u16 << members.len())
        .map(|subset| {
            let set: u16 = members
                .iter()
                .enumerate()
                .map(|(j, &i)| (subset >> j & 1) << i)
                .sum();
            match sets.binary_search(&set) {
                Ok(at) => dealt.cut(at * words, words),
                Err(_) => {
                    BitPart::of_mask(gate.inputs[set.trailing_zeros() as usize].half_mask(role))
                }
            }
        })
        .collect();
    let one = if role == Role::P1 { u64::MAX } else { 0 };
    match members.len() {
        1 => product::<1, 2>(&masked, &shares, one, out),
        2 => product::<2, 4>(&masked, &shares, one, out),
        3 => product::<3, 8>(&masked, &shares, one, out),
        4 => product::<4, 16>(&masked, &shares, one, out),
        many => assert!(many <= 4, "a product of {many} bits"),
    }
}

/// Cost of [`gates`] for (planes, outputs) per gate, for planes of `bits` bits.
pub(crate) fn gates_cost(bits: usize, gates: &[(usize, &[&[u16]])]) -> Cost {
    let dealt = gates
        .iter()
        .map(|(planes, outputs)| planes * monomials(outputs).len())
        .sum();
    let sent = gates
        .iter()
        .map(|(planes, outputs)| planes * outputs.len())
        .sum();
    let online = packed_bytes(bits, sent);
    Cost::new(1, [packed_bytes(bits, dealt), online, online])
}

const AND: &[&[u16]] = &[&[0b11]];

/// The AND of two shared bit vectors, bit by bit.
///
/// # Cost
/// [`and_cost`]: 1 round, one bit each from all three parties.
///
/// # Panics
/// If the lengths differ.
pub async fn and(party: &Party, x: &BitShare, y: &BitShare) -> Result<BitShare, Abort> {
    assert_eq!(x.len(), y.len(), "operands of and");
    let (x, y) = (Planes::from_share(x), Planes::from_share(y));
    let gate = Gate {
        inputs: vec![&x, &y],
        outputs: AND,
    };
    let done = gates(party, x.bits, &[gate]).await?;
    Ok(done[0][0].to_share(0))
}

/// Cost of [`and`] for `len` bits.
pub fn and_cost(len: usize) -> Cost {
    gates_cost(len, &[(1, AND)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_round_trips() {
        for bits in [1, 3, 63, 64, 65, 100, 128, 130] {
            for count in [1, 2, 5] {
                let width = Bits::words_for(bits);
                let mut words: Vec<u64> = (0..(width * count) as u64)
                    .map(|i| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .collect();
                if bits % 64 != 0 {
                    words
                        .chunks_exact_mut(width)
                        .for_each(|p| p[width - 1] &= (1 << (bits % 64)) - 1);
                }
                let packed = pack(bits, &words);
                assert_eq!(packed.len(), packed_bytes(bits, count));
                assert_eq!(unpack(bits, count, &packed), words);
            }
        }
    }

    #[test]
    fn four_inputs_need_eleven_products() {
        assert_eq!(monomials(&[&[0b1111]]).len(), 11);
        assert_eq!(monomials(AND), vec![0b11]);
    }
}
