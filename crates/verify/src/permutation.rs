//! The secret order of the runs.

use crate::VerifyError;
use crate::random::Random;

/// A uniformly random order of `0 .. len`. No `Debug`: it is secret until all answers are in.
pub struct Permutation {
    order: Vec<u32>,
}

impl Permutation {
    /// A secret order from the operating system's generator.
    ///
    /// # Errors
    /// If that fails.
    ///
    /// # Panics
    /// If there are 2^32 or more runs.
    pub fn secret(len: usize) -> Result<Self, VerifyError> {
        Self::shuffled(len, &mut Random::system())
    }

    /// Fisher and Yates' shuffle.
    pub(crate) fn shuffled(len: usize, random: &mut Random) -> Result<Self, VerifyError> {
        let end = u32::try_from(len).unwrap_or(u32::MAX);
        assert!(end < u32::MAX, "{len} runs");
        let mut order: Vec<u32> = (0..end).collect();
        for last in (1..len).rev() {
            let other = random.below(last + 1)?;
            order.swap(last, other);
        }
        Ok(Self { order })
    }

    /// What comes at each place.
    pub fn order(&self) -> impl ExactSizeIterator<Item = usize> {
        self.order.iter().map(|&index| index as usize)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_are_equally_likely() {
        let mut random = Random::seeded(1);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let permutation = Permutation::shuffled(4, &mut random).unwrap();
            *counts
                .entry(permutation.order().collect::<Vec<_>>())
                .or_insert(0_i64) += 1;
        }
        // 24 orders, standard deviation 31: seven of them.
        assert_eq!(counts.len(), 24);
        assert!(
            counts.values().all(|count| (count - 1000).abs() < 220),
            "{counts:?}"
        );
    }

    #[test]
    fn a_secret_order_holds_everything_once_and_is_fresh() {
        let [a, b] = [0, 1].map(|_| Permutation::secret(1000).unwrap());
        assert_ne!(a.order, b.order);
        let mut sorted: Vec<usize> = a.order().collect();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert!(Permutation::secret(0).unwrap().is_empty());
    }
}
