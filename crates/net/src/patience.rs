//! Waits that last as long as nothing moves.

use crate::{NetError, Role};
use std::time::{Duration, Instant};

/// Longest sleep of a party that waits to send: signs of a peer's work are looked for in between.
pub(crate) const GLANCE: Duration = Duration::from_millis(100);

/// A wait that begins anew whenever something moves.
pub(crate) struct Patience {
    longest: Duration,
    since: Instant,
    left: u64,
}

impl Patience {
    pub(crate) fn new(start: Instant, deadline: Instant) -> Self {
        Self {
            longest: deadline.saturating_duration_since(start),
            since: start,
            left: u64::MAX,
        }
    }

    /// At `now` there are `left` bytes to go, and whoever shall take them was heard to work at `worked`.
    pub(crate) fn renew(&mut self, now: Instant, left: u64, worked: Option<Instant>) {
        if left < self.left {
            self.since = now;
            self.left = left;
        }
        if let Some(worked) = worked {
            self.since = self.since.max(worked);
        }
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.left(now).is_zero()
    }

    pub(crate) fn left(&self, now: Instant) -> Duration {
        (self.since + self.longest).saturating_duration_since(now)
    }
}

/// The error for peers that have bytes left to take.
pub(crate) fn send_stalled(stalled: &[(Role, u64)], waited: Duration) -> NetError {
    NetError::SendStalled {
        peers: stalled.iter().map(|&(peer, _)| peer).collect(),
        bytes: stalled.iter().map(|&(_, bytes)| bytes).sum(),
        waited,
    }
}
