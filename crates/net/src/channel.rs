//! A connection used in turns: between a client and a party, and before a run begins.

use crate::stream::{Failure, FrameStream, MAX_BODY, Read, poll};
use crate::{LinkStats, Peer, Pin, SessionError};
use std::net::SocketAddr;
use std::time::Instant;

/// A framed connection to one peer, whose calls wait for the network until a deadline.
///
/// Made by [`connect`](crate::connect) and [`Listener::accept`](crate::Listener::accept), after
/// the handshake. The two ends take turns: while one sends, the other receives. Dropping it closes
/// the connection.
pub struct Channel {
    stream: FrameStream,
    peer: Peer,
    address: SocketAddr,
}

impl Channel {
    pub(crate) fn new(stream: FrameStream, peer: Peer, address: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            address,
        }
    }

    pub(crate) fn into_stream(self) -> FrameStream {
        self.stream
    }

    /// The other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Under TLS, the pin of the certificate that the other end proved to be its own.
    pub fn pin(&self) -> Option<Pin> {
        self.stream.peer_certificate().map(Pin::of)
    }

    /// The address of the other end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frames and bytes so far, the hello and its answer included, TLS's own bytes not.
    pub fn stats(&self) -> LinkStats {
        self.stream.stats
    }

    /// Sends a frame; returns when the operating system has taken all of it.
    ///
    /// # Errors
    /// [`SessionError::Timeout`], [`SessionError::Closed`], and [`SessionError::TooLarge`] above
    /// 4 GiB. After an error the channel cannot be used any more.
    pub fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), SessionError> {
        if body.len() as u64 > MAX_BODY {
            return Err(SessionError::TooLarge {
                peer: self.label(),
                bytes: body.len() as u64,
                limit: MAX_BODY,
                hint: ": send it in parts",
            });
        }
        if let Some(failure) = self.stream.failure() {
            return Err(self.explain(failure, 0));
        }
        self.stream.push(body.to_vec());
        self.drain(deadline)
    }

    /// Receives a frame of at most `limit` bytes.
    ///
    /// # Errors
    /// [`SessionError::Timeout`], [`SessionError::Closed`], and [`SessionError::TooLarge`] if the
    /// peer announces more. After an error the channel cannot be used any more.
    pub fn recv(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, SessionError> {
        let start = Instant::now();
        loop {
            self.stream.flush();
            match self.stream.read(limit) {
                Ok(Read::Frame(body)) => return Ok(body),
                Ok(read) => {
                    let now = Instant::now();
                    if now >= deadline {
                        return Err(self.timeout("send an answer", now - start));
                    }
                    if matches!(read, Read::Blocked) {
                        poll([&self.stream], deadline - now);
                    }
                }
                Err(failure) => return Err(self.explain(&failure, limit)),
            }
        }
    }

    /// Says goodbye and closes: what was sent before will arrive.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn finish(mut self, deadline: Instant) -> Result<(), SessionError> {
        self.stream.push_goodbye();
        self.drain(deadline)
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), SessionError> {
        let start = Instant::now();
        loop {
            self.stream.flush();
            if let Some(error) = self.stream.write_error() {
                return Err(SessionError::Closed {
                    peer: self.label(),
                    reason: error.into(),
                });
            }
            if !self.stream.pending() {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(self.timeout("take what was sent", now - start));
            }
            // Not for reading: data that nobody takes now would end every wait at once.
            self.stream.poll_writable(deadline - now);
        }
    }

    fn timeout(&self, what: &'static str, waited: std::time::Duration) -> SessionError {
        SessionError::Timeout {
            peer: self.label(),
            what,
            waited,
        }
    }

    pub(crate) fn label(&self) -> String {
        label(self.peer, &self.address)
    }

    fn explain(&self, failure: &Failure, limit: u64) -> SessionError {
        match *failure {
            Failure::TooLarge(bytes) => SessionError::TooLarge {
                peer: self.label(),
                bytes,
                limit,
                hint: "",
            },
            ref other => SessionError::Closed {
                peer: self.label(),
                reason: other.reason(limit),
            },
        }
    }
}

/// How errors name the other end.
pub(crate) fn label(peer: Peer, address: &SocketAddr) -> String {
    format!("{peer} at {address}")
}
