//! The seed that two parties share: each draws a half, and neither chooses it.

use crate::{Channel, Peer, Role, SessionError};
use std::time::Instant;
use zeroize::Zeroizing;

/// A secret that two parties share, to be expanded by a keyed generator. Wiped when dropped.
pub type Seed = Zeroizing<[u8; 16]>;

/// What one end draws for a seed.
type Contribution = Zeroizing<[u8; 32]>;

/// A seed on its way: this end's contribution is sent, the other's not yet received.
pub(crate) struct Agreement {
    own: Contribution,
}

impl Agreement {
    /// Draw this end's contribution and send it.
    pub(crate) fn begin(channel: &mut Channel, deadline: Instant) -> Result<Self, SessionError> {
        let mut own = Contribution::default();
        getrandom::fill(own.as_mut()).map_err(|error| SessionError::Random {
            reason: error.to_string(),
        })?;
        channel.send(own.as_ref(), deadline)?;
        Ok(Self { own })
    }

    /// Receive the other end's contribution; the seed is a digest of both.
    pub(crate) fn end(
        self,
        channel: &mut Channel,
        role: Role,
        session: &[u8; 16],
        deadline: Instant,
    ) -> Result<Seed, SessionError> {
        let peer = channel.peer();
        let Peer::Party(other) = peer else {
            return Err(malformed(channel, "a client shares no seed".into()));
        };
        let received = Zeroizing::new(channel.recv(self.own.len() as u64, deadline)?);
        let Ok(theirs) = <&[u8; 32]>::try_from(received.as_slice()) else {
            let (found, due) = (received.len(), self.own.len());
            let reason = format!("half a seed of {found} bytes instead of {due}");
            return Err(malformed(channel, reason));
        };
        if *theirs == *self.own {
            let reason = "it sent this side's half of the seed back".into();
            return Err(malformed(channel, reason));
        }
        Ok(if role < other {
            combine(session, [role, other], [&self.own, theirs])
        } else {
            combine(session, [other, role], [theirs, &self.own])
        })
    }
}

fn malformed(channel: &Channel, reason: String) -> SessionError {
    SessionError::Malformed {
        peer: channel.label(),
        reason,
    }
}

/// The seed of `pair`, lower role first, from the contributions of both in that order.
fn combine(session: &[u8; 16], pair: [Role; 2], halves: [&[u8; 32]; 2]) -> Seed {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
    hash.update(b"trefoil pair seed");
    hash.update(session);
    hash.update(&pair.map(u8::from));
    for half in halves {
        hash.update(&half[..]);
    }
    let digest = hash.finish();
    let mut seed = Seed::default();
    let len = seed.len();
    seed.copy_from_slice(&digest.as_ref()[..len]);
    seed
}

/// Agrees with the party at the other end on a seed. Each end draws 32 bytes from the operating system and sends
/// them; the seed is 16 bytes of the SHA-256 of the session, both roles and both contributions.
///
/// # Security
/// The seed is as good as the better of the two ends' randomness: an end whose generator is broken, or that
/// repeats itself, harms nobody else. An end that sees the other's contribution first can try its own
/// values, and so choose as many bits of the seed as it can afford digests for, no more.
///
/// # Errors
/// As for [`Channel::send`] and [`Channel::recv`]; [`SessionError::Malformed`] for something else
/// than a contribution, or this side's own sent back; [`SessionError::Random`].
pub fn agree_seed(
    channel: &mut Channel,
    role: Role,
    session: &[u8; 16],
    deadline: Instant,
) -> Result<Seed, SessionError> {
    Agreement::begin(channel, deadline)?.end(channel, role, session, deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hello, Listener, Security, Terms, connect};
    use std::time::Duration;

    #[test]
    fn every_part_of_the_agreement_changes_the_seed() {
        let seed = |session: u8, pair, halves: [u8; 2]| {
            combine(&[session; 16], pair, [&[halves[0]; 32], &[halves[1]; 32]])
        };
        let base = seed(1, [Role::P0, Role::P1], [2, 3]);
        assert_eq!(base, seed(1, [Role::P0, Role::P1], [2, 3]));
        for other in [
            seed(9, [Role::P0, Role::P1], [2, 3]),
            seed(1, [Role::P0, Role::P2], [2, 3]),
            seed(1, [Role::P0, Role::P1], [9, 3]),
            seed(1, [Role::P0, Role::P1], [2, 9]),
            seed(1, [Role::P0, Role::P1], [3, 2]),
        ] {
            assert_ne!(base, other);
        }
    }

    /// What party 1 gets from a party 0 that always sends the same contribution.
    fn with_a_stuck_generator(sends: impl Fn(&[u8]) -> Vec<u8>) -> Result<Seed, SessionError> {
        let soon = Instant::now() + Duration::from_mins(1);
        let mut listener = Listener::bind("127.0.0.1:0", Security::Plain).unwrap();
        let address = listener.address().unwrap().to_string();
        std::thread::scope(|scope| {
            let seed = scope.spawn(move || {
                let (from, to) = (Peer::Party(Role::P1), Peer::Party(Role::P0));
                let hello = Hello::new(from, to, [1; 16], [2; 32]);
                let mut channel = connect(&address, &Security::Plain, &hello, soon)?;
                agree_seed(&mut channel, Role::P1, &[1; 16], soon)
            });
            let terms = Terms {
                role: Role::P0,
                expected: vec![Peer::Party(Role::P1)],
                session: None,
                plan_hash: None,
            };
            let crate::Accepted::Peer(mut incoming) = listener.accept(&terms, soon).unwrap() else {
                unreachable!("nobody else connects");
            };
            let theirs = incoming.channel.recv(32, soon).unwrap();
            incoming.channel.send(&sends(&theirs), soon).unwrap();
            seed.join().unwrap()
        })
    }

    #[test]
    fn a_party_whose_generator_is_stuck_does_not_fix_the_seed() {
        let stuck = || with_a_stuck_generator(|_| vec![7; 32]).unwrap();
        assert_ne!(stuck(), stuck());
    }

    #[test]
    fn a_contribution_sent_back_or_cut_is_refused() {
        let echo = with_a_stuck_generator(<[u8]>::to_vec).unwrap_err();
        assert!(echo.to_string().contains("sent this side's half"), "{echo}");
        let cut = with_a_stuck_generator(|_| vec![7; 31]).unwrap_err();
        assert!(cut.to_string().contains("31 bytes"), "{cut}");
    }
}
