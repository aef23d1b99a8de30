//! Frames over a non-blocking TCP connection, in the clear or inside TLS.

use crate::LinkStats;
use crate::ending::Failure;
use crate::header::{FRAME_HEADER_BYTES, MAX_BODY, WAITING};
use crate::wire::{Outgoing, Partial, Queue, READ_BYTES, Tls, fill, write_plain, write_tls};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustls::Connection;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The length that says goodbye instead of announcing a frame.
const GOODBYE: u32 = u32::MAX;

/// The length that says: this end lives, and works or has moved something since it last said so.
const WORKING: u32 = u32::MAX - 1;

/// One end of a framed connection. Never blocks; see [`poll`] for waiting.
///
/// Wire format: a little-endian `u32` length, then the body; a length of `u32::MAX` is a goodbye, the two
/// lengths below it are signs of life without a body.
// The two directions end independently of each other, so their states are no single one.
#[allow(clippy::struct_excessive_bools)]
pub(crate) struct FrameStream {
    socket: Arc<TcpStream>,
    tls: Option<Box<Tls>>,
    outgoing: Queue,
    /// Goodbye is queued: shut the sending side down behind it.
    closing: bool,
    shut: bool,
    write_error: Option<String>,
    /// Received plaintext that is in no frame yet, from `taken` on.
    incoming: Vec<u8>,
    taken: usize,
    partial: Option<Partial>,
    failure: Option<Failure>,
    /// This side has stopped reading: that nothing comes any more says nothing of the peer.
    pub(crate) deaf: bool,
    /// Whether anything has ever come.
    spoke: bool,
    /// When anything came last.
    heard: Instant,
    /// When (part of) a frame came last, or the word that the peer works.
    worked: Instant,
    pub(crate) stats: LinkStats,
}

/// What one look at the connection brought.
pub(crate) enum Read {
    /// A complete frame.
    Frame(Vec<u8>),
    /// Some bytes; look again.
    Progress,
    /// Nothing for now.
    Blocked,
}

impl FrameStream {
    pub(crate) fn new(socket: TcpStream, tls: Option<Connection>) -> io::Result<Self> {
        // Send and receive buffers are left to the kernel, which grows them on demand; a size set
        // by hand is capped far below what it reaches by itself.
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let tls = tls.map(|connection| Box::new(Tls::new(connection)));
        let now = Instant::now();
        Ok(Self {
            socket: Arc::new(socket),
            tls,
            outgoing: Queue::default(),
            closing: false,
            shut: false,
            write_error: None,
            incoming: Vec::new(),
            taken: 0,
            partial: None,
            failure: None,
            deaf: false,
            spoke: false,
            heard: now,
            worked: now,
            stats: LinkStats::default(),
        })
    }

    pub(crate) fn socket(&self) -> &Arc<TcpStream> {
        &self.socket
    }

    /// The TLS peer's certificate, once the handshake is done.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.tls.as_ref()?.connection.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// How far the other end has come in showing who it is: 0 silent, 1 it has said something, 2 under TLS it has
    /// proved to have a certificate that is pinned here.
    pub(crate) fn trust(&self) -> u8 {
        match &self.tls {
            Some(tls) if !tls.connection.is_handshaking() => 2,
            _ => u8::from(self.spoke),
        }
    }

    /// Queues a frame of at most [`MAX_BODY`] bytes.
    pub(crate) fn push(&mut self, body: Vec<u8>) {
        assert!(!self.closing, "nothing is sent after a goodbye");
        debug_assert!(body.len() as u64 <= MAX_BODY);
        self.stats.count_sent(body.len());
        self.outgoing.push(Outgoing::new(body.len() as u32, body));
    }

    /// Tells the peer that this end lives, unless something is on its way out anyway.
    pub(crate) fn beat(&mut self, working: bool) {
        if !self.closing && self.outgoing.is_empty() && self.write_error.is_none() {
            let sign = if working { WORKING } else { WAITING };
            self.outgoing.push(Outgoing::new(sign, Vec::new()));
        }
        self.flush();
    }

    /// Queues a goodbye, after which nothing may be pushed.
    pub(crate) fn push_goodbye(&mut self) {
        if !self.closing {
            self.closing = true;
            self.outgoing.push(Outgoing::new(GOODBYE, Vec::new()));
        }
    }

    /// Whether something waits for the socket to take it.
    pub(crate) fn pending(&self) -> bool {
        self.write_error.is_none()
            && (!self.outgoing.is_empty()
                || (self.closing && !self.shut)
                || self
                    .tls
                    .as_ref()
                    .is_some_and(|tls| tls.connection.wants_write()))
    }

    /// Bytes of frames not yet taken by the socket or by TLS.
    pub(crate) fn pending_bytes(&self) -> u64 {
        self.outgoing.bytes()
    }

