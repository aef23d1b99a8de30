//! What a client told one party, in digests that the parties compare.
//!
//! A client speaks to each party alone. Whoever sends one of them something else makes the three compute on
//! nothing that was shared, and could learn from what comes of it; so they compare before they answer.

use trefoil_mpc::{Abort, MessageKind, Party};
use trefoil_net::{Pin, Role};
use trefoil_ring::Seed;

/// Bytes of a digest.
const DIGEST: usize = 32;
/// A message: a digest of the request, and one of the material that sender and receiver both have.
const MESSAGE: usize = 2 * DIGEST;

/// Running digests of everything that one client told one party in one session.
pub(crate) struct Told {
    /// Of the client, its request and its turns so far.
    request: [u8; DIGEST],
    /// Of the seeds of `x_0` and of `x_1`, as far as this party has them.
    seeds: [blake3::Hasher; 2],
    /// Of the masked values, at the evaluators.
    masked: blake3::Hasher,
}

impl Told {
    /// The client and its request.
    pub(crate) fn new(client: Option<Pin>, request: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil client and request");
        match client {
            Some(pin) => hasher.update(&[1]).update(&pin.0),
            None => hasher.update(&[0]),
        };
        hasher.update(request);
        let seed = || blake3::Hasher::new_derive_key("trefoil client seeds");
        Self {
            request: *hasher.finalize().as_bytes(),
            seeds: [seed(), seed()],
            masked: blake3::Hasher::new_derive_key("trefoil masked values"),
        }
    }

    /// What the client asks for next, which says how many batches follow.
    pub(crate) fn turn(&mut self, turn: &[u8]) {
        let mut hasher = blake3::Hasher::new_derive_key("trefoil client turn");
        hasher.update(&self.request).update(turn);
        self.request = *hasher.finalize().as_bytes();
    }

    /// The digest of the client and its request.
    #[cfg(test)]
    pub(crate) fn request(&self) -> [u8; DIGEST] {
        self.request
    }

    /// The seed of component `x_index`.
    pub(crate) fn seed(&mut self, index: usize, seed: &Seed) {
        self.seeds[index].update(&seed.0);
    }

    /// Masked values, in the order in which they came.
    pub(crate) fn masked(&mut self, values: &[u8]) {
        self.masked.update(values);
    }

    /// Post what a peer has to compare, on a branch of its own; the end is [`Told::compare`].
    ///
    /// # Security
    /// Each receiver was sent the same by the client, so that a digest tells it nothing.
    pub(crate) fn post(&self, party: &Party) -> u64 {
        let to = match party.role() {
            Role::P0 => vec![(Role::P1, &self.seeds[1]), (Role::P2, &self.seeds[0])],
            Role::P1 => vec![(Role::P2, &self.masked)],
            Role::P2 => vec![(Role::P1, &self.masked)],
        };
        let bytes = (to.len() * MESSAGE) as u64;
        for (peer, material) in to {
            party.post(peer, MessageKind::Compare, self.message(material));
        }
        bytes
    }

    /// Compare with what the peers posted.
    ///
    /// # Errors
    /// [`Abort::Differs`], naming the peer and what differs.
    pub(crate) async fn compare(&self, party: &Party) -> Result<(), Abort> {
        let from = match party.role() {
            Role::P0 => return Ok(()),
            Role::P1 => [(Role::P0, &self.seeds[1]), (Role::P2, &self.masked)],
            Role::P2 => [(Role::P0, &self.seeds[0]), (Role::P1, &self.masked)],
        };
        for (peer, material) in from {
            let theirs = party.take(peer, MessageKind::Compare, MESSAGE).await?;
            let own = self.message(material);
            if theirs[..DIGEST] != own[..DIGEST] {
                let what = "an identity or a request (its number of batches is part of it)";
                return Err(Abort::Differs { peer, what });
            }
            if theirs != own {
                let what = match peer {
                    Role::P0 => "a seed",
                    _ => "a sharing (masked values)",
                };
                return Err(Abort::Differs { peer, what });
            }
        }
        Ok(())
    }

    fn message(&self, material: &blake3::Hasher) -> Vec<u8> {
        [&self.request[..], material.finalize().as_bytes()].concat()
    }
}
