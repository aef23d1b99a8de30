//! Values entering the sharing: from a party, or from a client outside.

use crate::bytes::{from_bytes, to_bytes};
use crate::{Abort, Cost, MessageKind, Party, Share};
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
        let masked = from_bytes(
            &party
                .take(owner, MessageKind::Input, len * R::BYTES)
                .await?,
        );
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
    party.post(other, MessageKind::Input, to_bytes(&masked));
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
    let mut masked = values.to_vec();
    Masking::new(&seeds).mask(&mut masked);
    ClientShares { seeds, masked }
}

/// [`share_for_parties`] piece by piece, for tensors that are not to be copied as a whole.
pub struct Masking<R> {
    components: [Component<R>; 2],
}

impl<R: Ring> Masking<R> {
    /// From the start, under fresh `seeds` of the components `x_0` and `x_1`.
    pub fn new(seeds: &[Seed; 2]) -> Self {
        let components = seeds.each_ref().map(Component::new);
        Self { components }
    }

    /// Turn the next `values` into masked ones.
    pub fn mask(&mut self, values: &mut [R]) {
        for component in &mut self.components {
            let mask = component.draw(values.len());
            for (value, mask) in values.iter_mut().zip(mask) {
                *value -= mask;
            }
        }
    }
}

/// The component that a client's seed stands for, drawn piece by piece: the same elements in whatever
/// pieces.
pub struct Component<R> {
    prg: Prg,
    position: u32,
    /// Elements of the last block that no piece has taken yet.
    rest: Vec<R>,
}

impl<R: Ring> Component<R> {
    /// From the start.
    pub fn new(seed: &Seed) -> Self {
        let prg = Prg::new(seed);
        Self {
            prg,
            position: 0,
            rest: Vec::new(),
        }
    }

    /// The next `len` elements.
    pub fn draw(&mut self, len: usize) -> Vec<R> {
        let kept = len.min(self.rest.len());
        let mut drawn = Vec::with_capacity(len + BLOCK / R::BYTES);
        drawn.extend(self.rest.drain(..kept));
        let whole = (len - kept).next_multiple_of(BLOCK / R::BYTES);
        drawn.resize(kept + whole, R::zero());
        let blocks = &mut drawn[kept..];
        self.position = self.prg.fill_ring(CLIENT_STREAM, self.position, blocks);
        self.rest.extend_from_slice(&drawn[len..]);
        drawn.truncate(len);
        drawn
    }
}

/// Bytes of a block of the generator.
const BLOCK: usize = 16;

impl<R: Ring> ClientShares<R> {
    /// The component that a seed stands for.
    pub fn expand(seed: &Seed, len: usize) -> Vec<R> {
        Component::new(seed).draw(len)
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

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_ring::{Z32, Z64};

    fn pieces_are_the_whole<R: Ring>() {
        let seed = Seed([7; 16]);
        let whole = ClientShares::<R>::expand(&seed, 100);
        let (mut component, mut at) = (Component::<R>::new(&seed), 0);
        for len in [0, 1, 2, 1, 3, 0, 40, 5, 47, 1] {
            assert_eq!(component.draw(len), whole[at..at + len], "{len} at {at}");
            at += len;
        }
        assert_eq!(at, whole.len());
    }

    #[test]
    fn a_component_is_the_same_in_whatever_pieces() {
        pieces_are_the_whole::<Z32>();
        pieces_are_the_whole::<Z64>();
    }
}