    /// Memory held for receiving.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let body = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.body.capacity());
        body + self.incoming.capacity() + self.tls.as_ref().map_or(0, |tls| tls.memory())
    }

    /// Why nothing can be sent any more; what was queued is lost.
    pub(crate) fn write_error(&self) -> Option<&str> {
        self.write_error.as_deref()
    }

    /// Why nothing more can be received.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// When the peer gave a sign of life last, and when one of work.
    pub(crate) fn heard(&self) -> (Instant, Instant) {
        (self.heard, self.worked)
    }

    /// Whether something has come that is in no frame yet.
    pub(crate) fn half_read(&self) -> bool {
        self.partial.is_some() || self.incoming.len() > self.taken
    }

    /// Ends both directions now, for `reason`; who waits for the socket wakes.
    pub(crate) fn cut(&mut self, reason: &str) {
        if self.failure.is_none() {
            self.failure = Some(Failure::Closed(reason.to_owned()));
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Ends both directions; what the system has taken will still arrive.
    pub(crate) fn close(&mut self) {
        self.cut("this side has closed it");
    }

    /// Hands over what the socket takes without waiting.
    pub(crate) fn flush(&mut self) {
        if !self.pending() {
            return;
        }
        let result = match &mut self.tls {
            None => write_plain(&self.socket, &mut self.outgoing),
            Some(tls) => write_tls(&self.socket, tls, &mut self.outgoing),
        };
        let result = match result {
            Ok(true) if self.closing && !self.shut => self.shut_down(),
            other => other.map(|_| ()),
        };
        if let Err(error) = result {
            self.outgoing.clear();
            self.write_error = Some(error.to_string());
        }
    }

    /// What to wait for.
    pub(crate) fn flags(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.failure.is_none());
        flags.set(PollFlags::OUT, self.pending());
        flags
    }

    fn shut_down(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            if !write_tls(&self.socket, tls, &mut Queue::default())? {
                return Ok(());
            }
        }
        self.shut = true;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Takes the next frame, or reads once from the socket. `limit` is the largest body accepted.
    pub(crate) fn read(&mut self, limit: u64) -> Result<Read, Failure> {
        if let Some(frame) = self.take_frame(limit)? {
            return Ok(Read::Frame(frame));
        }
        if !self.fill()? {
            return Ok(Read::Blocked);
        }
        Ok(self.take_frame(limit)?.map_or(Read::Progress, Read::Frame))
    }

    /// Takes in the peer's signs of life, as far as no frame is before them.
    pub(crate) fn listen(&mut self) -> Result<(), Failure> {
        loop {
            if let Some(failure) = &self.failure {
                return Err(failure.clone());
            }
            self.take_signs();
            if self.half_read() || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// Reads once from the socket; whether anything was there.
    fn fill(&mut self) -> Result<bool, Failure> {
        let large = self
            .partial
            .as_ref()
            .is_some_and(|p| p.missing() >= READ_BYTES);
        let filled = match (&mut self.tls, &mut self.partial) {
            (Some(tls), partial) => tls.fill(&self.socket, partial.as_mut(), &mut self.incoming),
            (None, Some(partial)) if large => partial.fill(&self.socket, &mut self.incoming),
            (None, _) => fill(&self.socket, &mut self.incoming),
        };
        match filled {
            Ok(filled) => {
                if filled {
                    self.spoke = true;
                    self.heard = Instant::now();
                }
                Ok(filled)
            }
            Err(Failure::Closed(reason)) => {
                let reason = format!("{reason}{}", self.cut_in_a_frame());
                Err(self.fail(Failure::Closed(reason)))
            }
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Passes over signs of life.
    fn take_signs(&mut self) {
        while let Some(&header) = self.incoming[self.taken..].first_chunk()
            && self.partial.is_none()
        {
            match u32::from_le_bytes(header) {
                WORKING => self.worked = self.heard,
                WAITING => {}
                _ => return,
            }
            self.taken += FRAME_HEADER_BYTES;
        }
        if self.taken == self.incoming.len() {
            self.incoming.clear();
            self.taken = 0;
        }
    }

    /// Assembles a frame from what is in `incoming`.
    fn take_frame(&mut self, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.take_signs();
        let mut partial = if let Some(partial) = self.partial.take() {
            self.worked = self.heard;
            partial
        } else {
            let Some(&header) = self.incoming[self.taken..].first_chunk() else {
                // Part of a header at most: make room behind it.
                self.incoming.drain(..self.taken);
                self.taken = 0;
                return Ok(None);
            };
            let length = u32::from_le_bytes(header);
            if length == GOODBYE {
                return Err(self.fail(Failure::Goodbye));
            }
            if u64::from(length) > limit {
                return Err(self.fail(Failure::TooLarge(u64::from(length))));
            }
            self.taken += FRAME_HEADER_BYTES;
            self.worked = self.heard;
            Partial::new(length as usize)
        };
        let available = &self.incoming[self.taken..];
        let part = available.len().min(partial.missing());
        partial.reserve(part);
        partial.body.extend_from_slice(&available[..part]);
        self.taken += part;
        if self.taken == self.incoming.len() {
            self.incoming.clear();
            self.taken = 0;
        }
        if partial.body.len() < partial.expected {
            self.partial = Some(partial);
            return Ok(None);
        }
        self.stats.count_received(partial.expected);
        Ok(Some(partial.body))
    }

    fn fail(&mut self, failure: Failure) -> Failure {
        self.failure = Some(failure.clone());
        failure
    }

    fn cut_in_a_frame(&self) -> String {
        match &self.partial {
            Some(p) => format!(" after {} of {} bytes of a frame", p.body.len(), p.expected),
            None if self.incoming.len() > self.taken => " within the header of a frame".into(),
            None => String::new(),
        }
    }
}

/// Sleeps until one of `streams` can be read, or written where something is pending.
pub(crate) fn poll<'a>(streams: impl IntoIterator<Item = &'a FrameStream>, time: Duration) {
    let mut fds: Vec<PollFd<'_>> = streams.into_iter().filter_map(interest).collect();
    poll_fds(&mut fds, time);
}

/// What to wait for on a stream; `None` if nothing can happen on it any more.
pub(crate) fn interest(stream: &FrameStream) -> Option<PollFd<'_>> {
    let flags = stream.flags();
    (!flags.is_empty()).then(|| PollFd::new(&stream.socket, flags))
}

pub(crate) fn poll_fds(fds: &mut [PollFd<'_>], time: Duration) {
    // An interrupted or failed wait is a short one: the caller looks at the streams and the clock.
    let _ = rustix::event::poll(fds, Timespec::try_from(time).ok().as_ref());
}
