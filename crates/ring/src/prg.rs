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
/// order, for a mask that is used twice is no mask. It then remembers every stream's end.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Z32, Z64};
    use proptest::prelude::*;

    fn bytes(stream: [u8; 12], position: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        Prg::new(&Seed([9; 16])).fill(stream, position, &mut out);
        out
    }

    /// FIPS 197, appendix C.1: the plaintext read as a stream and an index.
    #[test]
    fn standard_vector_of_aes() {
        let prg = Prg::new(&Seed::from_bytes(std::array::from_fn(|i| i as u8)));
        let stream = std::array::from_fn(|i| i as u8 * 0x11);
        let mut out = [0; 16];
        assert_eq!(prg.fill(stream, 0xccdd_eeff, &mut out), 0xccdd_ef00);
        let expected: [u8; 16] = [
            0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4,
            0xc5, 0x5a,
        ];
        assert_eq!(out, expected);
    }

    /// NIST SP 800-38A, F.5.1: four blocks of CTR-AES128, which encrypt a known plaintext.
    #[test]
    fn standard_vector_of_counter_mode() {
        let key = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes();
        let stream = std::array::from_fn(|i| 0xf0 + i as u8);
        let mut out = [0; 64];
        let end = Prg::new(&Seed(key)).fill(stream, 0xfcfd_feff, &mut out);
        assert_eq!(end, 0xfcfd_ff03);
        let blocks = [
            (
                0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a,
                0x874d_6191_b620_e326_1bef_6864_990d_b6ce,
            ),
            (
                0xae2d_8a57_1e03_ac9c_9eb7_6fac_45af_8e51,
                0x9806_f66b_7970_fdff_8617_187b_b9ff_fdff,
            ),
            (
                0x30c8_1c46_a35c_e411_e5fb_c119_1a0a_52ef,
                0x5ae4_df3e_dbd5_d35e_5b4f_0902_0db0_3eab,
            ),
            (
                0xf69f_2445_df4f_9b17_ad2b_417b_e66c_3710,
                0x1e03_1dda_2fbe_03d1_7921_70a0_f300_9cee_u128,
            ),
        ];
        for (out, (plain, cipher)) in out.as_chunks::<16>().0.iter().zip(blocks) {
            assert_eq!(u128::from_be_bytes(*out), plain ^ cipher);
        }
    }

    proptest! {
        /// However a stream is cut into reads of whole blocks, the same bytes come out.
        #[test]
        fn a_stream_is_one_sequence(
            stream: [u8; 12],
            position in 0_u32..u32::MAX - 2000,
            first in 0_usize..600,
            second in 0_usize..10_000,
        ) {
            let prg = Prg::new(&Seed([9; 16]));
            let mut parts = vec![0; 16 * first];
            let middle = prg.fill(stream, position, &mut parts);
            prop_assert_eq!(middle, position + first as u32);
            let mut rest = vec![0; second];
            let end = prg.fill(stream, middle, &mut rest);
            prop_assert_eq!(end, middle + second.div_ceil(16) as u32);
            parts.extend(rest);
            prop_assert!(parts == bytes(stream, position, 16 * first + second));
        }

        #[test]
        fn keys_streams_and_positions_differ(
            x: ([u8; 16], [u8; 12], u32),
            y: ([u8; 16], [u8; 12], u32),
        ) {
            let block = |(key, stream, position): ([u8; 16], [u8; 12], u32)| {
                let mut out = [0; 16];
                Prg::new(&Seed(key)).fill(stream, position.min(u32::MAX - 1), &mut out);
                out
            };
            prop_assume!(x != y);
            prop_assert_ne!(block(x), block(y));
            prop_assert_ne!(block(x), block((x.0, x.1, x.2.min(u32::MAX - 2) ^ 1)));
        }
    }

    #[test]
    fn no_block_is_shared_by_neighbouring_streams() {
        let mut blocks = std::collections::HashSet::new();
        for stream in 0_u8..4 {
            let mut name = [0; 12];
            name[11] = stream;
            // The reads of a stream end where a counter that ran over into the name would begin.
            for position in [0, u32::MAX - 100] {
                for block in bytes(name, position, 1600).as_chunks::<16>().0 {
                    assert!(blocks.insert(*block));
                }
            }
        }
    }

    #[test]
    fn elements_are_the_bytes_of_the_stream() {
        let expected = bytes([1; 12], 5, 100);
        let fresh = || Prg::new(&Seed([9; 16]));
        let mut words = [0_u64; 12];
        assert_eq!(fresh().fill_words([1; 12], 5, &mut words), 11);
        for (word, bytes) in words.iter().zip(expected.as_chunks::<8>().0) {
            assert_eq!(*word, u64::from_le_bytes(*bytes));
        }
        let mut elements = [Z32::from_u64(0); 25];
        assert_eq!(fresh().fill_ring([1; 12], 5, &mut elements), 12);
        for (element, bytes) in elements.iter().zip(expected.as_chunks::<4>().0) {
            assert_eq!(element.0, u32::from_le_bytes(*bytes));
        }
        assert_eq!(fresh().fill_ring::<Z64>([1; 12], 5, &mut []), 5);
    }

    #[test]
    #[should_panic(expected = "PRG stream exhausted")]
    fn a_stream_ends() {
        bytes([0; 12], u32::MAX - 1, 17);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "PRG index used twice")]
    fn no_index_is_used_twice() {
        let prg = Prg::new(&Seed([9; 16]));
        let end = prg.fill([0; 12], 0, &mut [0; 33]);
        prg.fill([1; 12], 0, &mut [0; 33]);
        prg.fill([0; 12], end, &mut [0; 33]);
        prg.fill([0; 12], end + 2, &mut [0; 1]);
    }

    #[test]
    fn debug_shows_no_key() {
        let seed = Seed([0x61; 16]);
        assert_eq!(
            format!("{seed:?} {:?}", Prg::new(&seed)),
            "Seed(..) Prg(..)"
        );
    }

    #[test]
    fn can_move_to_another_thread() {
        fn send<T: Send>(_: &T) {}
        send(&Prg::new(&Seed([0; 16])));
    }
}
