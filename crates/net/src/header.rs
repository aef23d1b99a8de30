//! The length before every frame, and the lengths that no frame has.

/// Bytes of a frame's length prefix, counted with every frame on every kind of link.
pub(crate) const FRAME_HEADER_BYTES: usize = 4;

/// The length that says: this end lives, and waits for others.
pub(crate) const WAITING: u32 = u32::MAX - 2;

/// Largest body a length can announce.
pub(crate) const MAX_BODY: u64 = WAITING as u64 - 1;
