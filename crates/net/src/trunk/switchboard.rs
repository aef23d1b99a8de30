//! The frames of two trunks, sorted into the inboxes of sessions.

use super::{STREAM_BYTES, Trunk};
use crate::header::MAX_BODY;
use crate::transport::{check_size, peers_of};
use crate::{LinkStats, NetError, Role, Transport};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Streams whose end is remembered, so that what comes late for them is dropped.
const ENDED: usize = 4096;
/// Streams of which something has come before they are opened here, at most.
const EARLY: usize = 256;

/// Sorts what comes on both trunks into the inboxes of sessions.
pub struct Switchboard {
    state: Mutex<Board>,
    /// Bytes that one session may have unread.
    unread: u64,
}

#[derive(Default)]
struct Board {
    generations: u64,
    open: HashMap<u64, Inbox>,
    /// What came before its session was opened here.
    early: HashMap<u64, Vec<Item>>,
    early_order: VecDeque<u64>,
    ended: HashSet<u64>,
    ended_order: VecDeque<u64>,
}

struct Inbox {
    to: Sender<Item>,
    /// The trunks that the session uses, by role.
    generations: [u64; 3],
    /// Bytes that the session has not taken yet.
    unread: Arc<Mutex<u64>>,
}

struct Item {
    from: Role,
    generation: u64,
    content: Result<Vec<u8>, String>,
}

impl Switchboard {
    /// A board on which one session may have `unread` bytes waiting; a session with more is failed.
    pub fn new(unread: u64) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            unread,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new_generation(&self) -> u64 {
        let mut board = self.lock();
        board.generations += 1;
        board.generations
    }

    /// Open the session `stream` of the party `role` over these trunks.
    ///
    /// `None` if a session of that number has been here: its randomness would come again.
    ///
    /// # Panics
    /// If the trunks are not those to the two peers, or for stream 0.
    pub fn open(
        self: &Arc<Self>,
        role: Role,
        stream: u64,
        trunks: [Arc<Trunk>; 2],
    ) -> Option<StreamTransport> {
        assert!(stream != 0, "stream 0 is the services' own");
        let mut peers = trunks.each_ref().map(|trunk| trunk.peer);
        peers.sort_unstable();
        let mut expected = peers_of(role);
        expected.sort_unstable();
        assert_eq!(peers, expected, "trunks to both peers");
        let mut generations = [0; 3];
        for trunk in &trunks {
            generations[trunk.peer.index()] = trunk.generation;
        }
        let (to, inbox) = channel();
        let unread = Arc::<Mutex<u64>>::default();
        let mut board = self.lock();
        if board.ended.contains(&stream) || board.open.contains_key(&stream) {
            return None;
        }
        for item in board.early.remove(&stream).unwrap_or_default() {
            // What another connection brought belongs to other randomness.
            if item.generation == generations[item.from.index()] {
                *counter(&unread) += item.bytes();
                let _ = to.send(item);
            }
        }
        let entry = Inbox {
            to,
            generations,
            unread: Arc::clone(&unread),
        };
        board.open.insert(stream, entry);
        drop(board);
        Some(StreamTransport {
            role,
            stream,
            trunks,
            inbox,
            unread,
            board: Arc::clone(self),
            stats: [LinkStats::default(); 3],
            failure: None,
        })
    }

    /// Fail a session from outside: its next receive ends with `reason`.
    pub fn fail(&self, stream: u64, reason: &str) {
        let board = self.lock();
        if let Some(inbox) = board.open.get(&stream) {
            for from in Role::ALL {
                let _ = inbox.to.send(Item {
                    from,
                    generation: inbox.generations[from.index()],
                    content: Err(reason.to_owned()),
                });
            }
        }
    }

