//! Parts of bits between dealing and resharing; see [`crate::Part`] for numbers.

use super::BLOCK;
use super::{Planes, pack, packed_bytes, unpack};
use crate::{Abort, MessageKind, Party};
use trefoil_net::Role;
use trefoil_ring::Bits;

/// One evaluator's XOR parts of planes of bits, in whole words: dealt by party 0, or computed from what was dealt.
///
/// As with [`crate::Part`]: added to each other and multiplied by what both evaluators know, they are parts again; only
/// resharing, under a fresh mask, turns them into bytes.
#[derive(Clone, Default)]
pub(crate) struct BitParts(Vec<u64>);

/// Some of the words of [`BitParts`], or of an evaluator's own half masks, which are parts of their bits' masks.
#[derive(Clone, Copy)]
pub(crate) struct BitPart<'a>(&'a [u64]);

impl BitParts {
    /// Nothing: `words` words.
    pub(super) fn zeros(words: usize) -> Self {
        Self(vec![0; words])
    }

    /// All words.
    pub(crate) fn all(&self) -> BitPart<'_> {
        BitPart(&self.0)
    }

    /// More words behind these.
    pub(crate) fn extend(&mut self, more: &Self) {
        self.0.extend_from_slice(&more.0);
    }

    /// What is held beyond `at` words.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        Self(self.0.split_off(at))
    }

    /// Each plane of `bits` bits `copies` times, one behind the other.
    pub(crate) fn tiled(self, bits: usize, copies: usize) -> Self {
        Self(tiled(self.0, bits, copies))
    }

    /// Shares of the planes whose masks these are parts of: at an evaluator from what both know of them (`known`, the masked
    /// planes); at party 0, which holds party 2's parts, from the masks.
    pub(crate) fn masking(self, role: Role, bits: usize, known: &[u64]) -> Planes {
        if role == Role::P0 {
            let other = self.0.iter().zip(known).map(|(a, b)| a ^ b).collect();
            Planes::new(bits, self.0, other)
        } else {
            Planes::evaluated(role, bits, self.0, known.to_vec())
        }
    }
}

impl<'a> BitPart<'a> {
    /// An evaluator's own half masks.
    pub(crate) fn of_mask(half_mask: &'a [u64]) -> Self {
        Self(half_mask)
    }

    /// The first words, and the others.
    pub(crate) fn split_at(self, at: usize) -> (Self, Self) {
        let (first, others) = self.0.split_at(at);
        (Self(first), Self(others))
    }

    /// `len` words from `at` on.
    pub(super) fn cut(self, at: usize, len: usize) -> Self {
        Self(&self.0[at..][..len])
    }
}

/// Each plane of `bits` bits `copies` times, one behind the other.
pub(crate) fn tiled(planes: Vec<u64>, bits: usize, copies: usize) -> Vec<u64> {
    if copies == 1 {
        return planes;
    }
    let tile = |plane: &[u64]| {
        let plane = Bits::from_words(bits, plane.to_vec());
        Bits::concat(&vec![&plane; copies]).words().to_vec()
    };
    let planes = planes.chunks_exact(Bits::words_for(bits));
    planes.flat_map(tile).collect()
}

/// Words that this party and `peer` draw alike.
fn draw_words(party: &Party, peer: Role, len: usize) -> Vec<u64> {
    let mut words = vec![0_u64; len];
    party.fill(peer, bytemuck::cast_slice_mut(&mut words));
    words
}

/// XOR shares, between the evaluators, of planes that party 0 knows; see [`crate::reshare::deal`].
///
/// # Cost
/// 0 rounds; party 0 sends the planes' bits.
///
/// Returns the own share at parties 1 and 2, and party 2's at party 0.
pub(crate) async fn deal_planes(
    party: &Party,
    bits: usize,
    count: usize,
    planes: impl FnOnce() -> Vec<u64>,
) -> Result<BitParts, Abort> {
    let words = count * Bits::words_for(bits);
    match party.role() {
        Role::P0 => {
            let planes = planes();
            assert_eq!(planes.len(), words, "planes to deal");
            let mut message = draw_words(party, Role::P1, words);
            message
                .iter_mut()
                .zip(&planes)
                .for_each(|(share, plane)| *share ^= plane);
            party.post(Role::P2, MessageKind::DealBits, pack(bits, &message));
            Ok(BitParts(message))
        }
        Role::P1 => Ok(BitParts(draw_words(party, Role::P0, words))),
        Role::P2 => {
            let message = party
                .take(Role::P0, MessageKind::DealBits, packed_bytes(bits, count))
                .await?;
            Ok(BitParts(unpack(bits, count, &message)))
        }
    }
}

/// Shared planes from XOR parts of the evaluators; see [`crate::reshare::reshare`].
///
/// # Cost
/// 1 round, the planes' bits from each evaluator.
pub(crate) async fn reshare_planes(
    party: &Party,
    bits: usize,
    count: usize,
    part: BitParts,
) -> Result<Planes, Abort> {
    let words = count * Bits::words_for(bits);
    if party.role() == Role::P0 {
        let (next, mine) = (
            draw_words(party, Role::P1, words),
            draw_words(party, Role::P2, words),
        );
        party.pause().await;
        return Ok(Planes::new(bits, mine, next));
    }
    let half_mask = draw_words(party, Role::P0, words);
    let BitParts(mut masked) = part;
    masked
        .iter_mut()
        .zip(&half_mask)
        .for_each(|(v, mask)| *v ^= mask);
    let theirs = pack(bits, &masked);
    let theirs = party.exchange(MessageKind::ReshareBits, theirs).await?;
    masked
        .iter_mut()
        .zip(unpack(bits, count, &theirs))
        .for_each(|(v, w)| *v ^= w);
    Ok(Planes::evaluated(party.role(), bits, half_mask, masked))
}

/// `out ^=` the XOR over all subsets of the mask product's share times the other masked bits; of nothing, `one`.
pub(super) fn product<const D: usize, const S: usize>(
    masked: &[&[u64]],
    shares: &[BitPart<'_>],
    one: u64,
    out: &mut BitParts,
) {
    let out = &mut out.0;
    let len = out.len();
    let masked: [&[u64]; D] = std::array::from_fn(|i| &masked[i][..len]);
    let shares: [&[u64]; S] =
        std::array::from_fn(|s| if s == 0 { &[] } else { &shares[s - 1].0[..len] });
    for w in 0..len {
        let mut sum: [u64; S] = std::array::from_fn(|s| if s == 0 { one } else { shares[s][w] });
        // Fold one input after the other: with it masked, or inside the mask product.
        for (i, m) in masked.iter().enumerate().rev() {
            for s in 0..1 << i {
                sum[s] = (sum[s] & m[w]) ^ sum[s + (1 << i)];
            }
        }
        out[w] ^= sum[0];
    }
}

/// The parts of `generate` and `propagate` from those of the threshold table of the other addend's block:
/// the entries `2^size - m` (carry without carry-in) and `2^size - 1 - m` (with), `m` the own block. `one` is the own part of 1.
pub(crate) fn pick(
    block: &[u64],
    table: BitPart<'_>,
    width: usize,
    one: u64,
) -> (BitParts, BitParts) {
    let table = table.0;
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
    (BitParts(generate), BitParts(propagate))
}
