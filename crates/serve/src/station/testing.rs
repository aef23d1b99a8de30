//! A disk that loses power, and dice, for the tests of a station.

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

/// Numbers that follow from a seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// A disk in memory. What is written and not synced may be lost, write by write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Platter>>);

#[derive(Debug, Default)]
struct Platter {
    /// As the program sees it.
    now: Vec<u8>,
    /// As of the last sync.
    synced: Vec<u8>,
    /// Since the last sync.
    writes: Vec<(usize, Vec<u8>)>,
    /// Writes and syncs until it fails.
    left: Option<usize>,
    dead: bool,
}

impl Disk {
    /// After so many more writes and syncs every one fails.
    pub(crate) fn fail_after(&self, operations: usize) {
        self.0.lock().unwrap().left = Some(operations);
    }

    /// Whether it fails, or is about to.
    pub(crate) fn fails(&self) -> bool {
        let disk = self.0.lock().unwrap();
        disk.left.is_some() || disk.dead
    }

    /// Lose power: of what was not synced, some writes are there and some are not.
    pub(crate) fn crash(&self, dice: &mut Dice) {
        let mut disk = self.0.lock().unwrap();
        let mut left = std::mem::take(&mut disk.synced);
        for (at, bytes) in std::mem::take(&mut disk.writes) {
            if dice.below(2) == 0 {
                put(&mut left, at, &bytes);
            }
        }
        disk.synced.clone_from(&left);
        disk.now = left;
        disk.dead = true;
    }

    /// Power is back.
    pub(crate) fn revive(&self) {
        let mut disk = self.0.lock().unwrap();
        (disk.left, disk.dead) = (None, false);
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, what: &[u8]) {
    if bytes.len() < at + what.len() {
        bytes.resize(at + what.len(), 0);
    }
    bytes[at..at + what.len()].copy_from_slice(what);
}

impl Platter {
    fn step(&mut self) -> io::Result<()> {
        let failed = self.left == Some(0) || self.dead;
        self.left = self.left.map(|left| left.saturating_sub(1));
        if failed {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "no space left on device",
            ));
        }
        Ok(())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let disk = self.0.lock().unwrap();
        let at = offset as usize;
        let bytes = disk.now.get(at..at + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.step()?;
        disk.now.resize(len as usize, 0);
        disk.synced.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.step()?;
        for (at, bytes) in std::mem::take(&mut disk.writes) {
            put(&mut disk.synced, at, &bytes);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock().unwrap();
        disk.step()?;
        put(&mut disk.now, offset as usize, data);
        disk.writes.push((offset as usize, data.to_vec()));
        Ok(())
    }
}
