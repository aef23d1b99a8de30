//! What all branches of a party share: its links, what was posted and has not left, what has come and was not asked for yet.

use crate::{Abort, MessageKind};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};
use trefoil_net::{Branch, Message, NetError, Role, Transport, decode_frame, encode_frame};

/// Most bytes kept unread from one peer where nothing else is set.
const FAR_AHEAD: u64 = 8 << 30;
/// What an unread message takes beside its payload: its header, and its place in the table.
pub(super) const MESSAGE: u64 = 128;
/// Longest wait before a party looks whether its peers still live.
const GLANCE: Duration = Duration::from_millis(500);

type Key = (Role, Branch, u32);

/// The links of a party in a session, with what waits to leave and what has come.
pub(super) struct Runtime {
    pub(super) role: Role,
    pub(super) transport: RefCell<Box<dyn Transport>>,
    pub(super) timeout: Duration,
    pub(super) posted: RefCell<[Vec<Message>; 3]>,
    pub(super) posted_bytes: [Cell<usize>; 3],
    pub(super) last_flush: Cell<Instant>,
    pub(super) arrived: RefCell<HashMap<Key, Message>>,
    pub(super) unread: [Cell<u64>; 3],
    pub(super) far_ahead: Cell<u64>,
    pub(super) awaited: RefCell<Vec<(Role, MessageKind)>>,
    pub(super) yielded: Cell<bool>,
    pub(super) failure: RefCell<Option<Abort>>,
    pub(super) sent: [Cell<u64>; 3],
    pub(super) messages: [Cell<u64>; 3],
}

impl Runtime {
    pub(super) fn new(role: Role, timeout: Duration, transport: Box<dyn Transport>) -> Self {
        Self {
            role,
            transport: RefCell::new(transport),
            timeout,
            posted: RefCell::default(),
            posted_bytes: Default::default(),
            last_flush: Cell::new(Instant::now()),
            arrived: RefCell::default(),
            unread: Default::default(),
            far_ahead: Cell::new(FAR_AHEAD),
            awaited: RefCell::default(),
            yielded: Cell::new(false),
            failure: RefCell::default(),
            sent: Default::default(),
            messages: Default::default(),
        }
    }

    pub(super) fn fail(&self, abort: Abort) {
        self.failure.borrow_mut().get_or_insert(abort);
    }

    fn doing(&self) -> String {
        self.awaited
            .borrow()
            .first()
            .map_or_else(|| "sending".to_owned(), |(_, kind)| kind.to_string())
    }

    pub(super) fn flush(&self) -> Result<(), Abort> {
        self.last_flush.set(Instant::now());
        for peer in Role::ALL {
            let posted = std::mem::take(&mut self.posted.borrow_mut()[peer.index()]);
            self.posted_bytes[peer.index()].set(0);
            if !posted.is_empty() {
                let body = encode_frame(&posted);
                self.transport
                    .borrow_mut()
                    .send(peer, body)
                    .map_err(|source| link(&self.doing(), source))?;
            }
        }
        Ok(())
    }

    /// The next frame, however long it takes, as long as both peers live and somebody works.
    fn receive_while_they_live(&self, awaited: &[Role]) -> Result<(Role, Vec<u8>), NetError> {
        let start = Instant::now();
        let mut transport = self.transport.borrow_mut();
        let glance = (self.timeout / 8).min(GLANCE);
        loop {
            let received = transport.receive(awaited, Instant::now() + glance);
            let Err(NetError::Timeout { .. }) = received else {
                return received;
            };
            let now = Instant::now();
            let since = |sign: Instant| now.saturating_duration_since(sign.max(start));
            let (mut silent, mut stuck) = (Vec::new(), now - start);
            for peer in [self.role.next(), self.role.prev()] {
                let Some(heard) = transport.heard(peer) else {
                    continue;
                };
                stuck = stuck.min(since(heard.work));
                if since(heard.any) >= self.timeout {
                    silent.push((peer, since(heard.any)));
                }
            }
            // Who gives no sign of life is named, whether it is waited for or one of the others waits for it.
            let waited = silent.iter().map(|&(_, silence)| silence).max();
            if let Some(waited) = waited {
                let peers = silent.into_iter().map(|(peer, _)| peer).collect();
                return Err(NetError::Timeout { peers, waited });
            }
            // All live and nobody works: the message was lost, and will not come.
            if stuck >= self.timeout {
                let (peers, waited) = (awaited.to_vec(), now - start);
                return Err(NetError::Timeout { peers, waited });
            }
        }
    }

    pub(super) fn receive_frame(&self) -> Result<(), Abort> {
        let mut peers: Vec<Role> = self
            .awaited
            .borrow()
            .iter()
            .map(|(peer, _)| *peer)
            .collect();
        peers.sort_unstable();
        peers.dedup();
        let received = self.receive_while_they_live(&peers);
        let (peer, body) = received.map_err(|source| link(&self.doing(), source))?;
        let malformed = || {
            link(
                &self.doing(),
                NetError::Malformed {
                    peer,
                    bytes: body.len(),
                },
            )
        };
        let messages = decode_frame(&body).ok_or_else(malformed)?;
        let mut arrived = self.arrived.borrow_mut();
        for message in messages {
            let unread = &self.unread[peer.index()];
            unread.set(unread.get() + MESSAGE + message.payload.len() as u64);
            let limit = self.far_ahead.get();
            if unread.get() > limit {
                return Err(Abort::TooFarAhead {
                    peer,
                    bytes: unread.get(),
                    limit,
                });
            }
            match arrived.entry((peer, message.branch, message.number)) {
                Entry::Occupied(_) => {
                    return Err(Abort::Surplus {
                        peer,
                        found: MessageKind::name(message.tag),
                    });
                }
                Entry::Vacant(place) => place.insert(message),
            };
        }
        Ok(())
    }
}

/// The link failed during `step`.
pub(super) fn link(step: &str, source: NetError) -> Abort {
    Abort::Link {
        step: step.to_owned(),
        source,
    }
}
