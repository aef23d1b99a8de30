//! Values entering the sharing: from a party, or from a client outside.

use crate::reshare::{from_bytes, to_bytes};
use crate::{Abort, Cost, Party, Share, Step};
use trefoil_net::Role;
use trefoil_ring::{Prg, Ring, Seed};

/// Share `values` of the evaluator `owner` (the others pass `None`).
///
/// # Protocol
/// Party 0's components are 0 and a draw of party 0 and the owner, or the reverse; the masked value goes to the
/// other evaluator. Party 0's own values need no protocol: clients share as in [`share_for_parties`].
///
/// # Security
/// The message is masked by a draw that its receiver does not know; party 0 receives nothing.
///
/// # Cost
/// [`input_cost`]: 1 round, one element from the owner.
///
/// # Panics
/// If the owner passes no values, or the wrong number; if the owner is party 0.
pub async fn input<R: Ring>(
    party: &Party,
    owner: Role,
    shape: &[usize],
    values: Option<&[R]>,
) -> Result<Share<R>, Abort> {
    assert_ne!(
        owner,
        Role::P0,
        "party 0 owns no inputs: its components depend on none"
    );
    let (len, role) = (shape.iter().product(), party.role());
    let zeros = vec![R::zero(); len];
    if role == Role::P0 {
        let mask = party.draw(owner, len);
        return Ok(if owner == Role::P1 {
            Share::new(shape, zeros, mask)
        } else {
            Share::new(shape, mask, zeros)
        });
    }
    if role != owner {
        let masked = from_bytes(&party.take(owner, Step::Input, len * R::BYTES).await?);
        return Ok(Share::evaluated(role, shape, zeros, masked));
    }
    let values = values.unwrap_or_default();
    assert_eq!(values.len(), len, "values of the owner");
    let mask = party.draw::<R>(Role::P0, len);
    let masked: Vec<R> = values.iter().zip(&mask).map(|(&v, &m)| v - m).collect();
    let other = if owner == Role::P1 {
        Role::P2
    } else {
        Role::P1
    };
    party.post(other, Step::Input, to_bytes(&masked));
    Ok(Share::evaluated(role, shape, mask, masked))
}

/// Cost of [`input`] for `len` elements: rounds as the other evaluator counts them.
pub fn input_cost<R: Ring>(len: usize, owner: Role) -> Cost {
    let mut bytes = [0; 3];
    bytes[owner.index()] = len * R::BYTES;
    Cost::new(1, bytes)
}

/// What a client sends to each party to share a tensor: seeds for party 0, a seed and the masked
/// values for the evaluators.
pub struct ClientShares<R> {
    /// Seeds of the components `x_0` and `x_1`.
    pub seeds: [Seed; 2],
    /// The masked values `x_2`, row-major.
    pub masked: Vec<R>,
}

/// Stream of a client's seeds: domain-separated from every branch id by its text.
const CLIENT_STREAM: [u8; 12] = *b"client share";

/// Split a client's values: `x_0` and `x_1` from fresh seeds, `x_2 = x - x_0 - x_1`.
///
/// # Security
/// Party 0 receives two seeds, independent of the values; party 1 a seed and the masked values, party 2
/// the other seed and the masked values. Each seed must be fresh from the operating system and used once.
pub fn share_for_parties<R: Ring>(values: &[R], seeds: [Seed; 2]) -> ClientShares<R> {
    let [x_0, x_1] = seeds
        .each_ref()
        .map(|seed| ClientShares::<R>::expand(seed, values.len()));
    let masked = values
        .iter()
        .zip(x_0)
        .zip(x_1)
        .map(|((&v, a), b)| v - a - b)
        .collect();
    ClientShares { seeds, masked }
}

impl<R: Ring> ClientShares<R> {
    /// The component that a seed stands for.
    pub fn expand(seed: &Seed, len: usize) -> Vec<R> {
        let mut component = vec![R::zero(); len];
        Prg::new(seed).fill(CLIENT_STREAM, 0, bytemuck::cast_slice_mut(&mut component));
        component
    }

    /// The share of party `role`, as that party assembles it.
    pub fn share(&self, role: Role, shape: &[usize]) -> Share<R> {
        let len = self.masked.len();
        let x_0 = || Self::expand(&self.seeds[0], len);
        let x_1 = || Self::expand(&self.seeds[1], len);
        match role {
            Role::P0 => Share::new(shape, x_0(), x_1()),
            Role::P1 => Share::new(shape, x_1(), self.masked.clone()),
            Role::P2 => Share::new(shape, self.masked.clone(), x_0()),
        }
    }
}
