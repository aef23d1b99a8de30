//! Sums of products of different kinds, in one exchange.

use crate::bilinear::{add_parts, products};
use crate::reshare::{
    Part, deal_cost, reshare, reshare_cost, reshare_offset, reshare_offset_cost, reshare_truncated,
    reshare_truncated_cost,
};
use crate::select::bit_products;
use crate::{Abort, BitShare, Cost, Party, Share};
use trefoil_ring::Ring;

/// A term of [`sum_of`].
pub enum Term<'a, R> {
    /// The product of two numbers, element by element.
    Product(&'a Share<R>, &'a Share<R>),
    /// The number where the bit is set, else 0. Where there are fewer bits than numbers, each stands for a run of them.
    Masked(&'a BitShare, &'a Share<R>),
}

/// The sum of `terms`, element by element: products truncated by `shift` bits, masked numbers as they are. A `shift` of 0
/// truncates nothing.
///
/// # Protocol
/// Each evaluator holds a part of every term ([`crate::mul`], [`crate::multiply_bit`]); the parts are added before they are
/// exchanged, so that a sum costs no more than its longest term.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// As [`crate::truncate`], for the sum at the scale of the products; exact without truncation.
///
/// # Cost
/// [`sum_of_cost`]: 1 round, 2 with truncation.
///
/// # Panics
/// If there is no term, or their lengths differ.
pub async fn sum_of<R: Ring>(
    party: &Party,
    shape: &[usize],
    terms: &[Term<'_, R>],
    shift: u32,
) -> Result<Share<R>, Abort> {
    assert!(!terms.is_empty(), "a sum of no terms");
    let len = shape.iter().product();
    let (mut sum, mut masked_sum) = (vec![R::zero(); len], vec![Part::zero(); len]);
    let mut offset = false;
    for term in terms {
        match term {
            Term::Product(x, y) => {
                assert_eq!((x.len(), y.len()), (len, len), "factors of a term");
                add_parts(party, x, y, &mut sum, products);
                offset = true;
            }
            Term::Masked(bits, x) => {
                assert_eq!(x.len(), len, "numbers of a term");
                let part = bit_products(party, bits, x).await?.products;
                // Empty at party 0.
                let masked = masked_sum.iter_mut().zip(&part);
                let up = R::one().shift_left(shift);
                masked.for_each(|(sum, &v)| *sum += v * up);
            }
        }
    }
    let mut sum = Part::all(sum);
    sum.iter_mut().zip(masked_sum).for_each(|(v, w)| *v += w);
    match (shift, offset) {
        (0, false) => reshare(party, shape, sum).await,
        (0, true) => reshare_offset(party, shape, sum).await,
        _ => reshare_truncated(party, shape, sum, shift).await,
    }
}

/// Cost of [`sum_of`] for `len` elements, of `products` products and of masked numbers with so many bits each in `masked`.
pub fn sum_of_cost<R: Ring>(len: usize, products: usize, masked: &[usize], shift: u32) -> Cost {
    let dealt = masked.iter().map(|bits| deal_cost::<R>(bits + len));
    let reshared = match (shift, products) {
        (0, 0) => reshare_cost::<R>(len),
        (0, _) => reshare_offset_cost::<R>(len),
        _ => reshare_truncated_cost::<R>(len, shift),
    };
    dealt.fold(reshared, |sum, dealt| sum + dealt)
}
