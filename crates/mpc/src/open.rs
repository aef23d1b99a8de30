//! Opening: the few places where a value leaves the sharing.

use crate::bytes::{from_bytes, to_bytes};
use crate::{Abort, BitShare, Cost, MessageKind, Party, Share};
use ndarray::{ArrayD, IxDyn};
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring};

/// Open `x` to all three parties.
///
/// # Security
/// Semi-honest: all parties learn `x`, and nothing else. Call it only on values that may be public.
///
/// # Cost
/// [`open_cost`]: 1 round, one element from each party.
pub async fn open<R: Ring>(party: &Party, x: &Share<R>) -> Result<ArrayD<R>, Abort> {
    let role = party.role();
    party.post(role.next(), MessageKind::Open, to_bytes(x.mine()));
    let missing = party
        .take(role.prev(), MessageKind::Open, x.len() * R::BYTES)
        .await?;
    Ok(sum(x, &from_bytes(&missing)))
}

/// Cost of [`open`] for `len` elements.
pub fn open_cost<R: Ring>(len: usize) -> Cost {
    Cost::new(1, [len * R::BYTES; 3])
}

/// Open `x` to party `to` alone; the others get `None`.
///
/// # Security
/// Semi-honest: `to` learns `x`, the others nothing.
///
/// # Cost
/// [`open_to_cost`]: 1 round, one element from the party before `to`.
pub async fn open_to<R: Ring>(
    party: &Party,
    x: &Share<R>,
    to: Role,
) -> Result<Option<ArrayD<R>>, Abort> {
    let role = party.role();
    if role == to.prev() {
        party.post(to, MessageKind::Open, to_bytes(x.mine()));
    }
    if role != to {
        return Ok(None);
    }
    let missing = party
        .take(to.prev(), MessageKind::Open, x.len() * R::BYTES)
        .await?;
    Ok(Some(sum(x, &from_bytes(&missing))))
}

/// Cost of [`open_to`] for `len` elements: rounds as party `to` counts them (0 where party 0 sends).
pub fn open_to_cost<R: Ring>(len: usize, to: Role) -> Cost {
    let mut bytes = [0; 3];
    bytes[to.prev().index()] = len * R::BYTES;
    Cost::new(u32::from(to != Role::P1), bytes)
}

/// Open bits to all three parties. Cost: [`open_bits_cost`].
pub async fn open_bits(party: &Party, x: &BitShare) -> Result<Bits, Abort> {
    let role = party.role();
    let bytes = Bits::words_for(x.len()) * 8;
    party.post(
        role.next(),
        MessageKind::Open,
        bytemuck::cast_slice(x.mine().words()).to_vec(),
    );
    let missing: Vec<u64> =
        bytemuck::pod_collect_to_vec(&party.take(role.prev(), MessageKind::Open, bytes).await?);
    let words = x
        .mine()
        .words()
        .iter()
        .zip(x.next().words())
        .zip(missing)
        .map(|((a, b), c)| a ^ b ^ c);
    Ok(Bits::from_words(x.len(), words.collect()))
}

/// Cost of [`open_bits`] for `len` bits.
pub fn open_bits_cost(len: usize) -> Cost {
    Cost::new(1, [Bits::words_for(len) * 8; 3])
}

fn sum<R: Ring>(x: &Share<R>, missing: &[R]) -> ArrayD<R> {
    let sums = x
        .mine()
        .iter()
        .zip(x.next())
        .zip(missing)
        .map(|((&a, &b), &c)| a + b + c);
    tensor(x.shape(), sums.collect())
}

/// What each party sends to an outside client to whom `x` is opened: both of its components, in this order. [`combine`] is
/// the client's half.
///
/// # Security
/// The client learns `x`, and so does a party that conspires with it; no more, because the party could compute from `x` and its
/// own two components all that the others send. What a truncation tells them together is in `docs/protocols.md`.
pub fn answer<R: Ring>(x: &Share<R>) -> [&[R]; 2] {
    [x.mine(), x.next()]
}

/// What an outside client, to whom all three parties sent their shares of one value, learns: the value.
///
/// # Security
/// Each component arrives from two parties; a difference means that one of them deviated. That is
/// detection of a faulty answer in transit, not security against a malicious party.
///
/// # Errors
/// [`Abort::Inconsistent`] where two copies differ.
///
/// # Panics
/// If the shapes differ (the client checks lengths when it receives them).
pub fn combine<R: Ring>(shares: &[Share<R>; 3]) -> Result<ArrayD<R>, Abort> {
    for (i, share) in shares.iter().enumerate() {
        let component = (i + 1) % 3;
        let other = &shares[component];
        assert_eq!(share.shape(), other.shape(), "shares of one value");
        if let Some(index) = share
            .next()
            .iter()
            .zip(other.mine())
            .position(|(a, b)| a != b)
        {
            return Err(Abort::Inconsistent { component, index });
        }
    }
    let [a, b, c] = shares;
    Ok(sum(
        &Share::new(a.shape(), a.mine().to_vec(), b.mine().to_vec()),
        c.mine(),
    ))
}

fn tensor<R: Ring>(shape: &[usize], values: Vec<R>) -> ArrayD<R> {
    match ArrayD::from_shape_vec(IxDyn(shape), values) {
        Ok(tensor) => tensor,
        Err(_) => unreachable!("a share's components fit its shape"),
    }
}
