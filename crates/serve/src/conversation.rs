//! The turns that a client and a party take, over a connection or inside one process.

use crate::ServeError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;
use trefoil_net::Channel;

/// One end of a conversation: whole frames, in order.
pub(crate) trait Conversation: Send {
    /// Send a frame.
    fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), ServeError>;
    /// The next frame, of at most `limit` bytes.
    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError>;
}

impl Conversation for Channel {
    fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), ServeError> {
        Ok(Self::send(self, body, deadline)?)
    }

    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError> {
        Ok(self.recv(limit, deadline)?)
    }
}

/// A conversation between two threads.
pub(crate) struct Pipe {
    peer: String,
    out: Sender<Vec<u8>>,
    into: Receiver<Vec<u8>>,
}

/// Both ends of a conversation between `first` and `second`, as they are named in errors.
pub(crate) fn pipe(first: &str, second: &str) -> (Pipe, Pipe) {
    let (to_second, from_first) = channel();
    let (to_first, from_second) = channel();
    (
        Pipe {
            peer: second.to_owned(),
            out: to_second,
            into: from_second,
        },
        Pipe {
            peer: first.to_owned(),
            out: to_first,
            into: from_first,
        },
    )
}

impl Conversation for Pipe {
    fn send(&mut self, body: &[u8], _: Instant) -> Result<(), ServeError> {
        let gone = |_| ServeError::Conversation {
            peer: self.peer.clone(),
            problem: "has ended".into(),
        };
        self.out.send(body.to_vec()).map_err(gone)
    }

    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError> {
        let wrong = |problem: String| {
            Err(ServeError::Conversation {
                peer: self.peer.clone(),
                problem,
            })
        };
        match self
            .into
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(body) if body.len() as u64 <= limit => Ok(body),
            Ok(body) => wrong(format!(
                "sent {} bytes where at most {limit} are due",
                body.len()
            )),
            Err(RecvTimeoutError::Timeout) => wrong("did not answer in time".into()),
            Err(RecvTimeoutError::Disconnected) => wrong("has ended".into()),
        }
    }
}
