//! Long-lived links between parties that many sessions share: no handshake for a query.
//!
//! A [`Trunk`] is one connection to one peer, with a thread that reads it. Each frame begins with the number of its
//! stream: stream 0 carries what the services say to each other, every other stream is one session. A
//! [`Switchboard`] sorts the frames of both trunks into the sessions' inboxes; a [`StreamTransport`] is a session's
//! view of it.

mod switchboard;

pub use switchboard::{StreamTransport, Switchboard};

use crate::header::MAX_BODY;
use crate::line::Line;
use crate::stream::Read;
use crate::{BEAT, Channel, NetError, Peer, Role, Seed, SessionError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of the number before every frame.
const STREAM_BYTES: usize = 8;
/// Longest wait of a sender before it looks whether the link still lives.
const GLANCE: Duration = Duration::from_millis(100);

/// What a trunk tells its owner.
pub enum Told {
    /// A message of the peer's service.
    Word(Vec<u8>),
    /// The link has ended; nothing follows.
    Down(String),
}

/// One long-lived connection to one peer.
pub struct Trunk {
    line: Line,
    peer: Role,
    /// Tells this connection from earlier ones to the same peer.
    generation: u64,
    seed: Seed,
}

impl Trunk {
    /// Use `channel` as a trunk from now on. A thread reads it until it ends; `told` hears of it in order. A peer that
    /// gives no sign of life for `patience` is given up.
    ///
    /// `seed` is what both ends agreed on over this very connection: sessions draw theirs from it.
    ///
    /// # Errors
    /// [`SessionError::Thread`] if the system gives no thread; [`SessionError::Malformed`] if the other end is no party.
    pub fn start(
        channel: Channel,
        seed: Seed,
        board: Arc<Switchboard>,
        patience: Duration,
        told: impl Fn(Told) + Send + 'static,
    ) -> Result<Arc<Self>, SessionError> {
        let Peer::Party(peer) = channel.peer() else {
            return Err(SessionError::Malformed {
                peer: channel.label(),
                reason: "a trunk leads to a party, not to a client".into(),
            });
        };
        let trunk = Arc::new(Self {
            line: channel.into_line(),
            peer,
            generation: board.new_generation(),
            seed,
        });
        let reader = Arc::clone(&trunk);
        let run = move || {
            let reason = reader.read(&board, patience, &told);
            reader.line.lock().cut(&reason);
            board.link_down(reader.peer, reader.generation, &reason);
            told(Told::Down(reason));
        };
        std::thread::Builder::new()
            .name(format!("link to {peer}"))
            .spawn(run)
            .map_err(|error| SessionError::Thread {
                reason: error.to_string(),
            })?;
        Ok(trunk)
    }

    /// The other end.
    pub fn peer(&self) -> Role {
        self.peer
    }

    /// The secret that both ends share for as long as this connection lives.
    pub fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Send a message to the peer's service.
    ///
    /// # Errors
    /// [`NetError::LinkDown`].
    pub fn say(&self, word: &[u8]) -> Result<(), NetError> {
        self.send(0, word)
    }

    /// End the connection.
    pub fn close(&self, reason: &str) {
        self.line.lock().cut(reason);
    }

    /// Returns when the system has taken the frame. The peer's thread reads whatever its sessions do, so that two senders
    /// never wait for each other.
    fn send(&self, stream: u64, body: &[u8]) -> Result<(), NetError> {
        let mut frame = Vec::with_capacity(STREAM_BYTES + body.len());
        frame.extend_from_slice(&stream.to_le_bytes());
        frame.extend_from_slice(body);
        let mut line = self.line.lock();
        if let Some(failure) = line.failure() {
            let reason = failure.reason(MAX_BODY);
            return Err(self.down(reason));
        }
        line.push(frame);
        loop {
            line.flush();
            if let Some(error) = line.write_error() {
                let reason = error.to_owned();
                return Err(self.down(reason));
            }
            if let Some(failure) = line.failure() {
                let reason = failure.reason(MAX_BODY);
                return Err(self.down(reason));
            }
            if !line.pending() {
                return Ok(());
            }
            drop(line);
            self.line.poll_writable(GLANCE);
            line = self.line.lock();
        }
    }

    fn down(&self, reason: String) -> NetError {
        NetError::LinkDown {
            peer: self.peer,
            reason,
        }
    }

    /// Why reading has ended.
    fn read(&self, board: &Switchboard, patience: Duration, told: &impl Fn(Told)) -> String {
        let mut beat = Instant::now();
        loop {
            let now = Instant::now();
            let mut line = self.line.lock();
            if now >= beat {
                line.beat(true);
                beat = now + BEAT;
            }
            let read = line.read(MAX_BODY);
            let silent = now.saturating_duration_since(line.heard().0);
            drop(line);
            match read {
                Ok(Read::Frame(frame)) => {
                    let Some((stream, _)) = frame.split_first_chunk() else {
                        return "the peer sent a frame without the number of its stream".into();
                    };
                    let stream = u64::from_le_bytes(*stream);
                    let body = frame[STREAM_BYTES..].to_vec();
                    if stream == 0 {
                        told(Told::Word(body));
                    } else {
                        board.deliver(self.peer, self.generation, stream, body);
                    }
                }
                Ok(Read::Progress) => {}
                Ok(Read::Blocked) if silent >= patience => {
                    return format!("no sign of life for {silent:.1?}: stalled or unreachable");
                }
                Ok(Read::Blocked) => self.line.poll(beat.saturating_duration_since(now)),
                Err(failure) => return failure.reason(MAX_BODY),
            }
        }
    }
}

impl Drop for Trunk {
    fn drop(&mut self) {
        self.line.lock().close();
    }
}

#[cfg(test)]
mod tests;
