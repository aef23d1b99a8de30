//! Reproducible randomness of experiments, printed with every result.

use trefoil_ring::Ring;

/// A small generator (`SplitMix64`) for inputs, shares and keys of experiments: never for protocols.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator for one purpose of an experiment, independent of those for other purposes.
    pub fn of(seed: u64, purpose: &str) -> Self {
        let mut random = Self::new(seed);
        for byte in purpose.bytes() {
            random.state ^= u64::from(byte);
            random.state = random.word();
        }
        random
    }

    /// The next word.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; its bias is below `end / 2^64`.
    ///
    /// # Panics
    /// If `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.word()) * end as u128) >> 64) as usize
    }

    /// A number in `[low, high)`.
    pub fn real(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform ring elements.
    pub fn elements<R: Ring>(&mut self, len: usize) -> Vec<R> {
        (0..len).map(|_| R::from_u64(self.word())).collect()
    }

    /// A key of 128 bits.
    pub fn key(&mut self) -> [u8; 16] {
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.word().to_le_bytes());
        key[8..].copy_from_slice(&self.word().to_le_bytes());
        key
    }

    /// `count` different numbers below `end`, ascending; all of them if there are fewer.
    pub fn choose(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..end).collect();
        if count >= end {
            return all;
        }
        for i in 0..count {
            let other = i + self.below(end - i);
            all.swap(i, other);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_numbers_are_different_and_below_the_end() {
        let mut random = Random::new(3);
        for _ in 0..50 {
            let chosen = random.choose(7, 20);
            assert_eq!(chosen.len(), 7);
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen[6] < 20);
        }
        assert_eq!(random.choose(9, 4), [0, 1, 2, 3]);
    }

    #[test]
    fn purposes_are_independent() {
        let first = |purpose| Random::of(1, purpose).word();
        assert_ne!(first("keys"), first("secrets"));
        assert_eq!(first("keys"), first("keys"));
    }
}
