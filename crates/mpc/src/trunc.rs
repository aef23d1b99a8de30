//! Truncation: division by a power of two, with explicit carry handling.

use crate::gates::packed_bytes;
use crate::reshare::{from_bytes, to_bytes};
use crate::tiles::tiled;
use crate::{Abort, Cost, Party, Share, Step};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// `x / 2^shift`, rounded to one of the two neighbouring integers.
///
/// # Protocol
/// Dealer-assisted truncation (Dalskov, Escudero, Keller, ePrint 2020/1330, section 4; the dealer is
/// party 0). The evaluators already know the masked value `c = x + r`, `r = -(x_0 + x_1)`, and
/// party 0 knows `r`. After adding `2^(k-2)` to make `x` non-negative,
/// `x / 2^shift = c / 2^shift - r / 2^shift + wrap 2^(k-shift)` up to one unit, and the sum wrapped
/// around exactly if the top bit of `r` is set and that of `c` is not. Party 0 deals both
/// `r / 2^shift` and the top bit; the product with the public bit of `c` is local, and one exchange of
/// `shift` bits makes it known, masked, to both evaluators.
///
/// # Security
/// Party 1 receives a wrap correction masked by a value that parties 0 and 2 draw, party 2 one
/// masked by parties 0 and 1, and party 0's shares under masks it cannot know. The mask `r` is uniform
/// over the whole ring: nothing is statistical.
///
/// # Range and error
/// `-2^(k-2) <= x < 2^(k-2)` (k bits in the ring), `1 <= shift <= k - 2`. The result is
/// `floor(x / 2^shift)` or one more, the latter with probability equal to the fraction cut off:
/// error below one unit, no bias, and never a gross error.
///
/// # Cost
/// [`truncate_cost`]: 1 round; `shift` bits from each evaluator, an element and as much from party 0.
///
/// # Panics
/// If `shift` is out of range.
pub async fn truncate<R: Ring>(party: &Party, x: &Share<R>, shift: u32) -> Result<Share<R>, Abort> {
    tiled(party, x, async |party: &Party, x: Share<R>| {
        let known = match party.role() {
            Role::P0 => x.mask().into_iter().map(|mask| -mask).collect(),
            role => x.masked(role).to_vec(),
        };
        truncate_masked(party, x.shape(), known, shift).await
    })
    .await
}

/// Cost of [`truncate`] for `len` elements.
pub fn truncate_cost<R: Ring>(len: usize, shift: u32) -> Cost {
    let wrap = packed_bytes(shift as usize, len);
    Cost::new(1, [len * R::BYTES + wrap, wrap, wrap])
}

const fn wrap_bytes(shift: u32) -> usize {
    shift.div_ceil(8) as usize
}

/// [`truncate`] of `z` where the evaluators know `c = z + r` and party 0 knows `r` (`known`).
pub(crate) async fn truncate_masked<R: Ring>(
    party: &Party,
    shape: &[usize],
    known: Vec<R>,
    shift: u32,
) -> Result<Share<R>, Abort> {
    assert!(
        (1..=R::BITS - 2).contains(&shift),
        "truncation by {shift} bits in a ring of {}",
        R::BITS
    );
    let len = known.len();
    let bytes = wrap_bytes(shift);
    let up = R::BITS - shift;
    let draw_wraps = |peer| {
        let mut wraps = vec![0; len * bytes];
        party.fill(peer, &mut wraps);
        wraps
    };
    let lift = |wrap: &[u8]| R::from_u64(read(wrap)).shift_left(up);
    match party.role() {
        Role::P0 => {
            let mut next = party.draw::<R>(Role::P1, len);
            let mut dealt = draw_wraps(Role::P1);
            let (mask_1, mask_0) = (draw_wraps(Role::P1), draw_wraps(Role::P2));
            let mut mine: Vec<R> = (0..len)
                .map(|i| -known[i].shift_right(shift) - next[i])
                .collect();
            let mut message = to_bytes(&mine);
            for (r, b) in known.iter().zip(dealt.chunks_exact_mut(bytes)) {
                write(b, u64::from(r.is_negative()).wrapping_sub(read(b)));
            }
            message.extend(pack(&dealt, shift));
            party.post(Role::P2, Step::TruncatedMask, message);
            for (x, wrap) in mine.iter_mut().zip(mask_0.chunks_exact(bytes)) {
                *x += lift(wrap);
            }
            for (x, wrap) in next.iter_mut().zip(mask_1.chunks_exact(bytes)) {
                *x += lift(wrap);
            }
            party.pause().await;
            Ok(Share::new(shape, mine, next))
        }
        role => {
            let (mut half_mask, dealt, mask) = if role == Role::P1 {
                (
                    party.draw::<R>(Role::P0, len),
                    draw_wraps(Role::P0),
                    draw_wraps(Role::P0),
                )
            } else {
                let mask = draw_wraps(Role::P0);
                let packed = packed_bytes(shift as usize, len);
                let mut elements = party
                    .take(Role::P0, Step::TruncatedMask, len * R::BYTES + packed)
                    .await?;
                let dealt = elements.split_off(len * R::BYTES);
                (from_bytes(&elements), unpack(&dealt, len, shift), mask)
            };
            let half = R::one().shift_left(R::BITS - 2);
            let mut wraps = mask.clone();
            for ((c, b), out) in known
                .iter()
                .zip(dealt.chunks_exact(bytes))
                .zip(wraps.chunks_exact_mut(bytes))
            {
                let may_wrap = u64::from(!(*c + half).is_negative());
                write(out, may_wrap.wrapping_mul(read(b)).wrapping_sub(read(out)));
            }
            let theirs = party.exchange(Step::Wrap, pack(&wraps, shift)).await?;
            let theirs = unpack(&theirs, len, shift);
            let sums = wraps.chunks_exact(bytes).zip(theirs.chunks_exact(bytes));
            let masked = known.iter().zip(sums).map(|(&c, (a, b))| {
                (c + half).shift_right(shift) - half.shift_right(shift) + lift(a) + lift(b)
            });
            let masked = masked.collect();
            for (x, wrap) in half_mask.iter_mut().zip(mask.chunks_exact(bytes)) {
                *x += lift(wrap);
            }
            Ok(Share::evaluated(role, shape, half_mask, masked))
        }
    }
}

