//! What a party keeps of recorded sessions, until their client has batches of them opened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_mpc::{PairSeeds, Transcript};
use trefoil_net::Pin;

/// How long a session is kept.
const KEPT: Duration = Duration::from_hours(1);
/// Bytes of leaves that are kept; older sessions give way.
const KEPT_BYTES: usize = 64 << 20;

/// Recorded sessions of one party, oldest first.
#[derive(Default)]
pub(crate) struct Records(Mutex<VecDeque<Record>>);

struct Record {
    session: [u8; 16],
    client: Option<Pin>,
    since: Instant,
    batches: Vec<Batch>,
}

/// A recorded batch: its seeds, which open no other batch, and the leaves of its messages.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) seeds: PairSeeds,
    pub(crate) entries: Vec<u8>,
}

impl Batch {
    /// What is to be kept of a batch under `seeds`.
    pub(crate) fn new(seeds: PairSeeds, transcript: &Transcript) -> Self {
        let entries = transcript.to_bytes();
        Self { seeds, entries }
    }
}

impl Records {
    /// Keep a session of `client`.
    pub(crate) fn keep(&self, session: [u8; 16], client: Option<Pin>, batches: Vec<Batch>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Record {
            session,
            client,
            since: Instant::now(),
            batches,
        });
        let size = |record: &Record| -> usize {
            record.batches.iter().map(|batch| batch.entries.len()).sum()
        };
        let mut bytes: usize = kept.iter().map(size).sum();
        while let Some(oldest) = kept.front() {
            if bytes <= KEPT_BYTES && oldest.since.elapsed() < KEPT {
                break;
            }
            bytes -= size(oldest);
            kept.pop_front();
        }
    }

    /// Batch `batch` of a session, if it is kept and was this client's: nobody else is told anything.
    pub(crate) fn open(
        &self,
        session: &[u8; 16],
        client: Option<Pin>,
        batch: usize,
    ) -> Option<Batch> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = |record: &&Record| {
            record.session == *session && record.client == client && record.since.elapsed() < KEPT
        };
        kept.iter().find(mine)?.batches.get(batch).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: usize) -> Batch {
        Batch {
            seeds: [None, None, None],
            entries: vec![0; bytes],
        }
    }

    #[test]
    fn a_session_is_opened_to_its_own_client_alone() {
        let records = Records::default();
        let (owner, other) = (Some(Pin([1; 32])), Some(Pin([2; 32])));
        records.keep([7; 16], owner, vec![batch(3)]);
        assert!(records.open(&[7; 16], owner, 0).is_some());
        assert!(records.open(&[7; 16], owner, 1).is_none());
        assert!(records.open(&[8; 16], owner, 0).is_none());
        assert!(records.open(&[7; 16], other, 0).is_none());
        assert!(records.open(&[7; 16], None, 0).is_none());
    }

    #[test]
    fn older_sessions_give_way() {
        let records = Records::default();
        for session in 0..3 {
            records.keep([session; 16], None, vec![batch(KEPT_BYTES / 2)]);
        }
        assert!(records.open(&[0; 16], None, 0).is_none());
        assert!(records.open(&[1; 16], None, 0).is_some());
        assert!(records.open(&[2; 16], None, 0).is_some());
    }
}
