//! Roles, frames, links and counters: how three parties and their clients talk.
//!
//! Nothing here knows what a message means: shares, protocols and models live above.

mod message;
mod role;
mod transport;

pub use message::{Branch, Message, Tag, decode_frame, encode_frame};
pub use role::Role;
pub use transport::{LinkStats, NetError, Transport};
