//! The three computing parties.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One of the three computing parties. Party 0 prepares, parties 1 and 2 evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Role {
    /// Party 0.
    P0,
    /// Party 1.
    P1,
    /// Party 2.
    P2,
}

impl Role {
    /// All roles, in ring order.
    pub const ALL: [Self; 3] = [Self::P0, Self::P1, Self::P2];

    /// 0, 1 or 2.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The party that follows in the ring 0 → 1 → 2 → 0.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::P0 => Self::P1,
            Self::P1 => Self::P2,
            Self::P2 => Self::P0,
        }
    }

    /// The party that precedes in the ring.
    #[must_use]
    pub const fn prev(self) -> Self {
        self.next().next()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "party {}", self.index())
    }
}

impl From<Role> for u8 {
    fn from(role: Role) -> Self {
        role as Self
    }
}

impl TryFrom<u8> for Role {
    type Error = String;
    fn try_from(index: u8) -> Result<Self, String> {
        Self::ALL
            .get(usize::from(index))
            .copied()
            .ok_or_else(|| format!("{index} is not a role: 0, 1 or 2"))
    }
}
