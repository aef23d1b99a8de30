//! Where canaries are.

use std::ops::Range;

/// Canaries of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planted {
    /// What tables call them.
    pub(crate) kind: &'static str,
    /// Which of the members and which of the non-members they are, in the order of their parts.
    pub(crate) at: Range<usize>,
}
