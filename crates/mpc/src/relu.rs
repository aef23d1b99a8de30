//! The rectifier.

use crate::tiles::tiled;
use crate::{Abort, Cost, Party, Share, msb, msb_cost, multiply_bit, multiply_bit_cost};
use trefoil_ring::Ring;

/// `max(x, 0)`, element by element, exact, for `-2^(bits-1) <= x < 2^(bits-1)`.
///
/// # Cost
/// [`relu_cost`]: 4 rounds; [`msb`], then [`multiply_bit`].
pub async fn relu<R: Ring>(party: &Party, x: &Share<R>, bits: u32) -> Result<Share<R>, Abort> {
    tiled(party, x, async |party: &Party, x: Share<R>| {
        let negative = msb(party, &x, bits).await?;
        multiply_bit(party, &negative.not(party.role()), &x).await
    })
    .await
}

/// Cost of [`relu`] for `len` elements.
pub fn relu_cost<R: Ring>(len: usize, bits: u32) -> Cost {
    msb_cost(len, bits) + multiply_bit_cost::<R>(len)
}
