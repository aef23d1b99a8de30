//! What every protocol is made of: party 0 deals, the evaluators add up and mask.
//!
//! A value `z` is first held in two parts, `z = v_1 + v_2 + offset`: party `i` computes `v_i`, and
//! party 0, which knows all masks, the `offset` (a product of masks, say). Resharing turns this into a
//! replicated share in one round: each evaluator sends its part under a fresh mask. So any
//! function that is linear in what party 0 can deal ahead costs one online round, whatever its degree.

mod part;

use crate::abort::Abort;
use crate::bytes::{from_bytes, to_bytes};
use crate::tiles::{joined, tiles};
use crate::{Cost, MessageKind, Party, Share, trunc};
use trefoil_net::Role;
use trefoil_ring::Ring;

pub use part::Part;

/// Additive shares, between the evaluators, of values that party 0 knows: `len` elements.
///
/// # Security
/// Party 1's share comes from the PRG it shares with party 0; party 2 receives the difference, uniform
/// to it.
///
/// # Cost
/// 0 rounds; party 0 sends one element each.
///
/// Returns the shares at parties 1 and 2, nothing at party 0.
pub(crate) async fn deal<R: Ring>(
    party: &Party,
    len: usize,
    values: impl FnOnce() -> Vec<R>,
) -> Result<Vec<Part<R>>, Abort> {
    match party.role() {
        Role::P0 => {
            let values = values();
            assert_eq!(values.len(), len, "values to deal");
            let message = dealing(&values, party.draw(Role::P1, len));
            party.post(Role::P2, MessageKind::Deal, message);
            Ok(Vec::new())
        }
        Role::P1 => Ok(Part::all(party.draw(Role::P0, len))),
        Role::P2 => {
            let message = party
                .take(Role::P0, MessageKind::Deal, len * R::BYTES)
                .await?;
            Ok(Part::all(from_bytes(&message)))
        }
    }
}

/// Party 0's message to party 2: the `values` that it deals less party 1's shares of them.
pub(crate) fn dealing<R: Ring>(values: &[R], mut shares: Vec<R>) -> Vec<u8> {
    let each = shares.iter_mut().zip(values);
    each.for_each(|(share, &value)| *share = value - *share);
    to_bytes(&shares)
}

/// Cost of [`deal`] for `len` elements.
pub(crate) const fn deal_cost<R: Ring>(len: usize) -> Cost {
    Cost::new(0, [len * R::BYTES, 0, 0])
}

/// A share of `z = v_1 + v_2` from the evaluators' parts (party 0's `part` is not read).
///
/// # Security
/// Each evaluator's message is masked by a component that it draws with party 0 and that the
/// receiver cannot know; both components of party 0 come from PRGs.
///
/// # Cost
/// 1 round, one element from each evaluator.
pub(crate) async fn reshare<R: Ring>(
    party: &Party,
    shape: &[usize],
    part: Vec<Part<R>>,
) -> Result<Share<R>, Abort> {
    let len = shape.iter().product();
    if party.role() == Role::P0 {
        let (next, mine) = (party.draw(Role::P1, len), party.draw(Role::P2, len));
        party.pause().await;
        return Ok(Share::new(shape, mine, next));
    }
    let half_mask = party.draw::<R>(Role::P0, len);
    let masked = add_up(party, part, |i| -half_mask[i]).await?;
    Ok(Share::evaluated(party.role(), shape, half_mask, masked))
}

/// Cost of [`reshare`] for `len` elements.
pub(crate) const fn reshare_cost<R: Ring>(len: usize) -> Cost {
    Cost::new(1, [0, len * R::BYTES, len * R::BYTES])
}

/// A share of `z = v_1 + v_2 + offset`; `part` is `v_i` at party `i` and the offset at party 0.
///
/// # Security
/// As [`reshare`]. Party 2 receives the offset minus a mask drawn by parties 0 and 1, uniform to it;
/// its own message to party 1 contains it, under a mask that party 1 does not know.
///
/// # Cost
/// 1 round; one element from each party, party 0's ahead of time.
pub(crate) async fn reshare_offset<R: Ring>(
    party: &Party,
    shape: &[usize],
    part: Vec<Part<R>>,
) -> Result<Share<R>, Abort> {
    let len = shape.iter().product();
    match party.role() {
        Role::P0 => {
            let (next, mask) = (
                party.draw::<R>(Role::P1, len),
                party.draw::<R>(Role::P1, len),
            );
            let mine = party.draw::<R>(Role::P2, len);
            let message: Vec<R> = (0..len)
                .map(|i| part[i].under(-(mask[i] + mine[i] + next[i])))
                .collect();
            party.post(Role::P2, MessageKind::Deal, to_bytes(&message));
            party.pause().await;
            Ok(Share::new(shape, mine, next))
        }
        Role::P1 => {
            let (half_mask, mask) = (
                party.draw::<R>(Role::P0, len),
                party.draw::<R>(Role::P0, len),
            );
            let masked = add_up(party, part, |i| mask[i]).await?;
            Ok(Share::evaluated(Role::P1, shape, half_mask, masked))
        }
        Role::P2 => {
            let half_mask = party.draw::<R>(Role::P0, len);
            let offset: Vec<R> = from_bytes(
                &party
                    .take(Role::P0, MessageKind::Deal, len * R::BYTES)
                    .await?,
            );
            let masked = add_up(party, part, |i| offset[i]).await?;
            Ok(Share::evaluated(Role::P2, shape, half_mask, masked))
        }
    }
}

