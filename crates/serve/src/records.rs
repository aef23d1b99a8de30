//! What a party keeps of sessions that are over, until their client has batches of them opened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use trefoil_mpc::{PairSeeds, Transcript};
use trefoil_net::Pin;

/// How long a session is kept.
const KEPT: Duration = Duration::from_hours(1);
/// Bytes of leaves that are kept; older sessions give way.
const KEPT_BYTES: usize = 64 << 20;

/// Sessions of one party, oldest first.
#[derive(Default)]
pub(crate) struct Records(Mutex<VecDeque<Record>>);

struct Record {
    session: [u8; 16],
    client: Option<Pin>,
    since: Instant,
    batches: Kept,
}

/// The batches of one session, in order. Those whose leaves find no room are not kept: the first are.
#[derive(Default)]
pub(crate) struct Kept {
    batches: Vec<Batch>,
    bytes: usize,
}

impl Kept {
    /// Keep what opens the next batch, which ran under `seeds`, as long as there is room.
    pub(crate) fn push(&mut self, seeds: PairSeeds, transcript: &Transcript) {
        // Once one found no room the next ones are not kept either: a batch's place is its number.
        if self.bytes > KEPT_BYTES {
            return;
        }
        self.add(Batch {
            seeds,
            entries: transcript.to_bytes(),
        });
    }

    /// Whether there is nothing to open.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    fn add(&mut self, batch: Batch) {
        self.bytes += batch.entries.len();
        if self.bytes <= KEPT_BYTES {
            self.batches.push(batch);
        }
    }
}

/// A batch: its seeds, which open no other batch, and the leaves of its messages.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) seeds: PairSeeds,
    pub(crate) entries: Vec<u8>,
}

impl Records {
    /// Keep a session of `client`.
    pub(crate) fn keep(&self, session: [u8; 16], client: Option<Pin>, batches: Kept) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Record {
            session,
            client,
            since: Instant::now(),
            batches,
        });
        let size = |record: &Record| -> usize {
            let batches = record.batches.batches.iter();
            batches.map(|batch| batch.entries.len()).sum()
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
        kept.iter().find(mine)?.batches.batches.get(batch).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(batches: &[usize]) -> Kept {
        let mut kept = Kept::default();
        for &bytes in batches {
            kept.add(Batch {
                seeds: [None, None, None],
                entries: vec![0; bytes],
            });
        }
        kept
    }

    #[test]
    fn a_session_is_opened_to_its_own_client_alone() {
        let records = Records::default();
        let (owner, other) = (Some(Pin([1; 32])), Some(Pin([2; 32])));
        records.keep([7; 16], owner, session(&[3]));
        assert!(records.open(&[7; 16], owner, 0).is_some());
        assert!(records.open(&[7; 16], owner, 1).is_none());
        assert!(records.open(&[8; 16], owner, 0).is_none());
        assert!(records.open(&[7; 16], other, 0).is_none());
        assert!(records.open(&[7; 16], None, 0).is_none());
    }

    #[test]
    fn older_sessions_give_way() {
        let records = Records::default();
        for number in 0..3 {
            records.keep([number; 16], None, session(&[KEPT_BYTES / 2]));
        }
        assert!(records.open(&[0; 16], None, 0).is_none());
        assert!(records.open(&[1; 16], None, 0).is_some());
        assert!(records.open(&[2; 16], None, 0).is_some());
    }

    #[test]
    fn a_long_session_keeps_its_first_batches() {
        let records = Records::default();
        records.keep(
            [1; 16],
            None,
            session(&[KEPT_BYTES / 2, KEPT_BYTES / 2, 1, 1]),
        );
        assert!(records.open(&[1; 16], None, 1).is_some());
        assert!(records.open(&[1; 16], None, 2).is_none());
        assert!(records.open(&[1; 16], None, 3).is_none());
    }
}
