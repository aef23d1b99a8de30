//! Choices for damaging files and messages: the same for the same seed, which the environment may name.

/// Random choices, the same for the same seed and number (xorshift64*, Vigna 2016).
pub struct Coins(u64);

impl Coins {
    /// Choices number `index` of `seed`.
    pub fn new(seed: u64, index: u64) -> Self {
        let mixed =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mut coins = Self(mixed | 1);
        // Neighbouring numbers differ in few bits.
        for _ in 0..8 {
            coins.word();
        }
        coins
    }

    /// 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.word() >> 16) as usize % end.max(1)
    }

    /// One of the items.
    ///
    /// # Panics
    /// If there is none.
    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of the items to be changed, if there is one.
    pub fn one_of_mut<'a, T>(&mut self, items: &'a mut [T]) -> Option<&'a mut T> {
        let at = self.below(items.len());
        items.get_mut(at)
    }
}

/// The number that the environment names so, else `otherwise`.
///
/// # Panics
/// If what it names is no number.
pub fn setting(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_again_for_the_same_seed_and_number_alone() {
        let drawn = |seed, index| -> Vec<usize> {
            let mut coins = Coins::new(seed, index);
            (0..20).map(|_| coins.below(1000)).collect()
        };
        assert_eq!(drawn(1, 2), drawn(1, 2));
        assert_ne!(drawn(1, 2), drawn(1, 3));
        assert_ne!(drawn(1, 2), drawn(2, 2));
        assert!(drawn(1, 2).iter().all(|&number| number < 1000));
        assert_eq!(Coins::new(1, 2).below(0), 0);
    }
}
