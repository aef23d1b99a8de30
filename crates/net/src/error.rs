//! What can go wrong before and beside a run: identities, connecting, handshakes, channels.

use crate::hello::Mismatch;
use crate::{Pin, Role};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a session could not be set up, or a channel failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}{hint}")]
    Bind {
        /// As it was given.
        address: String,
        /// What the operating system said.
        reason: String,
        /// What to do, where it is known.
        hint: &'static str,
    },
    /// No connection to a peer within the deadline.
    #[error("cannot connect to {peer} within {waited:.1?}: {reason}")]
    Unreachable {
        /// Who, and where.
        peer: String,
        /// How long this side tried.
        waited: Duration,
        /// What the last attempt met.
        reason: String,
    },
    /// The peer's certificate is not the pinned one: not the peer, or its identity was renewed.
    #[error(
        "wrong identity of {peer}: its certificate has the pin {presented}, expected {expected}; \
         check the address, or renew the pin if the identity was renewed"
    )]
    WrongPin {
        /// Who, and where.
        peer: String,
        /// SHA-256 of the certificate that was shown.
        presented: Pin,
        /// The pin, or the pins, that would do.
        expected: String,
    },
    /// The peer does not accept this side's certificate.
    #[error(
        "{peer} does not accept this side's certificate, whose pin is {own}: add it to the pins there"
    )]
    PinRefused {
        /// Who, and where.
        peer: String,
        /// This side's pin.
        own: Pin,
    },
    /// TLS failed for another reason.
    #[error("TLS with {peer} failed: {reason}; do both sides use TLS?")]
    Tls {
        /// Who, and where.
        peer: String,
        /// What TLS said.
        reason: String,
    },
    /// The peer's hello does not fit; the peer was told.
    #[error("{peer} does not fit this session: {mismatch}")]
    Mismatch {
        /// Who, and where.
        peer: String,
        /// What differs.
        mismatch: Mismatch,
    },
    /// The peer refuses this side's hello.
    #[error("{peer} refuses this side: {mismatch}")]
    Rejected {
        /// Who, and where.
        peer: String,
        /// What differs, as the peer sees it.
        mismatch: Mismatch,
    },
    /// The connection ended or broke.
    #[error("the connection to {peer} is closed: {reason}")]
    Closed {
        /// Who, and where.
        peer: String,
        /// What the operating system or TLS said.
        reason: String,
    },
    /// Nothing, or not everything, came or went within the deadline.
    #[error("{peer} did not {what} within {waited:.1?}: stalled or unreachable")]
    Timeout {
        /// Who, and where.
        peer: String,
        /// What this side was waiting for.
        what: &'static str,
        /// How long it waited.
        waited: Duration,
    },
    /// A connection gave way to others before it had shown who it is.
    #[error("{peer} said no hello in {waited:.1?}, and many others wait: closed to make room")]
    Crowded {
        /// Its address.
        peer: String,
        /// How long it had been open.
        waited: Duration,
    },
    /// A frame above the limit was announced, or handed over for sending.
    #[error("a frame of {bytes} bytes from or for {peer} exceeds the limit of {limit}{hint}")]
    TooLarge {
        /// Who, and where.
        peer: String,
        /// Size of the frame.
        bytes: u64,
        /// Largest size accepted here.
        limit: u64,
        /// What the cause may be, where it can be told.
        hint: &'static str,
    },
    /// Something else than a hello, a reply or a seed came.
    #[error("{peer} does not speak Trefoil's protocol: {reason}")]
    Malformed {
        /// Who, and where.
        peer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Parties did not connect within the deadline.
    #[error("{} did not connect within {waited:.1?}{}", list(.peers), rejections(.rejected))]
    Missing {
        /// Who did not.
        peers: Vec<Role>,
        /// How long this party waited.
        waited: Duration,
        /// Connections that were turned away meanwhile, the last ones.
        rejected: Vec<(SocketAddr, String)>,
    },
    /// The session was stopped while this side waited.
    #[error("stopped: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The operating system gives no thread.
    #[error("the operating system gives no thread: {reason}")]
    Thread {
        /// What it said.
        reason: String,
    },
    /// An identity's file cannot be read, written or used.
    #[error("identity file {}: {reason}", .path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key cannot be made or used.
    #[error("certificate or key: {reason}")]
    Certificate {
        /// What is wrong.
        reason: String,
    },
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers: {reason}")]
    Random {
        /// What it said.
        reason: String,
    },
}

impl SessionError {
    pub(crate) fn bind(address: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; another process uses this port: stop it or choose another port"
            }
            io::ErrorKind::AddrNotAvailable => "; the address is not one of this machine",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
            _ => "",
        };
        Self::Bind {
            address: address.into(),
            reason: error.to_string(),
            hint,
        }
    }

    // By value, to fit `map_err`; so below.
    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn identity(path: &Path, reason: impl ToString) -> Self {
        Self::Identity {
            path: path.into(),
            reason: reason.to_string(),
        }
    }

    #[allow(clippy::needless_pass_by_value)]
    pub(crate) fn certificate(reason: impl ToString) -> Self {
        Self::Certificate {
            reason: reason.to_string(),
        }
    }
}

fn list(peers: &[Role]) -> String {
    peers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ")
}

fn rejections(rejected: &[(SocketAddr, String)]) -> String {
    if rejected.is_empty() {
        return String::new();
    }
    let all: Vec<_> = rejected
        .iter()
        .map(|(from, why)| format!("{from} ({why})"))
        .collect();
    format!("; turned away meanwhile: {}", all.join(", "))
}
