//! Roles, frames, links and counters: how three parties and their clients talk.
//!
//! Nothing here knows what a message means: shares, protocols and models live above.
//!
//! - A party's run sees only a [`Transport`]: in memory ([`memory_mesh`]), paced like a network
//!   ([`emulated_mesh`]), or over TCP or TLS ([`SocketTransport`]).
//! - Connections begin with a handshake ([`Hello`]) that binds protocol version, session, roles
//!   and plan; under TLS each side knows the other by its [`Pin`]. [`establish`] connects three
//!   parties; [`Listener::accept`] and [`connect`] make the [`Channel`]s of clients.
//! - A [`Trunk`] is a long-lived connection between two parties that many sessions share, each with a
//!   [`StreamTransport`] of its own.
//! - A session's [`Pulse`] tells its peers that this program lives, so that a time-out means silence: no call
//!   waits for a peer that gives no sign of life, and a session has an end whatever its peers do.

mod activity;
mod channel;
mod connect;
mod emulated;
mod ending;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod hello;
mod identity;
mod line;
mod listener;
mod memory;
mod mesh;
mod message;
mod patience;
mod pulse;
mod role;
mod rotated;
mod seeds;
mod socket;
mod stream;
mod tls;
mod transport;
mod trunk;
mod wire;

pub use activity::Activity;
pub use channel::{Channel, LINGER};
pub use connect::{connect, connect_unless};
pub use emulated::{NetworkProfile, NetworkProfileError};
pub use error::SessionError;
pub use hello::{Hello, Mismatch, PROTOCOL_VERSION, Peer, Terms};
pub use identity::{Identity, Pin, PinParseError};
pub use listener::{Accepted, Incoming, Listener, Waker};
pub use memory::{
    MemoryTransport, emulated_mesh, emulated_mesh_with, memory_mesh, memory_mesh_with,
};
pub use mesh::{Entrance, Rendezvous, establish, establish_unless};
pub use message::{Branch, HEADER_BYTES, Message, Tag, decode_frame, encode_frame};
pub use pulse::{BEAT, Pulse, Stop};
pub use role::Role;
pub use rotated::{Rotated, Rotation};
pub use seeds::{Seed, agree_seed};
pub use socket::SocketTransport;
pub use tls::{Security, TlsSecurity, https_client, https_server};
pub use transport::{DEFAULT_FRAME_LIMIT, Heard, LinkOptions, LinkStats, NetError, Transport};
pub use trunk::{StreamTransport, Switchboard, Told, Trunk};
