//! Truncation: division by a power of two, with explicit carry handling.

use crate::bytes::{from_bytes, to_bytes};
use crate::gates::packed_bytes;
use crate::short::{ShortParts, Shorts, opened};
use crate::tiles::tiled;
use crate::{Abort, Cost, MessageKind, Party, Share};
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

/// What the evaluators know of `z / 2^shift` from `c = z + r`: `c / 2^shift`, for `z` of either sign, and whether `c` may have
/// wrapped around, as it did if `r` has its top bit set too.
pub(crate) fn truncated<R: Ring>(c: R, shift: u32) -> (R, bool) {
    let half = R::one().shift_left(R::BITS - 2);
    let moved = c + half;
    let down = moved.shift_right(shift) - half.shift_right(shift);
    (down, !moved.is_negative())
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
    match party.role() {
        Role::P0 => {
            let mut next = party.draw::<R>(Role::P1, len);
            let dealt = ShortParts::draw(party, Role::P1, len, shift);
            let mask_1 = Shorts::draw(party, Role::P1, len, shift);
            let mask_0 = Shorts::draw(party, Role::P2, len, shift);
            let mut mine: Vec<R> = (0..len)
                .map(|i| -known[i].shift_right(shift) - next[i])
                .collect();
            let mut message = to_bytes(&mine);
            let tops = known.iter().map(|r| u64::from(r.is_negative()));
            message.extend(dealt.dealing(tops));
            party.post(Role::P2, MessageKind::TruncatedMask, message);
            add_all(&mut mine, mask_0.lifted());
            add_all(&mut next, mask_1.lifted());
            party.pause().await;
            Ok(Share::new(shape, mine, next))
        }
        role => {
            let (mut half_mask, dealt, mask) = if role == Role::P1 {
                (
                    party.draw::<R>(Role::P0, len),
                    ShortParts::draw(party, Role::P0, len, shift),
                    Shorts::draw(party, Role::P0, len, shift),
                )
            } else {
                let mask = Shorts::draw(party, Role::P0, len, shift);
                let packed = packed_bytes(shift as usize, len);
                let mut elements = party
                    .take(
                        Role::P0,
                        MessageKind::TruncatedMask,
                        len * R::BYTES + packed,
                    )
                    .await?;
                let dealt = elements.split_off(len * R::BYTES);
                let dealt = ShortParts::from_message(&dealt, len, shift);
                (from_bytes(&elements), dealt, mask)
            };
            let may_wrap = known.iter().map(|&c| u64::from(truncated(c, shift).1));
            let wraps = dealt.times_under(may_wrap, &mask);
            let mut masked: Vec<R> = opened(party, MessageKind::Wrap, wraps).await?.collect();
            let down = known.iter().map(|&c| truncated(c, shift).0);
            add_all(&mut masked, down);
            add_all(&mut half_mask, mask.lifted());
            Ok(Share::evaluated(role, shape, half_mask, masked))
        }
    }
}

fn add_all<R: Ring>(sums: &mut [R], more: impl Iterator<Item = R>) {
    sums.iter_mut().zip(more).for_each(|(sum, v)| *sum += v);
}
