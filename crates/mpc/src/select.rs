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
/// injection in one round, as in HPMPC). Where there are fewer bits than elements, each bit stands for a run of them, and
/// its mask is dealt once.
///
/// # Security
/// Semi-honest, see [`crate`]. Exact.
///
/// # Cost
/// [`multiply_bit_cost`], [`multiply_runs_cost`]: 1 round; one element from each evaluator, two from party 0.
///
/// # Panics
/// If there are neither as many bits as elements nor one for each of as many equal runs of them.
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

/// Cost of [`multiply_bit`] for `bits` bits, each times a run of the `len` elements.
pub fn multiply_runs_cost<R: Ring>(bits: usize, len: usize) -> Cost {
    deal_cost::<R>(bits + len) + reshare_cost::<R>(len)
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

/// The evaluators' parts of `bit` and `bit * x`, where a bit stands for a run of equally many elements of `x`.
///
/// # Cost
/// [`bit_products_cost`]: 0 rounds, from party 0 an element for each bit and one for each of `x`.
pub(crate) async fn bit_products<R: Ring>(
    party: &Party,
    bits: &BitShare,
    x: &Share<R>,
) -> Result<BitProducts<R>, Abort> {
    let len = x.len();
    // Elements that share a bit: they lie one behind the other.
    let run = len.checked_div(bits.len()).unwrap_or(1);
    assert_eq!(bits.len() * run, len, "operands of a bit product");
    let masks = || {
        let bits: Vec<R> = mask_elements(bits);
        let masks = x.mask();
        let runs = masks.chunks(run.max(1)).zip(&bits);
        let products = runs.flat_map(|(run, &s)| run.iter().map(move |&l| s * l));
        let products: Vec<R> = products.collect();
        [bits, products].concat()
    };
    let mut bit_masks = deal(party, bits.len() + len, masks).await?;
    let role = party.role();
    if role == Role::P0 {
        return Ok(BitProducts {
            bits: Vec::new(),
            products: Vec::new(),
        });
    }
    let mut products = bit_masks.split_off(bits.len());
    let (masked_bits, masked, half_mask) = (bits.masked(role), x.masked(role), x.half_mask(role));
    let one = if role == Role::P1 {
        R::one()
    } else {
        R::zero()
    };
    for (at, mask) in bit_masks.iter_mut().enumerate() {
        // Without a branch: masked bits are random, so that a processor could not foresee it.
        let bit = R::from_u64(u64::from(masked_bits.get(at)));
        for i in at * run..(at + 1) * run {
            let hidden = *mask * masked[i] + products[i];
            let other = one * masked[i] + half_mask[i] - hidden;
            products[i] = hidden + bit * (other - hidden);
        }
        *mask += bit * (one - *mask - *mask);
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
