//! What a party's peers may know of its work: whether it waits, and whether anything moves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Shared between the thread that works and the one that tells the peers of it.
#[derive(Debug, Default)]
pub struct Activity {
    moved: AtomicU64,
    waiting: AtomicBool,
}

impl Activity {
    /// Something has come or gone.
    pub fn moved(&self) {
        self.moved.fetch_add(1, Relaxed);
    }

    /// From now on the program waits for others.
    pub fn wait(&self) {
        self.waiting.store(true, Relaxed);
    }

    /// From now on the program works.
    pub fn work(&self) {
        self.waiting.store(false, Relaxed);
    }

    /// Whether the program works, or has moved something since `seen` was taken; takes it anew.
    pub(crate) fn works(&self, seen: &mut u64) -> bool {
        let moved = self.moved.load(Relaxed);
        let before = std::mem::replace(seen, moved);
        !self.waiting.load(Relaxed) || moved != before
    }
}
