//! Why a protocol run stopped.

use trefoil_net::{NetError, Role};

/// A peer's fault or a broken link. Every variant is final for the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Abort {
    /// The link failed.
    #[error("during {step}: {source}")]
    Link {
        /// What this party was waiting for, or doing.
        step: String,
        /// What happened.
        source: NetError,
    },
    /// A message of the wrong kind or length.
    #[error(
        "{peer} sent {found} of {found_bytes} bytes where {expected} of {expected_bytes} bytes was due"
    )]
    Unexpected {
        /// The sender.
        peer: Role,
        /// What this party is doing.
        expected: String,
        /// The length that is due.
        expected_bytes: usize,
        /// The kind the message names.
        found: String,
        /// The message's length.
        found_bytes: usize,
    },
    /// A message that nothing asked for, or a second copy of one.
    #[error("{peer} sent {found} again, or more than was asked for")]
    Surplus {
        /// The sender.
        peer: Role,
        /// The kind the message names.
        found: String,
    },
    /// More unread data from one peer than this party is willing to keep.
    #[error("{peer} is {bytes} bytes ahead; the limit is {limit}")]
    TooFarAhead {
        /// The sender.
        peer: Role,
        /// Bytes kept.
        bytes: u64,
        /// Largest amount kept.
        limit: u64,
    },
    /// The client sent this party and a peer different things where they must be the same.
    #[error(
        "the client told {peer} {what} that differs from this party's: the client, or {peer}, deviated; nothing was answered"
    )]
    Differs {
        /// The peer that was compared with.
        peer: Role,
        /// What differs.
        what: &'static str,
    },
    /// Two copies of one component, held by two parties, differ.
    #[error(
        "the copies of component {component} that two parties hold differ at element {index}: one of them deviated"
    )]
    Inconsistent {
        /// Which of the three components.
        component: usize,
        /// Position in row-major order.
        index: usize,
    },
}

impl Abort {
    /// The same of the parties that `name` gives in the place of those named here: where roles are turned against places.
    #[must_use]
    pub fn renamed(mut self, name: impl Fn(Role) -> Role) -> Self {
        match &mut self {
            Self::Link { source, .. } => *source = source.clone().renamed(name),
            Self::Unexpected { peer, .. }
            | Self::Surplus { peer, .. }
            | Self::TooFarAhead { peer, .. }
            | Self::Differs { peer, .. } => *peer = name(*peer),
            Self::Inconsistent { .. } => {}
        }
        self
    }
}
