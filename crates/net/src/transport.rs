//! What a party needs of its links, whatever carries them.

use crate::Role;
use crate::header::{FRAME_HEADER_BYTES, MAX_BODY};
use std::time::{Duration, Instant};

/// Largest frame accepted where nothing else is set: 1 GiB.
pub const DEFAULT_FRAME_LIMIT: u64 = 1 << 30;

/// Bytes that wait for a peer where nothing else is set: 64 MiB.
const DEFAULT_QUEUE: u64 = 64 << 20;

/// Settings of a party's links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// How long a receive looks for data before it sleeps. Waking an idle core costs about 45 µs,
    /// which a short spin saves; between looks the core is offered to other threads, so that three
    /// parties can share two cores. Zero never spins.
    pub spin: Duration,
    /// Largest frame sent or accepted, in bytes without its header; at most
    /// 4 GiB - 2, what a length prefix can say.
    pub frame_limit: u64,
    /// Bytes that wait for a peer to take them, beyond which a send waits too. One frame more is accepted,
    /// whatever its size.
    pub queue: u64,
    /// How long such a send waits for a peer that takes nothing and does not say that it works.
    pub patience: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            spin: Duration::from_micros(50),
            frame_limit: DEFAULT_FRAME_LIMIT,
            queue: DEFAULT_QUEUE,
            patience: Duration::from_mins(1),
        }
    }
}

/// Frames and bytes of one link, counted by the party that holds this end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Frames sent.
    pub frames_sent: u64,
    /// Bytes sent, frame headers included, before encryption.
    pub bytes_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Bytes received, frame headers included, after decryption.
    pub bytes_received: u64,
}

impl LinkStats {
    pub(crate) fn count_sent(&mut self, body: usize) {
        self.frames_sent += 1;
        self.bytes_sent += (FRAME_HEADER_BYTES + body) as u64;
    }

    pub(crate) fn count_received(&mut self, body: usize) {
        self.frames_received += 1;
        self.bytes_received += (FRAME_HEADER_BYTES + body) as u64;
    }
}

/// Why a link failed. Every variant is final for the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The peer closed its end, was killed, or the network broke.
    #[error("the link to {peer} is down: {reason}")]
    LinkDown {
        /// The other end.
        peer: Role,
        /// What the operating system or TLS said.
        reason: String,
    },
    /// Nothing arrived within the deadline.
    #[error("no message from {} within {waited:.1?}: stalled or unreachable", waiting_for(.peers))]
    Timeout {
        /// Whom this party was waiting for.
        peers: Vec<Role>,
        /// How long it waited.
        waited: Duration,
    },
    /// Queued frames could not be delivered within the deadline.
    #[error("{} did not take the last {bytes} bytes within {waited:.1?}: stalled or unreachable", waiting_for(.peers))]
    SendStalled {
        /// Who did not take them.
        peers: Vec<Role>,
        /// What is left of the queued frames.
        bytes: u64,
        /// How long this party waited.
        waited: Duration,
    },
    /// A frame larger than the limit was announced.
    #[error("{peer} announced a frame of {bytes} bytes; the limit is {limit}")]
    FrameTooLarge {
        /// The sender.
        peer: Role,
        /// Announced size.
        bytes: u64,
        /// Largest size accepted.
        limit: u64,
    },
    /// A frame larger than the limit was to be sent; the peer would refuse it.
    #[error(
        "a frame of {bytes} bytes for {peer} exceeds the limit of {limit}: raise the frame limit of all parties, or use smaller batches"
    )]
    OversizedSend {
        /// The receiver.
        peer: Role,
        /// Size of the frame.
        bytes: u64,
        /// Largest size sent.
        limit: u64,
    },
    /// A frame whose content does not parse.
    #[error("{peer} sent a malformed frame of {bytes} bytes")]
    Malformed {
        /// The sender.
        peer: Role,
        /// Size of the frame.
        bytes: usize,
    },
}

