//! The keyed PRG: AES-128 in counter mode with domain separation.

use aes::Aes128;
use aes::cipher::{BlockModeEncrypt as _, KeyInit as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A PRG key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed(pub [u8; 16]);

/// A pseudorandom function from (stream, position) to blocks of 16 bytes, under one key.
pub struct Prg { cipher: Aes128 }

impl Prg {
    /// The PRG under `seed`.
    pub fn new(seed: &Seed) -> Self { Self { cipher: Aes128::new(&seed.0.into()) } }
    /// Fill `out` with the words at `position` (in blocks of 16 bytes) of `stream`, and return the
    /// position behind them.
    pub fn fill(&self, _stream: [u8; 12], _position: u32, _out: &mut [u8]) -> u32 { unreachable!() }
}
