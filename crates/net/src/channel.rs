//! A connection used in turns: between a client and a party, and before a run begins.

use crate::ending::Failure;
use crate::header::MAX_BODY;
use crate::line::Line;
use crate::patience::{GLANCE, Patience};
use crate::stream::{FrameStream, Read};
use crate::{Activity, LinkStats, Peer, Pin, SessionError};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is taken in of frames that nobody asked for yet, at most.
const AHEAD: usize = 256 << 20;

/// A framed connection to one peer, whose calls wait as long as the peer gives signs of life.
///
/// Made by [`connect`](crate::connect) and [`Listener::accept`](crate::Listener::accept), after
/// the handshake. The two ends take turns: while one sends, the other receives. A deadline is for a silent
/// peer: it moves on by as much as was given whenever something comes or goes. Who must end in time whatever
/// a peer does sets a limit to the session ([`Pulse`](crate::Pulse)). Dropping a channel closes the connection.
pub struct Channel {
    line: Line,
    peer: Peer,
    address: SocketAddr,
    /// Frames taken in by [`look`](Self::look).
    ahead: VecDeque<Vec<u8>>,
    ahead_bytes: usize,
    activity: Option<Arc<Activity>>,
    owned: bool,
}

impl Channel {
    pub(crate) fn new(stream: FrameStream, peer: Peer, address: SocketAddr) -> Self {
        Self {
            line: Line::new(stream),
            peer,
            address,
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            activity: None,
            owned: true,
        }
    }

    pub(crate) fn into_line(mut self) -> Line {
        self.owned = false;
        self.line.clone()
    }

    /// The line, for signs of life; this side's work shows in `activity` from now on.
    pub(crate) fn beat(&mut self, activity: Arc<Activity>) -> &Line {
        self.activity = Some(activity);
        &self.line
    }

    /// The other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }

    /// Under TLS, the pin of the certificate that the other end proved to be its own.
    pub fn pin(&self) -> Option<Pin> {
        self.line.lock().peer_certificate().map(Pin::of)
    }

    /// The address of the other end.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Frames and bytes so far, the hello and its answer included, TLS's own bytes not.
    pub fn stats(&self) -> LinkStats {
        self.line.lock().stats
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
        let stream = self.line.lock();
        let failure = stream.failure().filter(|_| !stream.deaf).cloned();
        drop(stream);
        if let Some(failure) = failure {
            return Err(self.explain(&failure, 0));
        }
        self.line.lock().push(body.to_vec());
        self.drain(deadline)
    }

    /// Receives a frame of at most `limit` bytes.
    ///
    /// # Errors
    /// [`SessionError::Timeout`], [`SessionError::Closed`], and [`SessionError::TooLarge`] if the
    /// peer announces more. After an error the channel cannot be used any more.
    pub fn recv(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, SessionError> {
        let start = Instant::now();
        let patience = deadline.saturating_duration_since(start);
        loop {
            if let Some(body) = self.recv_before(limit, Instant::now() + GLANCE.min(patience))? {
                return Ok(body);
            }
            let silent = self.silent_since(start).elapsed();
            if silent >= patience {
                return Err(self.timeout("send an answer", silent));
            }
        }
    }

    /// As [`recv`](Self::recv), but nothing is no error: at the `end` it returns.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv), but for the time-out.
    pub fn recv_before(
        &mut self,
        limit: u64,
        end: Instant,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        if let Some(body) = self.ahead.pop_front() {
            self.ahead_bytes -= body.len();
            return if body.len() as u64 > limit {
                Err(self.explain(&Failure::TooLarge(body.len() as u64), limit))
            } else {
                Ok(Some(body))
            };
        }
        loop {
            match self.read(limit)? {
                Read::Frame(body) => return Ok(Some(body)),
                Read::Progress => {
                    if Instant::now() >= end {
                        return Ok(None);
                    }
                }
                Read::Blocked => {
                    let now = Instant::now();
                    if now >= end {
                        return Ok(None);
                    }
                    self.waits(true);
                    self.line.poll(end - now);
                    self.waits(false);
                }
            }
        }
    }

    /// Takes in what has come, whether or not it is asked for: signs of life are behind it.
    ///
    /// # Errors
    /// As for [`recv_before`](Self::recv_before); what came before is still there for it.
    pub fn look(&mut self) -> Result<(), SessionError> {
        while self.ahead_bytes < AHEAD {
            match self.read(MAX_BODY)? {
                Read::Frame(body) => {
                    self.ahead_bytes += body.len();
                    self.ahead.push_back(body);
                }
                Read::Progress => {}
                Read::Blocked => break,
            }
        }
        Ok(())
    }

    /// The newest frame that was taken in and not yet asked for.
    pub fn newest(&self) -> Option<&[u8]> {
        self.ahead.back().map(Vec::as_slice)
    }

    /// When the peer gave its last sign of life, or `start` if that is later.
    pub fn silent_since(&self, start: Instant) -> Instant {
        let (heard, _) = self.line.lock().heard();
        heard.max(start)
    }

    fn read(&mut self, limit: u64) -> Result<Read, SessionError> {
        let mut stream = self.line.lock();
        stream.flush();
        let read = stream.read(limit);
        drop(stream);
        match read {
            Ok(read) => {
                if let (Some(activity), false) = (&self.activity, matches!(read, Read::Blocked)) {
                    activity.moved();
                }
                Ok(read)
            }
            Err(failure) => Err(self.explain(&failure, limit)),
        }
    }

    fn waits(&self, waits: bool) {
        if let Some(activity) = &self.activity {
            if waits {
                activity.wait();
            } else {
                activity.work();
            }
        }
    }

    /// Says goodbye and closes: what was sent before will arrive. Waits until the peer closes too, for at most
    /// [`LINGER`]: a connection that is closed while the peer still sends destroys what is under way.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn finish(mut self, deadline: Instant) -> Result<(), SessionError> {
        self.line.lock().push_goodbye();
        self.drain(deadline)?;
        let end = deadline.min(Instant::now() + LINGER);
        while Instant::now() < end {
            match self.read(MAX_BODY) {
                Ok(Read::Blocked) => self
                    .line
                    .poll(end.saturating_duration_since(Instant::now())),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), SessionError> {
        let start = Instant::now();
        let mut patience = Patience::new(start, deadline);
        loop {
            let mut stream = self.line.lock();
            stream.flush();
            if let Some(error) = stream.write_error() {
                let reason = error.into();
                drop(stream);
                return Err(SessionError::Closed {
                    peer: self.label(),
                    reason,
                });
            }
            if !stream.pending() {
                return Ok(());
            }
            // Signs of life of a peer that has no time to take anything yet.
            let _ = stream.listen();
            let (heard, left) = (stream.heard().0, stream.pending_bytes());
            drop(stream);
            let now = Instant::now();
            patience.renew(now, left, Some(heard));
            if patience.is_over(now) {
                return Err(self.timeout("take what was sent", now - start));
            }
            self.waits(true);
            // Not for reading: data that nobody takes now would end every wait at once.
            self.line.poll_writable(patience.left(now).min(GLANCE));
            self.waits(false);
        }
    }

    fn timeout(&self, what: &'static str, waited: Duration) -> SessionError {
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

impl Drop for Channel {
    fn drop(&mut self) {
        if self.owned {
            self.line.lock().close();
        }
    }
}

/// Longest wait of a [`Channel::finish`] for the other end to close.
pub const LINGER: Duration = Duration::from_secs(1);

/// How errors name the other end.
pub(crate) fn label(peer: Peer, address: &SocketAddr) -> String {
    format!("{peer} at {address}")
}
