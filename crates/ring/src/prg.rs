//! The keyed PRG: AES-128 in counter mode with domain separation.
//!
//! Block `index` of a stream is `AES_key(stream ‖ index)`: 12 bytes that name the stream, then the
//! index of the block in 4 bytes, big-endian (the counter block of NIST SP 800-38A and of
//! AES-GCM's CTR32). Two streams of one key never share a block; two holders of one key that name
//! the same stream and position read the same bytes.

use crate::Ring;
use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a block.
const BLOCK: usize = 16;
/// Blocks encrypted in one call: enough to fill the pipelines, few enough to stay in the L1 cache.
const BATCH: usize = 256;

/// A PRG key. Cleared from memory when dropped; its `Debug` shows no content.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed(pub [u8; 16]);

impl Seed {
    /// The key of these bytes, which the caller draws from a cryptographic source.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A pseudorandom function from (stream, position) to blocks of 16 bytes, under one key.
///
/// In builds with debug assertions it panics when blocks of a stream are read twice or out of
/// order, for a mask that is used twice is no mask.
pub struct Prg {
    cipher: Aes128,
    #[cfg(debug_assertions)]
    used: guard::Marks,
}

impl fmt::Debug for Prg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prg(..)")
    }
}

impl Prg {
    /// The PRG under `seed`.
    pub fn new(seed: &Seed) -> Self {
        Self {
            cipher: Aes128::new(&seed.0.into()),
            #[cfg(debug_assertions)]
            used: guard::Marks::default(),
        }
    }

    /// Fill `out` with the blocks from `position` (in blocks of 16 bytes) of `stream` on, and
    /// return the position behind them, `position + ceil(out.len() / 16)`. What is left of a last
    /// block that `out` uses in part is thrown away.
    ///
    /// # Panics
    /// If the position behind the blocks exceeds `u32::MAX`: a stream ends there. With debug
    /// assertions also if blocks at or behind `position` of this stream were read before.
    pub fn fill(&self, stream: [u8; 12], position: u32, out: &mut [u8]) -> u32 {
        let blocks = out.len().div_ceil(BLOCK);
        let end = u32::try_from(position as u64 + blocks as u64);
        assert!(
            end.is_ok(),
            "PRG stream exhausted: {blocks} blocks at position {position} pass 2^32"
        );
        let end = end.unwrap_or_default();
        #[cfg(debug_assertions)]
        self.used.advance(stream, position, end);

        let (whole, rest) = out.as_chunks_mut::<BLOCK>();
        let mut index = position;
        for batch in whole.chunks_mut(BATCH) {
            for block in batch.iter_mut() {
                *block = counter_block(stream, index);
                index += 1;
            }
            self.cipher
                .encrypt_blocks(Array::cast_slice_from_core_mut(batch));
        }
        if !rest.is_empty() {
            let mut block = Array(counter_block(stream, index));
            self.cipher.encrypt_block(&mut block);
            rest.copy_from_slice(&block[..rest.len()]);
        }
        end
    }

    /// [`Prg::fill`] for ring elements, each from `R::BYTES` bytes, little-endian.
    ///
    /// # Panics
    /// As [`Prg::fill`].
    pub fn fill_ring<R: Ring>(&self, stream: [u8; 12], position: u32, out: &mut [R]) -> u32 {
        self.fill(stream, position, bytemuck::cast_slice_mut(out))
    }

    /// [`Prg::fill`] for words of 64 bits, each from 8 bytes, little-endian.
    ///
    /// # Panics
    /// As [`Prg::fill`].
    pub fn fill_words(&self, stream: [u8; 12], position: u32, out: &mut [u64]) -> u32 {
        self.fill(stream, position, bytemuck::cast_slice_mut(out))
    }
}

/// `stream ‖ index`, the index big-endian.
fn counter_block(stream: [u8; 12], index: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..12].copy_from_slice(&stream);
    block[12..].copy_from_slice(&index.to_be_bytes());
    block
}

/// The check that no block is used twice.
#[cfg(debug_assertions)]
mod guard {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    /// The first unused position of every stream that was read.
    #[derive(Default)]
    pub(super) struct Marks(Mutex<HashMap<[u8; 12], u32>>);

    impl Marks {
        /// Note that `stream` was read from `position` up to `end`.
        pub(super) fn advance(&self, stream: [u8; 12], position: u32, end: u32) {
            if position == end {
                return;
            }
            let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mark = marks.entry(stream).or_default();
            assert!(
                position >= *mark,
                "PRG index used twice: block {position} of stream {stream:02x?}, already read up to {mark}"
            );
            *mark = end;
        }
    }
}
