//! Reproducible random values for tests.

use trefoil_ring::Ring;

/// A small generator for test inputs (SplitMix64): never for protocols.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator whose seed is `TREFOIL_SEED` or drawn from the operating system, and printed.
    pub fn printed(what: &str) -> Self {
        let drawn = || getrandom::u64().expect("the operating system's randomness");
        let seed = std::env::var("TREFOIL_SEED")
            .ok()
            .and_then(|s| s.parse().ok())
            .unwrap_or_else(drawn);
        println!("{what}: TREFOIL_SEED={seed}");
        Self::new(seed)
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform ring elements.
    pub fn elements<R: Ring>(&mut self, len: usize) -> Vec<R> {
        (0..len).map(|_| R::from_u64(self.word())).collect()
    }

    /// A number in `[low, high)`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Signed numbers below `2^bits` in magnitude, of all sizes, as ring elements.
    pub fn signed<R: Ring>(&mut self, len: usize, bits: u32) -> Vec<R> {
        let one = |random: &mut Self| {
            let size = random.word() % u64::from(bits + 1);
            let magnitude = (random.word() & ((1_u64 << size) - 1)) as i64;
            R::from_i64(if random.word() & 1 == 0 {
                magnitude
            } else {
                -magnitude
            })
        };
        (0..len).map(|_| one(self)).collect()
    }

    /// A PRG seed.
    pub fn seed(&mut self) -> [u8; 16] {
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.word().to_le_bytes());
        seed[8..].copy_from_slice(&self.word().to_le_bytes());
        seed
    }
}
