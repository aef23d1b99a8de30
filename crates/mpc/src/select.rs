//! Products of shared bits and shared numbers: the oblivious choice.

use crate::convert::mask_elements;
use crate::reshare::{deal, deal_cost, reshare, reshare_cost};
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// `bit * x`, element by element.
///
/// # Protocol
/// With masked values `m_s`, `m_x` and masks `l_s`, `l_x` the product is
/// `m_s m_x + m_s l_x + (1 - 2 m_s)(l_s m_x + l_s l_x)`; party 0 deals `l_s` and `l_s l_x` (bit
/// injection in one round, as in HPMPC).
///
/// # Security
/// Semi-honest, see [`crate`]. Exact.
///
/// # Cost
/// [`multiply_bit_cost`]: 1 round; one element from each evaluator, two from party 0.
///
/// # Panics
/// If there are not as many bits as elements.
pub async fn multiply_bit<R: Ring>(
    party: &Party,
    bits: &BitShare,
    x: &Share<R>,
) -> Result<Share<R>, Abort> {
    let parts = bit_products(party, bits, x).await?;
    reshare(party, x.shape(), parts.products).await
}

/// Cost of [`multiply_bit`] for `len` elements.
pub fn multiply_bit_cost<R: Ring>(len: usize) -> Cost {
    bit_products_cost::<R>(len) + reshare_cost::<R>(len)
}

/// `bit ? x : y`, element by element. Cost: [`select_cost`].
///
/// # Panics
/// If the shapes differ, or there are not as many bits as elements.
pub async fn select<R: Ring>(
    party: &Party,
    bits: &BitShare,
    x: &Share<R>,
    y: &Share<R>,
) -> Result<Share<R>, Abort> {
    Ok(multiply_bit(party, bits, &x.sub(y)).await?.add(y))
}

/// Cost of [`select`] for `len` elements.
pub fn select_cost<R: Ring>(len: usize) -> Cost {
    multiply_bit_cost::<R>(len)
}

/// An evaluator's parts of bits and of their products with numbers, to be combined linearly and
/// reshared; empty at party 0.
pub(crate) struct BitProducts<R> {
    /// Parts of the bits themselves.
    pub(crate) bits: Vec<R>,
    /// Parts of `bit * x`.
    pub(crate) products: Vec<R>,
}

/// The evaluators' parts of `bit` and `bit * x`.
///
/// # Cost
/// [`bit_products_cost`]: 0 rounds, two elements from party 0.
pub(crate) async fn bit_products<R: Ring>(
    party: &Party,
    bits: &BitShare,
    x: &Share<R>,
) -> Result<BitProducts<R>, Abort> {
    assert_eq!(bits.len(), x.len(), "operands of a bit product");
    let len = x.len();
    let masks = || {
        let bits: Vec<R> = mask_elements(bits);
        let products: Vec<R> = bits.iter().zip(x.mask()).map(|(&s, l)| s * l).collect();
        [bits, products].concat()
    };
    let mut bit_masks = deal(party, 2 * len, masks).await?;
    let role = party.role();
    if role == Role::P0 {
        return Ok(BitProducts {
            bits: Vec::new(),
            products: Vec::new(),
        });
    }
    let mut products = bit_masks.split_off(len);
    let (masked_bits, masked, half_mask) = (bits.masked(role), x.masked(role), x.half_mask(role));
    let one = if role == Role::P1 {
        R::one()
    } else {
        R::zero()
    };
    for i in 0..len {
        // Without a branch: masked bits are random, so that a processor could not foresee it.
        let bit = R::from_u64(u64::from(masked_bits.get(i)));
        let hidden = bit_masks[i] * masked[i] + products[i];
        let other = one * masked[i] + half_mask[i] - hidden;
        products[i] = hidden + bit * (other - hidden);
        let mask = bit_masks[i];
        bit_masks[i] = mask + bit * (one - mask - mask);
    }
    Ok(BitProducts {
        bits: bit_masks,
        products,
    })
}

/// Cost of [`bit_products`] for `len` elements.
pub(crate) fn bit_products_cost<R: Ring>(len: usize) -> Cost {
    deal_cost::<R>(2 * len)
}
