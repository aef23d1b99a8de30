//! What a protocol costs, as code: asserted in its test, summed by a plan's estimate.

use std::ops::Add;

/// Communication of one protocol run: exact, and the same for all inputs.
///
/// Adding two costs means running one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Logical rounds: the longest chain of messages that depend on an input. Party 0's
    /// preparation depends on none and does not count.
    pub rounds: u32,
    /// Payload bytes that each party sends. Party 0's are the preprocessing, those of parties
    /// 1 and 2 the online phase (but for openings, where party 0 takes part).
    pub bytes: [u64; 3],
}

impl Cost {
    /// No communication.
    pub const FREE: Self = Self {
        rounds: 0,
        bytes: [0; 3],
    };

    /// `rounds` rounds in which the parties send `bytes`.
    pub const fn new(rounds: u32, bytes: [usize; 3]) -> Self {
        Self {
            rounds,
            bytes: [bytes[0] as u64, bytes[1] as u64, bytes[2] as u64],
        }
    }

    /// This protocol side by side with `other` (as in `Party::join`): rounds are shared.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        let sum = self + other;
        Self {
            rounds: self.rounds.max(other.rounds),
            ..sum
        }
    }

    /// `times` runs, one after the other.
    #[must_use]
    pub fn repeated(self, times: u32) -> Self {
        Self {
            rounds: self.rounds * times,
            bytes: self.bytes.map(|b| b * u64::from(times)),
        }
    }

    /// Bytes of all parties together.
    pub fn total_bytes(self) -> u64 {
        self.bytes.iter().sum()
    }
}

impl Add for Cost {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            rounds: self.rounds + other.rounds,
            bytes: std::array::from_fn(|i| self.bytes[i] + other.bytes[i]),
        }
    }
}
