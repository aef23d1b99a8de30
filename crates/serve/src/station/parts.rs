//! What a client sends to one party to share tensors: its *part*.
//!
//! ```text
//! party 0: seed of x_0, seed of x_1          32 bytes
//! party 1: seed of x_1, masked values x_2    16 bytes and the elements, tensor by tensor, row-major
//! party 2: seed of x_0, masked values x_2
//! ```
//! Each component stands at two parties: the digests of both copies are what these two compare.

use ndarray::ArrayD;
use trefoil_mpc::{Component, Masking, Share};
use trefoil_net::Role;
use trefoil_ring::{FixedPoint, Ring, Seed};

/// Bytes of a seed.
const SEED: usize = 16;

/// Digests of this party's two components, its own (`x_i`) and the next one's (`x_{i+1}`).
///
/// # Security
/// Each is a digest of what the other holder of the component has too, and of random bytes: it tells nobody anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Digests {
    pub(crate) mine: [u8; 32],
    pub(crate) next: [u8; 32],
}

impl Digests {
    /// Of the part of the party `role`; `None` if it is too short to be one.
    pub(crate) fn of(role: Role, part: &[u8]) -> Option<Self> {
        let (first, rest) = part.split_at_checked(SEED)?;
        let (first, rest) = (digest(first), digest(rest));
        Some(match role {
            Role::P0 | Role::P1 => Self {
                mine: first,
                next: rest,
            },
            Role::P2 => Self {
                mine: rest,
                next: first,
            },
        })
    }

    /// The one that is compared with `peer`.
    pub(crate) fn shared_with(&self, role: Role, peer: Role) -> &[u8; 32] {
        if peer == role.next() {
            &self.next
        } else {
            &self.mine
        }
    }
}

fn digest(component: &[u8]) -> [u8; 32] {
    blake3::derive_key("trefoil 2026 part: digest of a component", component)
}

/// Bytes of the part of party `role` for tensors of these shapes, in a ring of `ring_bits` bits.
pub(crate) fn len(role: Role, shapes: &[Vec<usize>], ring_bits: u32) -> u64 {
    let elements = shapes.iter().fold(0_u64, |sum, shape| {
        let product = shape
            .iter()
            .fold(1_u64, |product, &size| product.saturating_mul(size as u64));
        sum.saturating_add(product)
    });
    match role {
        Role::P0 => 2 * SEED as u64,
        _ => (SEED as u64).saturating_add(elements.saturating_mul(u64::from(ring_bits / 8))),
    }
}

/// The shares of the tensors of these shapes, from a part whose length has been checked.
pub(crate) fn expand<R: Ring>(
    role: Role,
    part: &[u8],
    shapes: &[Vec<usize>],
) -> Option<Vec<Share<R>>> {
    if part.len() as u64 != len(role, shapes, 8 * R::BYTES as u32) {
        return None;
    }
    let seed = |at: usize| Seed(std::array::from_fn(|i| part[at + i]));
    let mut first = Component::<R>::new(&seed(0));
    let mut second = (role == Role::P0).then(|| Component::<R>::new(&seed(SEED)));
    let mut at = SEED;
    let mut shares = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let len: usize = shape.iter().product();
        let drawn = first.draw(len);
        let other = if let Some(second) = &mut second {
            second.draw(len)
        } else {
            let bytes = part.get(at..at + len * R::BYTES)?;
            at += bytes.len();
            elements(bytes)
        };
        shares.push(match role {
            Role::P0 | Role::P1 => Share::new(shape, drawn, other),
            Role::P2 => Share::new(shape, other, drawn),
        });
    }
    Some(shares)
}

/// Ring elements from bytes of any alignment.
pub(crate) fn elements<R: Ring>(bytes: &[u8]) -> Vec<R> {
    let mut elements = vec![R::zero(); bytes.len() / R::BYTES];
    bytemuck::cast_slice_mut::<R, u8>(&mut elements).copy_from_slice(bytes);
    elements
}

/// The parts of all three parties, by role: how owners share weights and users share queries.
///
/// # Security
/// As [`trefoil_mpc::share_for_parties`]: the seeds must be fresh from the operating system and used once.
#[cfg_attr(not(feature = "client"), allow(dead_code))]
pub(crate) fn share<'a, R: Ring>(
    tensors: impl IntoIterator<Item = &'a ArrayD<f64>>,
    format: FixedPoint,
    seeds: &[Seed; 2],
) -> [Vec<u8>; 3] {
    let [x_0, x_1] = seeds;
    let (mut first, mut second) = (x_1.0.to_vec(), x_0.0.to_vec());
    let mut masking = Masking::<R>::new(seeds);
    for tensor in tensors {
        let mut values: Vec<R> = tensor.iter().map(|&value| format.encode(value)).collect();
        masking.mask(&mut values);
        let bytes = bytemuck::cast_slice::<R, u8>(&values);
        first.extend_from_slice(bytes);
        second.extend_from_slice(bytes);
    }
    [[x_0.0, x_1.0].concat(), first, second]
}

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::combine;
    use trefoil_ring::{Z32, Z64};

    fn shared<R: Ring>() {
        let tensors = [
            ArrayD::from_shape_fn(vec![2, 3], |at| at[0] as f64 - 0.5 * at[1] as f64),
            ArrayD::from_elem(vec![5], -1.25),
        ];
        let shapes: Vec<Vec<usize>> = tensors.iter().map(|t| t.shape().to_vec()).collect();
        let seeds = [Seed([3; 16]), Seed([4; 16])];
        let format = FixedPoint::new(12);
        let parts = share::<R>(&tensors, format, &seeds);
        let mut shares = Vec::new();
        for (role, part) in Role::ALL.into_iter().zip(&parts) {
            assert_eq!(part.len() as u64, len(role, &shapes, 8 * R::BYTES as u32));
            assert!(expand::<R>(role, &part[1..], &shapes).is_none());
            shares.push(expand::<R>(role, part, &shapes).unwrap());
        }
        for (i, tensor) in tensors.iter().enumerate() {
            let three = [0, 1, 2].map(|role: usize| shares[role][i].clone());
            let opened = combine(&three).unwrap();
            assert_eq!(&format.decode_all(opened.view()), tensor);
        }
        // Whatever two parties both hold has one digest.
        let digests = [0, 1, 2].map(|i: usize| Digests::of(Role::ALL[i], &parts[i]).unwrap());
        for role in Role::ALL {
            let peer = role.next();
            assert_eq!(
                digests[role.index()].shared_with(role, peer),
                digests[peer.index()].shared_with(peer, role)
            );
        }
    }

    #[test]
    fn parts_are_shares_of_the_tensors_in_both_rings() {
        shared::<Z32>();
        shared::<Z64>();
    }
}
