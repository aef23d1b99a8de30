//! Products that are rounded late: what becomes of them decides how.

use crate::bilinear::matmul_parts;
use crate::bytes::from_bytes;
use crate::gates::packed_bytes;
use crate::msb::signs_of;
use crate::reshare::{Part, dealing, reshare, reshare_cost, reshare_known};
use crate::short::ShortParts;
use crate::trunc::truncated;
use crate::{Abort, BitFactors, BitShare, Cost, MessageKind, Party, Share};
use trefoil_net::Role;
use trefoil_ring::Ring;

/// Sums of products that have not been truncated yet.
///
/// Party 0 knows a mask `r` of each, the evaluators `c = z + r`. Then `z / 2^shift` is `c / 2^shift - r / 2^shift`, rounded as
/// by [`crate::truncate`], up to a multiple of `2^(bits - shift)`: enough for a comparison, and for a product with a bit
/// the correction is dealt along with the product's masks. So neither waits for a truncation.
#[derive(Clone)]
pub struct Untruncated<R> {
    shape: Vec<usize>,
    known: Vec<R>,
    shift: u32,
}

impl<R> Untruncated<R> {
    /// Dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

/// [`crate::matmul`], to be truncated by `shift` bits.
///
/// # Security
/// Semi-honest, see [`crate`]: what each evaluator receives is masked by a draw that it does not know.
///
/// # Range
/// As [`crate::truncate`], for the product.
///
/// # Cost
/// [`untruncated_cost`] of m n: 1 round, an element from each evaluator.
///
/// # Panics
/// If the shapes do not fit.
pub async fn matmul_untruncated<R: Ring>(
    party: &Party,
    x: &Share<R>,
    y: &Share<R>,
    shift: u32,
) -> Result<Untruncated<R>, Abort> {
    let (part, shape) = matmul_parts(party, x, y);
    Ok(Untruncated {
        shape: shape.to_vec(),
        known: reshare_known(party, part).await?,
        shift,
    })
}

/// Cost of a [`Untruncated`] of `len` elements.
pub fn untruncated_cost<R: Ring>(len: usize) -> Cost {
    reshare_cost::<R>(len)
}

/// [`crate::msb`] of the truncated values.
///
/// # Range
/// As [`crate::msb`], of the truncated values; `bits` is at most those of the ring less the shift.
///
/// # Cost
/// [`crate::msb_cost`]: no round for the truncation.
pub async fn msb_untruncated<R: Ring>(
    party: &Party,
    x: &Untruncated<R>,
    bits: u32,
) -> Result<BitShare, Abort> {
    assert!(
        bits + x.shift <= R::BITS,
        "the sign of {bits} bits above {} in a ring of {}",
        x.shift,
        R::BITS
    );
    let known = x.known.iter().map(|v| v.shift_right(x.shift));
    let known: Vec<R> = match party.role() {
        Role::P0 => known.map(|v| -v).collect(),
        _ => known.collect(),
    };
    signs_of(party, &known, &[R::zero()], bits).await
}

/// The truncated values where the bit is set, else 0.
///
/// # Protocol
/// With `c' = c / 2^shift`, `r' = -r / 2^shift`, the top bit `t` of `r`, the bit's mask `l` and masked value `m`, and the public
/// `w` of [`crate::truncate`], the result is `(m + (1 - 2m) l) (c' + r' + w t 2^(bits - shift))`: linear in `l`, `r'`, `t`, `l r'` and
/// `l t`, all of which party 0 deals.
///
/// # Security
/// Semi-honest, see [`crate`]: the dealt shares enter local sums only, and the result is masked afresh.
///
/// # Range and error
/// As [`crate::truncate`].
///
/// # Cost
/// [`multiply_untruncated_cost`]: 1 round, one element from each evaluator; from party 0 two elements and twice `shift` bits.
///
/// # Panics
/// If there are not as many bits as elements.
pub async fn multiply_untruncated<R: Ring>(
    party: &Party,
    factors: &BitFactors<R>,
    x: &Untruncated<R>,
) -> Result<Share<R>, Abort> {
    let (len, shift, known) = (x.known.len(), x.shift, &x.known);
    assert_eq!(factors.len(), len, "operands of a bit product");
    let dealt = deal(party, factors, x).await?;
    let mut part = Vec::new();
    if let Some(dealt) = dealt {
        let first = party.role() == Role::P1;
        let each = known.iter().enumerate().map(|(i, &c)| {
            let (down, may_wrap) = truncated(c, shift);
            let may_wrap = R::from_u64(u64::from(may_wrap));
            let (bit, mask) = factors.evaluate(party.role(), i);
            let wrapped = |which| dealt.wraps.lifted(which * len + i) * may_wrap;
            let kept = mask * down + dealt.kept[i] + wrapped(1);
            let whole = Part::of(if first { down } else { R::zero() });
            let whole = whole + dealt.whole[i] + wrapped(0);
            // Without a branch: masked bits are random.
            kept + (whole - kept - kept) * bit
        });
        part = each.collect();
    }
    reshare(party, &x.shape, part).await
}

/// Cost of [`multiply_untruncated`] for `len` elements truncated by `shift` bits.
pub fn multiply_untruncated_cost<R: Ring>(len: usize, shift: u32) -> Cost {
    let dealt = 2 * len * R::BYTES + packed_bytes(shift as usize, 2 * len);
    Cost::new(0, [dealt, 0, 0]) + reshare_cost::<R>(len)
}

/// An evaluator's shares of what belongs to the masks: of the truncated masks and of their products with the bits' masks; and
/// in `wraps`, modulo `2^shift`, of the masks' top bits and their products, one behind the other.
struct Dealt<R> {
    whole: Vec<Part<R>>,
    kept: Vec<Part<R>>,
    wraps: ShortParts,
}

/// Party 0 deals; nothing comes of it there.
async fn deal<R: Ring>(
    party: &Party,
    factors: &BitFactors<R>,
    x: &Untruncated<R>,
) -> Result<Option<Dealt<R>>, Abort> {
    let (len, shift) = (x.known.len(), x.shift);
    let draw = |peer| {
        let numbers = party.draw::<R>(peer, 2 * len);
        (numbers, ShortParts::draw(party, peer, 2 * len, shift))
    };
    let (numbers, wraps) = match party.role() {
        Role::P0 => {
            let (numbers, wraps) = draw(Role::P1);
            let masks = factors.masks();
            let truncated: Vec<R> = x.known.iter().map(|r| -r.shift_right(shift)).collect();
            let products = masks.iter().zip(&truncated).map(|(&l, &r)| l * r);
            let values: Vec<R> = truncated.iter().copied().chain(products).collect();
            let mut message = dealing(&values, numbers);
            let tops = || x.known.iter().map(|r| u64::from(r.is_negative()));
            let products = masks.iter().zip(tops()).map(|(l, top)| l.to_u64() * top);
            message.extend(wraps.dealing(tops().chain(products)));
            party.post(Role::P2, MessageKind::Deal, message);
            return Ok(None);
        }
        Role::P1 => draw(Role::P0),
        Role::P2 => {
            let packed = packed_bytes(shift as usize, 2 * len);
            let total = 2 * len * R::BYTES + packed;
            let mut elements = party.take(Role::P0, MessageKind::Deal, total).await?;
            let wraps = elements.split_off(2 * len * R::BYTES);
            let wraps = ShortParts::from_message(&wraps, 2 * len, shift);
            (from_bytes(&elements), wraps)
        }
    };
    let mut whole = Part::all(numbers);
    let kept = whole.split_off(len);
    Ok(Some(Dealt { whole, kept, wraps }))
}
