//! What a party needs of its links, whatever carries them.

use crate::Role;
use std::time::Instant;

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
    #[error("no message from {} within {seconds} s: stalled or unreachable", waiting_for(.peers))]
    Timeout {
        /// Whom this party was waiting for.
        peers: Vec<Role>,
        /// The deadline.
        seconds: u64,
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
    /// A frame whose content does not parse.
    #[error("{peer} sent a malformed frame of {bytes} bytes")]
    Malformed {
        /// The sender.
        peer: Role,
        /// Size of the frame.
        bytes: usize,
    },
}

fn waiting_for(peers: &[Role]) -> String {
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// Ordered, reliable links from one party to its two peers.
///
/// FIFO per link. A send never waits for the peer's program: what the operating system does not
/// take at once is kept and drained while this party receives.
pub trait Transport: Send {
    /// Queue the frame `body` for `to`.
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError>;

    /// The next frame of either peer; waits at most until `deadline`, and names `awaited` if nothing came.
    fn receive(&mut self, awaited: &[Role], deadline: Instant) -> Result<(Role, Vec<u8>), NetError>;

    /// Push out everything still queued, and say goodbye.
    fn finish(&mut self, deadline: Instant) -> Result<(), NetError>;

    /// Counters of the link to `peer`.
    fn stats(&self, peer: Role) -> LinkStats;
}