    pub(super) fn deliver(&self, from: Role, generation: u64, stream: u64, body: Vec<u8>) {
        let mut board = self.lock();
        if board.ended.contains(&stream) {
            return;
        }
        let item = Item {
            from,
            generation,
            content: Ok(body),
        };
        if let Some(inbox) = board.open.get(&stream) {
            if inbox.generations[from.index()] != generation {
                return;
            }
            let mut unread = counter(&inbox.unread);
            *unread += item.bytes();
            let item = if *unread > self.unread {
                Item {
                    content: Err(format!("more than {} bytes are unread", self.unread)),
                    ..item
                }
            } else {
                item
            };
            drop(unread);
            let _ = inbox.to.send(item);
            return;
        }
        if !board.early.contains_key(&stream) {
            if board.early.len() >= EARLY
                && let Some(oldest) = board.early_order.pop_front()
            {
                board.early.remove(&oldest);
            }
            board.early_order.push_back(stream);
        }
        let waiting = board.early.entry(stream).or_default();
        let bytes: u64 = waiting.iter().map(Item::bytes).sum();
        if bytes + item.bytes() <= self.unread {
            waiting.push(item);
        }
    }

    pub(super) fn link_down(&self, peer: Role, generation: u64, reason: &str) {
        let board = self.lock();
        for inbox in board.open.values() {
            if inbox.generations[peer.index()] == generation {
                let _ = inbox.to.send(Item {
                    from: peer,
                    generation,
                    content: Err(reason.to_owned()),
                });
            }
        }
    }

    fn close(&self, stream: u64) {
        let mut board = self.lock();
        board.open.remove(&stream);
        board.early.remove(&stream);
        if board.ended.insert(stream) {
            board.ended_order.push_back(stream);
        }
        if board.ended_order.len() > ENDED
            && let Some(oldest) = board.ended_order.pop_front()
        {
            board.ended.remove(&oldest);
        }
    }
}

impl Item {
    fn bytes(&self) -> u64 {
        self.content.as_ref().map_or(0, |body| body.len() as u64)
    }
}

fn counter(unread: &Mutex<u64>) -> MutexGuard<'_, u64> {
    unread.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One session's links over two trunks. Dropping it ends the session's streams, not the trunks.
pub struct StreamTransport {
    role: Role,
    stream: u64,
    trunks: [Arc<Trunk>; 2],
    inbox: Receiver<Item>,
    unread: Arc<Mutex<u64>>,
    board: Arc<Switchboard>,
    stats: [LinkStats; 3],
    failure: Option<NetError>,
}

impl Transport for StreamTransport {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        assert!(to != self.role, "{to} has no link to itself");
        check_size(to, STREAM_BYTES + body.len(), MAX_BODY)?;
        let trunk = usize::from(self.trunks[0].peer != to);
        self.trunks[trunk].send(self.stream, &body)?;
        self.stats[to.index()].count_sent(STREAM_BYTES + body.len());
        Ok(())
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let start = Instant::now();
        let left = deadline.saturating_duration_since(start);
        match self.inbox.recv_timeout(left) {
            Ok(Item {
                from,
                content: Ok(body),
                ..
            }) => {
                let mut unread = counter(&self.unread);
                *unread = unread.saturating_sub(body.len() as u64);
                drop(unread);
                self.stats[from.index()].count_received(STREAM_BYTES + body.len());
                Ok((from, body))
            }
            Ok(Item {
                from,
                content: Err(reason),
                ..
            }) => {
                let failure = NetError::LinkDown { peer: from, reason };
                self.failure = Some(failure.clone());
                Err(failure)
            }
            Err(RecvTimeoutError::Timeout) => Err(NetError::Timeout {
                peers: awaited.to_vec(),
                waited: start.elapsed(),
            }),
            Err(RecvTimeoutError::Disconnected) => Err(NetError::LinkDown {
                peer: self.role.next(),
                reason: "the session has been closed".into(),
            }),
        }
    }

    fn drain(&mut self, _: Instant) -> Result<(), NetError> {
        // A send returns when everything has been taken.
        Ok(())
    }

    fn finish(&mut self, _: Instant) -> Result<(), NetError> {
        // The trunks stay; that a session is over is said by the services.
        Ok(())
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.stats[peer.index()]
    }
}

impl Drop for StreamTransport {
    fn drop(&mut self) {
        self.board.close(self.stream);
    }
}
