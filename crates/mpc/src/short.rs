//! Short numbers, modulo a power of two below the ring's: masks, what is opened under them, and parts of what party 0 dealt.

use crate::packed::{bytes_of, pack, read, unpack, write};
use crate::{Abort, Part, Party};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// Numbers modulo `2^bits`, in whole bytes: masks, or what is known under masks.
pub(crate) struct Shorts {
    numbers: Vec<u8>,
    bits: u32,
}

impl Shorts {
    /// `len` of them that this party and `peer` draw alike.
    pub(crate) fn draw(party: &Party, peer: Role, len: usize, bits: u32) -> Self {
        let mut numbers = vec![0; len * bytes_of(bits)];
        party.fill(peer, &mut numbers);
        Self { numbers, bits }
    }

    /// `len` of them from a message whose length has been checked.
    pub(crate) fn from_message(packed: &[u8], len: usize, bits: u32) -> Self {
        let numbers = unpack(packed, len, bits);
        Self { numbers, bits }
    }

    /// As a message, without gaps.
    pub(crate) fn message(&self) -> Vec<u8> {
        pack(&self.numbers, self.bits)
    }

    /// Each times `2^(k - bits)`, k the bits of the ring: exact, for `bits` bits are left of it.
    pub(crate) fn lifted<R: Ring>(&self) -> impl Iterator<Item = R> {
        let up = R::BITS - self.bits;
        let numbers = self.numbers.chunks_exact(bytes_of(self.bits));
        numbers.map(move |number| R::from_u64(read(number)).shift_left(up))
    }
}

/// One evaluator's parts of numbers modulo `2^bits` that party 0 dealt; see [`Part`].
pub(crate) struct ShortParts(Shorts);

impl ShortParts {
    /// Additive shares, between the evaluators, of `len` numbers that party 0 knows: what [`crate::reshare::deal`] is for
    /// elements, but for the message, which goes with another one. Party 1's are drawn; at party 0 these are party 1's.
    pub(crate) fn draw(party: &Party, peer: Role, len: usize, bits: u32) -> Self {
        Self(Shorts::draw(party, peer, len, bits))
    }

    /// Party 2's, from party 0's message.
    pub(crate) fn from_message(packed: &[u8], len: usize, bits: u32) -> Self {
        Self(Shorts::from_message(packed, len, bits))
    }

    /// Party 0's message to party 2: the `values` less these parts of party 1.
    pub(crate) fn dealing(mut self, values: impl Iterator<Item = u64>) -> Vec<u8> {
        let parts = self.0.numbers.chunks_exact_mut(bytes_of(self.0.bits));
        for (part, value) in parts.zip(values) {
            write(part, value.wrapping_sub(read(part)));
        }
        self.0.message()
    }

    /// The parts of the numbers times `known` ones, under masks: ready to be sent.
    pub(crate) fn times_under(
        mut self,
        known: impl Iterator<Item = u64>,
        masks: &Shorts,
    ) -> Shorts {
        let bytes = bytes_of(self.0.bits);
        let parts = self.0.numbers.chunks_exact_mut(bytes);
        let masks = masks.numbers.chunks_exact(bytes);
        for ((part, known), mask) in parts.zip(known).zip(masks) {
            write(
                part,
                known.wrapping_mul(read(part)).wrapping_sub(read(mask)),
            );
        }
        self.0
    }

    /// Number `i` times `2^(k - bits)`, k the bits of the ring.
    pub(crate) fn lifted<R: Ring>(&self, i: usize) -> Part<R> {
        let bytes = bytes_of(self.0.bits);
        let part = read(&self.0.numbers[i * bytes..(i + 1) * bytes]);
        Part::of(R::from_u64(part).shift_left(R::BITS - self.0.bits))
    }
}

/// Sum up what both evaluators sent of each other under their masks; see [`crate::reshare`].
///
/// # Cost
/// 1 round, the bits of `masked` from each evaluator.
pub(crate) async fn opened<R: Ring>(
    party: &Party,
    kind: crate::MessageKind,
    masked: Shorts,
) -> Result<impl Iterator<Item = R>, Abort> {
    let len = masked.numbers.len() / bytes_of(masked.bits);
    let theirs = party.exchange(kind, masked.message()).await?;
    let theirs = Shorts::from_message(&theirs, len, masked.bits);
    let sums: Vec<R> = masked
        .lifted::<R>()
        .zip(theirs.lifted::<R>())
        .map(|(a, b)| a + b)
        .collect();
    Ok(sums.into_iter())
}