/// Cost of [`reshare_offset`] for `len` elements.
pub(crate) const fn reshare_offset_cost<R: Ring>(len: usize) -> Cost {
    Cost::new(1, [len * R::BYTES; 3])
}

/// A share of `z / 2^shift`, `z = v_1 + v_2 + offset` as in [`reshare_offset`]; range and error of
/// [`trunc::truncate`]. Without an offset party 0 passes zeros or nothing.
///
/// # Security
/// The evaluators learn `z + r` for a mask `r` of which each knows one summand; party 0 sends only
/// what [`trunc::truncate`] needs.
///
/// # Cost
/// 2 rounds: one element, then the wrap correction.
pub(crate) async fn reshare_truncated<R: Ring>(
    party: &Party,
    shape: &[usize],
    part: Vec<Part<R>>,
    shift: u32,
) -> Result<Share<R>, Abort> {
    let tiles = tiles(part.len());
    if tiles.len() == 1 {
        return reshare_truncated_tile(party, shape, part, shift).await;
    }
    let pieces = tiles.into_iter();
    let pieces = pieces.map(|range| part[range].to_vec()).collect();
    drop(part);
    let done = party.join_all(pieces, async |party: &Party, piece: Vec<Part<R>>| {
        reshare_truncated_tile(party, &[piece.len()], piece, shift).await
    });
    joined(shape, done.await)
}

async fn reshare_truncated_tile<R: Ring>(
    party: &Party,
    shape: &[usize],
    part: Vec<Part<R>>,
    shift: u32,
) -> Result<Share<R>, Abort> {
    let known = reshare_known(party, part).await?;
    trunc::truncate_masked(party, shape, known, shift).await
}

/// What each party knows of `z = v_1 + v_2 + offset` ([`reshare_offset`]) before it is shared: party 0 a uniform mask, the
/// evaluators `z` plus that mask.
///
/// # Cost
/// As [`reshare`].
pub(crate) async fn reshare_known<R: Ring>(
    party: &Party,
    part: Vec<Part<R>>,
) -> Result<Vec<R>, Abort> {
    let len = part.len();
    if party.role() != Role::P0 {
        let mask = party.draw::<R>(Role::P0, len);
        return add_up(party, part, |i| mask[i]).await;
    }
    let mut r = party.draw::<R>(Role::P1, len);
    let other = party.draw::<R>(Role::P2, len);
    r.iter_mut().zip(other).for_each(|(a, b)| *a += b);
    r.iter_mut().zip(part).for_each(|(a, b)| *a = -b.under(-*a));
    party.pause().await;
    Ok(r)
}

/// Cost of [`reshare_truncated`] for `len` elements.
pub(crate) fn reshare_truncated_cost<R: Ring>(len: usize, shift: u32) -> Cost {
    reshare_cost::<R>(len) + trunc::truncate_cost::<R>(len, shift)
}

/// One round between the evaluators: send the own part, masked, and return the sum of both.
async fn add_up<R: Ring>(
    party: &Party,
    part: Vec<Part<R>>,
    mask: impl Fn(usize) -> R,
) -> Result<Vec<R>, Abort> {
    let masked = part.into_iter().enumerate();
    let mut sum: Vec<R> = masked.map(|(i, v)| v.under(mask(i))).collect();
    let theirs = party.exchange(MessageKind::Reshare, to_bytes(&sum)).await?;
    for (v, w) in sum.iter_mut().zip(from_bytes::<R>(&theirs)) {
        *v += w;
    }
    Ok(sum)
}

/// `len` elements `z_i`, one at each party, with `z_0 + z_1 + z_2 = 0` and any two of them uniform.
///
/// # Source
/// Araki et al. 2016, section 3.2. No communication.
pub fn zero_share<R: Ring>(party: &Party, len: usize) -> Vec<R> {
    let mut with_next = party.draw::<R>(party.role().next(), len);
    let with_prev = party.draw::<R>(party.role().prev(), len);
    with_next
        .iter_mut()
        .zip(with_prev)
        .for_each(|(a, b)| *a -= b);
    with_next
}
