//! The links to the other two parties that are up.

use super::desk::Word;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use trefoil_net::{Role, Trunk};

/// A link that is up: the connection, and what is to be said over it.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) trunk: Arc<Trunk>,
    pub(super) words: Sender<Word>,
}

/// The links that are up, by role.
#[derive(Default)]
pub(crate) struct Links {
    up: Mutex<[Option<Link>; 3]>,
    pub(super) changed: Condvar,
}

impl Links {
    pub(super) fn lock(&self) -> MutexGuard<'_, [Option<Link>; 3]> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn to(&self, peer: Role) -> Option<Link> {
        self.lock()[peer.index()].clone()
    }

    /// Say something, in a thread of the link: a slow peer holds up nobody here.
    pub(crate) fn say(&self, to: Role, word: Word) {
        if let Some(link) = &self.lock()[to.index()] {
            let _ = link.words.send(word);
        }
    }

    pub(crate) fn close(&self, reason: &str) {
        for link in self.lock().iter().flatten() {
            link.trunk.close(reason);
        }
    }

    pub(super) fn is_up(&self, peer: Role) -> bool {
        self.lock()[peer.index()].is_some()
    }
}
