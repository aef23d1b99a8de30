//! Roles, frames, links and counters: how three parties and their clients talk.
//!
//! Nothing here knows what a message means: shares, protocols and models live above.

mod emulated;
mod memory;
mod message;
mod role;
mod transport;

pub use emulated::{Network, NetworkParseError, emulated_mesh, emulated_mesh_with};
pub use memory::{MemoryTransport, memory_mesh, memory_mesh_with};
pub use message::{Branch, HEADER_BYTES, Message, Tag, decode_frame, encode_frame};
pub use role::Role;
pub use transport::{DEFAULT_FRAME_LIMIT, LinkOptions, LinkStats, NetError, Transport};
