//! Three parties find each other.

use crate::connect::GLANCE;
use crate::listener::{Accepted, Listener};
use crate::seeds::{Agreement, Seed};
use crate::{
    Channel, Hello, LinkOptions, Mismatch, Peer, Role, Security, SessionError, SocketTransport,
    Stop, Terms, connect_unless,
};
use std::time::{Duration, Instant};

/// What the three parties agree on before they connect, as one of them sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    /// This party.
    pub role: Role,
    /// The session; drawn at random for each.
    pub id: [u8; 16],
    /// Hash of the public plan to be run.
    pub plan_hash: [u8; 32],
    /// Where the parties listen (`HOST:PORT`); this party's own is not used.
    pub addresses: [String; 3],
}

/// Where connections come in: a [`Listener`], or what stands before one.
pub trait Entrance {
    /// How connections are protected.
    fn security(&self) -> &Security;

    /// The next connection whose handshake is over, well or not.
    ///
    /// # Errors
    /// [`SessionError::Timeout`] if none is over by the `deadline`.
    fn accept(&mut self, terms: &Terms, deadline: Instant) -> Result<Accepted, SessionError>;
}

impl Entrance for Listener {
    fn security(&self) -> &Security {
        Self::security(self)
    }

    fn accept(&mut self, terms: &Terms, deadline: Instant) -> Result<Accepted, SessionError> {
        Self::accept(self, terms, deadline)
    }
}

/// Connects this party to its two peers, and agrees on a seed with each (indexed by role).
///
/// A party dials those with a lower index and accepts those with a higher one; strays are turned
/// away. For a listener that serves clients too, put the pieces together by hand:
/// [`connect`](crate::connect()), [`Listener::accept`], [`agree_seed`](crate::agree_seed), [`SocketTransport::new`].
///
/// # Security
/// Under [`Security::Tls`](crate::Security::Tls), both ends of each link are proved by their pins,
/// and the seeds travel encrypted. Under [`Security::Plain`](crate::Security::Plain), whoever
/// reads the wire has the seeds, and with them the secrets.
///
/// # Errors
/// As for [`connect`](crate::connect()) and [`Listener::accept`]; [`SessionError::Missing`] naming who did not
/// connect, and what was turned away meanwhile; [`SessionError::Mismatch`] at once for a party of
/// this session that has another plan.
pub fn establish(
    listener: &mut dyn Entrance,
    session: &Rendezvous,
    options: LinkOptions,
    deadline: Instant,
) -> Result<(SocketTransport, [Option<Seed>; 3]), SessionError> {
    establish_unless(listener, session, options, deadline, &Stop::default())
}

/// As [`establish`], given up as soon as `stop` says so.
///
/// # Errors
/// As for [`establish`], and [`SessionError::Stopped`].
pub fn establish_unless(
    listener: &mut dyn Entrance,
    session: &Rendezvous,
    options: LinkOptions,
    deadline: Instant,
    stop: &Stop,
) -> Result<(SocketTransport, [Option<Seed>; 3]), SessionError> {
    let role = session.role;
    let mut channels: [Option<Channel>; 3] = [None, None, None];
    for peer in Role::ALL.into_iter().filter(|&peer| peer < role) {
        let (from, to) = (Peer::Party(role), Peer::Party(peer));
        let hello = Hello::new(from, to, session.id, session.plan_hash);
        let address = &session.addresses[peer.index()];
        channels[peer.index()] = Some(connect_unless(
            address,
            listener.security(),
            &hello,
            deadline,
            stop,
        )?);
    }
    accept_higher(listener, session, &mut channels, deadline, stop)?;
    let mut seeds = [None, None, None];
    // Both contributions are under way before either answer is waited for.
    let mut begun = Vec::new();
    for channel in channels.iter_mut().flatten() {
        begun.push(Agreement::begin(channel, deadline)?);
    }
    let connected = channels.iter_mut().zip(&mut seeds);
    let connected = connected.filter_map(|(channel, seed)| channel.as_mut().zip(Some(seed)));
    for ((channel, seed), begun) in connected.zip(begun) {
        *seed = Some(begun.end(channel, role, &session.id, deadline)?);
    }
    let (next, previous) = (role.next().index(), role.prev().index());
    match (channels[next].take(), channels[previous].take()) {
        (Some(next), Some(previous)) => {
            Ok((SocketTransport::new(role, next, previous, options), seeds))
        }
        // Does not happen: what came before made both, or ended with an error.
        _ => Err(SessionError::Missing {
            peers: vec![role.next(), role.prev()],
            waited: Duration::ZERO,
            rejected: Vec::new(),
        }),
    }
}

/// Rejections kept for the message about who is missing.
const KEPT_REJECTIONS: usize = 4;

fn accept_higher(
    listener: &mut dyn Entrance,
    session: &Rendezvous,
    channels: &mut [Option<Channel>; 3],
    deadline: Instant,
    stop: &Stop,
) -> Result<(), SessionError> {
    let start = Instant::now();
    let mut rejected = Vec::new();
    loop {
        let missing: Vec<Role> = Role::ALL
            .into_iter()
            .filter(|&peer| peer > session.role && channels[peer.index()].is_none())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let terms = Terms {
            role: session.role,
            expected: missing.iter().copied().map(Peer::Party).collect(),
            session: Some(session.id),
            plan_hash: Some(session.plan_hash),
        };
        stop.check()?;
        match listener.accept(&terms, deadline.min(Instant::now() + GLANCE)) {
            Ok(Accepted::Peer(incoming)) => {
                if let Peer::Party(peer) = incoming.who {
                    channels[peer.index()] = Some(incoming.channel);
                }
            }
            // It knew the session, so it is no stray: waiting would not help.
            Ok(Accepted::TurnedAway {
                reason:
                    error @ SessionError::Mismatch {
                        mismatch: Mismatch::Plan { .. },
                        ..
                    },
                ..
            }) => return Err(error),
            Ok(Accepted::TurnedAway { from, reason }) => {
                if rejected.len() == KEPT_REJECTIONS {
                    rejected.remove(0);
                }
                rejected.push((from, reason.to_string()));
            }
            Err(SessionError::Timeout { .. }) if Instant::now() < deadline => {}
            Err(SessionError::Timeout { .. }) => {
                let waited = start.elapsed();
                return Err(SessionError::Missing {
                    peers: missing,
                    waited,
                    rejected,
                });
            }
            Err(other) => return Err(other),
        }
    }
}
