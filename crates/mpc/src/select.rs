//! Products of shared bits and shared numbers: the oblivious choice.

use crate::reshare::{Part, deal, deal_cost, reshare, reshare_cost};
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

/// Bits that multiply more than once: their masks as numbers, dealt a single time.
#[derive(Clone)]
pub struct BitFactors<R> {
    bits: BitShare,
    /// Shares of the masks at the evaluators, nothing at party 0.
    masks: Vec<Part<R>>,
}

impl<R: Ring> BitFactors<R> {
    /// Bits.
    pub(crate) fn len(&self) -> usize {
        self.bits.len()
    }

    /// The masks as numbers, at party 0.
    pub(crate) fn masks(&self) -> Vec<R> {
        mask_elements(&self.bits)
    }

    /// What an evaluator knows of bit `at`: its masked value, and the share of its mask.
    pub(crate) fn evaluate(&self, role: Role, at: usize) -> (R, Part<R>) {
        (bit_of(role, &self.bits, at), self.masks[at])
    }
}

/// Prepare `bits` for [`multiply_factors`], any number of times.
///
/// # Security
/// The dealt shares enter local products only, and each result is masked afresh.
///
/// # Cost
/// [`bit_factors_cost`]: 0 rounds, one element from party 0.
pub async fn bit_factors<R: Ring>(party: &Party, bits: &BitShare) -> Result<BitFactors<R>, Abort> {
    let masks = deal(party, bits.len(), || mask_elements(bits)).await?;
    let bits = bits.clone();
    Ok(BitFactors { bits, masks })
}

/// Cost of [`bit_factors`] for `len` bits.
pub fn bit_factors_cost<R: Ring>(len: usize) -> Cost {
    deal_cost::<R>(len)
}

/// [`multiply_bit`] by prepared bits.
///
/// # Cost
/// [`multiply_factors_cost`]: 1 round, one element from each party.
///
/// # Panics
/// If there are not as many bits as elements.
pub async fn multiply_factors<R: Ring>(
    party: &Party,
    factors: &BitFactors<R>,
    x: &Share<R>,
) -> Result<Share<R>, Abort> {
    assert_eq!(factors.bits.len(), x.len(), "operands of a bit product");
    let masks = || mask_products(&factors.masks(), &x.mask(), 1);
    let mut products = deal(party, x.len(), masks).await?;
    if party.role() != Role::P0 {
        let (role, bits) = (party.role(), &factors.bits);
        evaluate(role, bits, &factors.masks, x, 1, &mut products);
    }
    reshare(party, x.shape(), products).await
}

/// Cost of [`multiply_factors`] for `len` elements.
pub fn multiply_factors_cost<R: Ring>(len: usize) -> Cost {
    deal_cost::<R>(len) + reshare_cost::<R>(len)
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
    pub(crate) bits: Vec<Part<R>>,
    /// Parts of `bit * x`.
    pub(crate) products: Vec<Part<R>>,
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
        let products = mask_products(&bits, &x.mask(), run);
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
    evaluate(role, bits, &bit_masks, x, run, &mut products);
    unmask(role, bits, &mut bit_masks);
    Ok(BitProducts {
        bits: bit_masks,
        products,
    })
}

/// The evaluators' parts of `bit` as a number; empty at party 0.
///
/// # Cost
/// [`bit_factors_cost`]: 0 rounds, from party 0 an element for each bit.
pub(crate) async fn bit_parts<R: Ring>(
    party: &Party,
    bits: &BitShare,
) -> Result<Vec<Part<R>>, Abort> {
    let mut parts = deal(party, bits.len(), || mask_elements(bits)).await?;
    unmask(party.role(), bits, &mut parts);
    Ok(parts)
}

/// An evaluator's parts of bits, in place of its shares of their masks: party 0 has none of either.
fn unmask<R: Ring>(role: Role, bits: &BitShare, masks: &mut [Part<R>]) {
    let one = Part::of(one::<R>(role));
    for (at, mask) in masks.iter_mut().enumerate() {
        let bit = bit_of::<R>(role, bits, at);
        *mask += (one - *mask - *mask) * bit;
    }
}

/// The masks of numbers, times those of the bits that stand for runs of `run` of them.
fn mask_products<R: Ring>(bits: &[R], masks: &[R], run: usize) -> Vec<R> {
    let runs = masks.chunks(run.max(1)).zip(bits);
    let products = runs.flat_map(|(run, &s)| run.iter().map(move |&l| s * l));
    products.collect()
}

/// An evaluator's parts of `bit * x`, from its shares of the bits' masks and, in `products`, of the products of masks.
fn evaluate<R: Ring>(
    role: Role,
    bits: &BitShare,
    bit_masks: &[Part<R>],
    x: &Share<R>,
    run: usize,
    products: &mut [Part<R>],
) {
    let (masked, half_mask, one) = (x.masked(role), x.half_mask(role), one::<R>(role));
    for (at, &mask) in bit_masks.iter().enumerate() {
        let bit = bit_of::<R>(role, bits, at);
        for i in at * run..(at + 1) * run {
            let hidden = mask * masked[i] + products[i];
            let other = Part::of(one * masked[i] + half_mask[i]) - hidden;
            products[i] = hidden + (other - hidden) * bit;
        }
    }
}

/// Masked bit `at`, as a number: without a branch, since masked bits are random, so that a processor could not foresee it.
fn bit_of<R: Ring>(role: Role, bits: &BitShare, at: usize) -> R {
    R::from_u64(u64::from(bits.masked(role).get(at)))
}

/// What an evaluator adds of a public 1.
fn one<R: Ring>(role: Role) -> R {
    if role == Role::P1 {
        R::one()
    } else {
        R::zero()
    }
}

/// Cost of [`bit_products`] for `len` elements.
pub(crate) fn bit_products_cost<R: Ring>(len: usize) -> Cost {
    deal_cost::<R>(2 * len)
}

/// The mask bits of party 0 as ring elements.
pub(crate) fn mask_elements<R: Ring>(bits: &BitShare) -> Vec<R> {
    let mask = bits.mask();
    (0..bits.len())
        .map(|i| R::from_u64(mask[i / 64] >> (i % 64) & 1))
        .collect()
}
