//! What messages are for.

use std::fmt;
use trefoil_net::Tag;

/// What a message is for. Travels in every message; the receiver rejects any other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
#[non_exhaustive]
pub enum MessageKind {
    /// An input's masked component.
    Input = 1,
    /// Components sent to open a value.
    Open = 2,
    /// Party 0's dealt shares of ring elements.
    Deal = 3,
    /// Party 0's dealt shares of bits.
    DealBits = 4,
    /// Masked sums between the evaluators.
    Reshare = 5,
    /// Masked bits between the evaluators.
    ReshareBits = 6,
    /// The wrap correction of a truncation between the evaluators.
    Wrap = 7,
    /// Party 0's share of a truncated mask.
    TruncatedMask = 8,
    /// An evaluator's word to party 0 that a batch is over.
    BatchEnd = 32,
    /// Digests of what a client sent, to be compared.
    Compare = 9,
}

impl MessageKind {
    /// The tag on the wire.
    pub const fn tag(self) -> Tag {
        Tag(self as u16)
    }

    /// The kind behind a tag, if it is one.
    pub fn of(tag: Tag) -> Option<Self> {
        let known = [
            Self::Input,
            Self::Open,
            Self::Deal,
            Self::DealBits,
            Self::Reshare,
            Self::ReshareBits,
            Self::Wrap,
            Self::TruncatedMask,
            Self::BatchEnd,
            Self::Compare,
        ];
        known.into_iter().find(|kind| kind.tag() == tag)
    }

    /// The name of the kind behind a tag.
    pub fn name(tag: Tag) -> String {
        Self::of(tag).map_or_else(
            || format!("unknown kind {}", tag.0),
            |kind| kind.to_string(),
        )
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Open => "open",
            Self::Deal => "deal",
            Self::DealBits => "deal bits",
            Self::Reshare => "reshare",
            Self::ReshareBits => "reshare bits",
            Self::Wrap => "truncation wrap",
            Self::BatchEnd => "batch end",
            Self::TruncatedMask => "truncated mask",
            Self::Compare => "comparison of what the client sent",
        })
    }
}