/// The low `shift` bits of each correction, without gaps. Corrections lie in whole bytes.
fn pack(wraps: &[u8], shift: u32) -> Vec<u8> {
    if shift.is_multiple_of(8) {
        return wraps.to_vec();
    }
    let bytes = wrap_bytes(shift);
    let total = packed_bytes(shift as usize, wraps.len() / bytes);
    let mut packed = Vec::with_capacity(total + 8);
    let (mut open, mut held) = (0_u128, 0);
    for wrap in wraps.chunks_exact(bytes) {
        open |= u128::from(read(wrap) & ((1 << shift) - 1)) << held;
        held += shift;
        if held >= 64 {
            packed.extend((open as u64).to_le_bytes());
            open >>= 64;
            held -= 64;
        }
    }
    packed.extend((open as u64).to_le_bytes());
    packed.truncate(total);
    packed
}

/// Inverse of [`pack`], for `len` corrections.
fn unpack(packed: &[u8], len: usize, shift: u32) -> Vec<u8> {
    if shift.is_multiple_of(8) {
        return packed.to_vec();
    }
    let bytes = wrap_bytes(shift);
    let mut wraps = vec![0; len * bytes];
    let (mut open, mut held) = (0_u128, 0);
    let mut words = packed.chunks(8);
    for wrap in wraps.chunks_exact_mut(bytes) {
        if held < shift {
            let mut word = [0; 8];
            if let Some(next) = words.next() {
                word[..next.len()].copy_from_slice(next);
            }
            open |= u128::from(u64::from_le_bytes(word)) << held;
            held += 64;
        }
        write(wrap, open as u64 & ((1 << shift) - 1));
        open >>= shift;
        held -= shift;
    }
    wraps
}

/// A little-endian number of at most 8 bytes. Those of the default formats are read without a call.
#[inline]
fn read(bytes: &[u8]) -> u64 {
    match *bytes {
        [a, b, c] => u64::from(u32::from_le_bytes([a, b, c, 0])),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        _ => {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        }
    }
}

/// The low bytes of `value`.
#[inline]
fn write(bytes: &mut [u8], value: u64) {
    let word = value.to_le_bytes();
    match bytes {
        [a, b, c] => [*a, *b, *c] = [word[0], word[1], word[2]],
        [a, b] => [*a, *b] = [word[0], word[1]],
        _ => bytes.copy_from_slice(&word[..bytes.len()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_are_packed_without_gaps() {
        for shift in [1, 7, 8, 13, 20, 24, 33, 41, 60, 62] {
            for len in [0, 1, 7, 8, 100] {
                let bytes = wrap_bytes(shift);
                let mut wraps = vec![0; len * bytes];
                for (i, wrap) in wraps.chunks_exact_mut(bytes).enumerate() {
                    let value = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    write(wrap, value & ((1 << shift) - 1));
                }
                let packed = pack(&wraps, shift);
                assert_eq!(packed.len(), packed_bytes(shift as usize, len));
                assert_eq!(unpack(&packed, len, shift), wraps, "{len} of {shift} bits");
            }
        }
    }
}
