//! What there is of members and of non-members.

use serde::Serialize;

/// One thing for the members of a training set and one for the non-members, such as scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sides<T> {
    /// Of those whose record was trained on.
    pub members: T,
    /// Of those whose record was not.
    pub nonmembers: T,
}

impl<T> Sides<T> {
    /// Both sides.
    pub const fn new(members: T, nonmembers: T) -> Self {
        Self {
            members,
            nonmembers,
        }
    }

    /// Both sides, borrowed.
    pub const fn as_ref(&self) -> Sides<&T> {
        Sides::new(&self.members, &self.nonmembers)
    }

    /// `f` of each side.
    pub fn map<U>(self, mut f: impl FnMut(T) -> U) -> Sides<U> {
        Sides::new(f(self.members), f(self.nonmembers))
    }

    /// `f` of each side, unless it fails.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn try_map<U, E>(self, mut f: impl FnMut(T) -> Result<U, E>) -> Result<Sides<U>, E> {
        Ok(Sides::new(f(self.members)?, f(self.nonmembers)?))
    }

    /// Each side together with its counterpart in `other`.
    pub fn zip<U>(self, other: Sides<U>) -> Sides<(T, U)> {
        Sides::new(
            (self.members, other.members),
            (self.nonmembers, other.nonmembers),
        )
    }
}
