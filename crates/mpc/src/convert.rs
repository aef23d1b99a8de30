//! Shared bits as shared numbers.

use crate::reshare::{deal_cost, reshare, reshare_cost};
use crate::select::bit_parts;
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_ring::Ring;

/// Each bit as the ring element 0 or 1; shape: one dimension.
///
/// # Protocol
/// With the masked bit `m` and the mask `l`, the bit is `m + (1 - 2m) l`: linear in what party 0 deals.
/// Bit injection with a preparing party (ASTRA, ePrint 2019/429, section 3.3).
///
/// # Security
/// Semi-honest, see [`crate`]. Exact.
///
/// # Cost
/// [`bit_to_arithmetic_cost`]: 1 round, one element from each party.
pub async fn bit_to_arithmetic<R: Ring>(party: &Party, bits: &BitShare) -> Result<Share<R>, Abort> {
    let part = bit_parts(party, bits).await?;
    reshare(party, &[bits.len()], part).await
}

/// Cost of [`bit_to_arithmetic`] for `len` bits.
pub fn bit_to_arithmetic_cost<R: Ring>(len: usize) -> Cost {
    deal_cost::<R>(len) + reshare_cost::<R>(len)
}