impl NetError {
    /// The same failure of the parties that `name` gives in the place of those named here.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(Role) -> Role) -> Self {
        match &mut self {
            Self::LinkDown { peer, .. }
            | Self::FrameTooLarge { peer, .. }
            | Self::OversizedSend { peer, .. }
            | Self::Malformed { peer, .. } => *peer = name(*peer),
            Self::Timeout { peers, .. } | Self::SendStalled { peers, .. } => {
                for peer in peers {
                    *peer = name(*peer);
                }
            }
        }
        self
    }
}

fn waiting_for(peers: &[Role]) -> String {
    peers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ")
}

/// Fails when a frame of `bytes` may not be sent.
pub(crate) fn check_size(peer: Role, bytes: usize, limit: u64) -> Result<(), NetError> {
    let (bytes, limit) = (bytes as u64, limit.min(MAX_BODY));
    if bytes > limit {
        Err(NetError::OversizedSend { peer, bytes, limit })
    } else {
        Ok(())
    }
}

/// The two others, next first.
pub(crate) const fn peers_of(role: Role) -> [Role; 2] {
    [role.next(), role.prev()]
}

/// Ordered, reliable links from one party to its two peers.
///
/// FIFO per link. What the operating system does not take at once is kept and drained while this party
/// receives; a send waits only where more than [`LinkOptions::queue`] is kept already, and takes in meanwhile
/// what the peers send, so that two senders never wait for each other.
pub trait Transport: Send {
    /// Queue the frame `body` for `to`.
    ///
    /// # Errors
    /// [`NetError::OversizedSend`] above the frame limit; [`NetError::LinkDown`] once the link is
    /// known to be gone. An `Ok` does not mean that the peer has it.
    ///
    /// # Panics
    /// If a party sends to itself, or after [`finish`](Self::finish).
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError>;

    /// The next frame of either peer; waits at most until `deadline`.
    ///
    /// Frames that arrived completely are delivered before an error is reported. A peer that said
    /// goodbye is an error only if it is among `awaited` or both did; one that vanished always is.
    ///
    /// # Errors
    /// [`NetError::Timeout`] naming `awaited` if nothing came, [`NetError::LinkDown`],
    /// [`NetError::FrameTooLarge`].
    fn receive(&mut self, awaited: &[Role], deadline: Instant)
    -> Result<(Role, Vec<u8>), NetError>;

    /// Push out everything still queued, so that no peer waits for this party while it does something else.
    ///
    /// What arrives meanwhile is kept for [`Transport::receive`]. The `deadline` is for a peer that takes nothing: it
    /// moves on by as much as was given whenever one takes something, or is heard to work.
    ///
    /// # Errors
    /// [`NetError::SendStalled`] if a peer takes nothing for that long;
    /// [`NetError::LinkDown`], [`NetError::FrameTooLarge`].
    fn drain(&mut self, deadline: Instant) -> Result<(), NetError>;

    /// Push out everything still queued, and say goodbye. Nothing is sent afterwards, and what
    /// arrives from now on may be dropped.
    ///
    /// A transport dropped without it looks to its peers like a killed process. The `deadline` is as for
    /// [`Transport::drain`].
    ///
    /// # Errors
    /// [`NetError::SendStalled`] if a peer takes nothing for that long;
    /// [`NetError::LinkDown`] if it cannot any more.
    fn finish(&mut self, deadline: Instant) -> Result<(), NetError>;

    /// After [`finish`](Self::finish): wait until the peers have said goodbye too, at most until `deadline`.
    ///
    /// A connection that is closed while a peer still sends destroys what is under way to that peer.
    fn linger(&mut self, deadline: Instant) {
        let _ = deadline;
    }

    /// When `peer` was heard last; `None` where peers give no signs of life between their frames.
    fn heard(&self, peer: Role) -> Option<Heard> {
        let _ = peer;
        None
    }

    /// Counters of the link to `peer`.
    fn stats(&self, peer: Role) -> LinkStats;
}

/// Signs of life of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The last of any kind.
    pub any: Instant,
    /// The last that said that the peer works: (part of) a frame, or the word of its program. A peer that
    /// only waits gives signs of life, but none of these.
    pub work: Instant,
}
