//! Frames over a non-blocking TCP connection, in the clear or inside TLS.

use crate::LinkStats;
use crate::transport::FRAME_HEADER_BYTES;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustls::Connection;
use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// The length that says goodbye instead of announcing a frame.
const GOODBYE: u32 = u32::MAX;

/// Largest body a length can announce.
pub(crate) const MAX_BODY: u64 = GOODBYE as u64 - 1;

/// Read at once from the socket, unless a large body can be read in place.
const READ_BYTES: usize = 64 << 10;

/// Memory given to an announced body before any of it has come; doubled as it fills.
const FIRST_BODY_BYTES: usize = 256 << 10;

/// Plaintext that TLS encrypts ahead of the socket.
const TLS_AHEAD_BYTES: usize = 256 << 10;

/// One end of a framed connection. Never blocks; see [`poll`] for waiting.
///
/// Wire format: a little-endian `u32` length, then the body; a length of `u32::MAX` is a goodbye.
pub(crate) struct FrameStream {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
    outgoing: VecDeque<Outgoing>,
    /// Goodbye is queued: shut the sending side down behind it.
    closing: bool,
    shut: bool,
    write_error: Option<String>,
    /// Received plaintext that is in no frame yet, from `taken` on.
    incoming: Vec<u8>,
    taken: usize,
    partial: Option<Partial>,
    failure: Option<Failure>,
    pub(crate) stats: LinkStats,
}

struct Tls {
    connection: Connection,
    /// Ciphertext from `taken` on.
    raw: Vec<u8>,
    taken: usize,
}

struct Outgoing {
    header: [u8; FRAME_HEADER_BYTES],
    body: Vec<u8>,
    /// Bytes of header and body already handed over.
    sent: usize,
}

impl Outgoing {
    fn rest(&self) -> [&[u8]; 2] {
        let header = self.sent.min(FRAME_HEADER_BYTES);
        [&self.header[header..], &self.body[self.sent - header..]]
    }

    fn done(&self) -> bool {
        self.sent == FRAME_HEADER_BYTES + self.body.len()
    }
}

struct Partial {
    body: Vec<u8>,
    expected: usize,
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

/// Why nothing more comes. Final.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The peer has said goodbye.
    Goodbye,
    /// The connection ended or broke.
    Closed(String),
    /// TLS refuses what came.
    Tls(rustls::Error),
    /// A frame above the limit was announced.
    TooLarge(u64),
}

impl Failure {
    /// In words, for [`NetError::LinkDown`](crate::NetError::LinkDown).
    pub(crate) fn reason(&self, limit: u64) -> String {
        match self {
            Self::Goodbye => crate::transport::ended::GOODBYE.into(),
            Self::Closed(reason) => reason.clone(),
            Self::Tls(error) => format!("TLS: {error}"),
            Self::TooLarge(bytes) => {
                format!("a frame of {bytes} bytes, above the limit of {limit}")
            }
        }
    }
}

impl FrameStream {
    pub(crate) fn new(socket: TcpStream, tls: Option<Connection>) -> io::Result<Self> {
        // Send and receive buffers are left to the kernel, which grows them on demand; a size set
        // by hand is capped far below what it reaches by itself.
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let tls = tls.map(|mut connection| {
            connection.set_buffer_limit(Some(TLS_AHEAD_BYTES));
            Box::new(Tls {
                connection,
                raw: Vec::new(),
                taken: 0,
            })
        });
        Ok(Self {
            socket,
            tls,
            outgoing: VecDeque::new(),
            closing: false,
            shut: false,
            write_error: None,
            incoming: Vec::new(),
            taken: 0,
            partial: None,
            failure: None,
            stats: LinkStats::default(),
        })
    }

    /// The TLS peer's certificate, once the handshake is done.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        let chain = self.tls.as_ref()?.connection.peer_certificates()?;
        chain.first().map(AsRef::as_ref)
    }

    /// Queues a frame of at most [`MAX_BODY`] bytes.
    pub(crate) fn push(&mut self, body: Vec<u8>) {
        debug_assert!(body.len() as u64 <= MAX_BODY && !self.closing);
        self.stats.count_sent(body.len());
        let header = (body.len() as u32).to_le_bytes();
        self.outgoing.push_back(Outgoing {
            header,
            body,
            sent: 0,
        });
    }

    /// Queues a goodbye, after which nothing may be pushed.
    pub(crate) fn push_goodbye(&mut self) {
        if !self.closing {
            self.closing = true;
            let header = GOODBYE.to_le_bytes();
            self.outgoing.push_back(Outgoing {
                header,
                body: Vec::new(),
                sent: 0,
            });
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
        self.outgoing
            .iter()
            .flat_map(Outgoing::rest)
            .map(|part| part.len() as u64)
            .sum()
    }

    /// Memory held for receiving.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        let body = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.body.capacity());
        body + self.incoming.capacity() + self.tls.as_ref().map_or(0, |tls| tls.raw.capacity())
    }

    /// Why nothing can be sent any more; what was queued is lost.
    pub(crate) fn write_error(&self) -> Option<&str> {
        self.write_error.as_deref()
    }

    /// Why nothing more can be received.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
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

    /// Sleeps until the socket takes more, or breaks.
    pub(crate) fn poll_writable(&self, time: Duration) {
        poll_fds(&mut [PollFd::new(&self.socket, PollFlags::OUT)], time);
    }

    fn shut_down(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.connection.send_close_notify();
            if !write_tls(&self.socket, tls, &mut VecDeque::new())? {
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
        let large = self
            .partial
            .as_ref()
            .is_some_and(|p| p.expected - p.body.len() >= READ_BYTES);
        let filled = match (&mut self.tls, &mut self.partial) {
            (Some(tls), partial) => tls.fill(&self.socket, partial.as_mut(), &mut self.incoming),
            (None, Some(partial)) if large => partial.fill(&self.socket, &mut self.incoming),
            (None, _) => fill(&self.socket, &mut self.incoming),
        };
        match filled {
            Ok(true) => {}
            Ok(false) => return Ok(Read::Blocked),
            Err(Failure::Closed(reason)) => {
                let reason = format!("{reason}{}", self.cut_in_a_frame());
                return Err(self.fail(Failure::Closed(reason)));
            }
            Err(failure) => return Err(self.fail(failure)),
        }
        Ok(self.take_frame(limit)?.map_or(Read::Progress, Read::Frame))
    }

    /// Assembles a frame from what is in `incoming`.
    fn take_frame(&mut self, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut partial = if let Some(partial) = self.partial.take() {
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
            let expected = length as usize;
            Partial {
                body: Vec::with_capacity(expected.min(FIRST_BODY_BYTES)),
                expected,
            }
        };
        let available = &self.incoming[self.taken..];
        let part = available.len().min(partial.expected - partial.body.len());
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

impl Partial {
    /// Makes room for `more` bytes or as much as has come, never for all that was announced.
    fn reserve(&mut self, more: usize) {
        if self.body.capacity() - self.body.len() < more {
            let room = more
                .max(self.body.len())
                .min(self.expected - self.body.len());
            self.body.reserve_exact(room);
        }
    }

    /// Reads into the body; what belongs to later frames goes to `overflow`.
    fn fill(&mut self, socket: &TcpStream, overflow: &mut Vec<u8>) -> Result<bool, Failure> {
        self.reserve(READ_BYTES.min(self.expected - self.body.len()));
        let filled = read_spare(socket, &mut self.body)?;
        // An allocator may have given more room than was asked for.
        overflow.extend(self.body.drain(self.expected.min(self.body.len())..));
        Ok(filled)
    }
}

impl Tls {
    /// Decrypts at most one record, into the body if it belongs there.
    fn fill(
        &mut self,
        socket: &TcpStream,
        partial: Option<&mut Partial>,
        incoming: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        loop {
            let mut reader = self.connection.reader();
            match reader.fill_buf() {
                Ok([]) => return Err(Failure::Closed("the peer closed the connection".into())),
                Ok(chunk) => {
                    let mut taken = chunk.len();
                    if let Some(partial) = partial {
                        taken = taken.min(partial.expected - partial.body.len());
                        partial.reserve(taken);
                        partial.body.extend_from_slice(&chunk[..taken]);
                    } else {
                        incoming.extend_from_slice(chunk);
                    }
                    reader.consume(taken);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Failure::Closed(error.to_string())),
            }
            if self.taken == self.raw.len() {
                self.raw.clear();
                self.taken = 0;
                if !fill(socket, &mut self.raw)? {
                    return Ok(false);
                }
            }
            let mut rest = &self.raw[self.taken..];
            let read = self
                .connection
                .read_tls(&mut rest)
                .map_err(|error| closed(&error))?;
            self.taken += read;
            let processed = self.connection.process_new_packets();
            if let Err(error) = processed {
                // Tells the peer why, as far as the socket takes it.
                let _ = self.connection.write_tls(&mut &*socket);
                return Err(Failure::Tls(error));
            }
            if self.connection.wants_write() {
                // A step of the handshake; what the socket does not take waits for the next flush.
                let _ = self.connection.write_tls(&mut &*socket);
            }
        }
    }
}

/// Appends what the socket has, at most about [`READ_BYTES`]; `false` if there is nothing.
fn fill(socket: &TcpStream, buffer: &mut Vec<u8>) -> Result<bool, Failure> {
    buffer.reserve(READ_BYTES);
    read_spare(socket, buffer)
}

/// Appends to the reserved capacity of `buffer`, which must not be full.
fn read_spare(socket: &TcpStream, buffer: &mut Vec<u8>) -> Result<bool, Failure> {
    match rustix::io::read(socket, spare_capacity(buffer)) {
        Ok(0) => Err(Failure::Closed(
            "the peer closed the connection without a goodbye".into(),
        )),
        Ok(_) => Ok(true),
        Err(error) => match io::Error::from(error) {
            e if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            e => Err(closed(&e)),
        },
    }
}

fn closed(error: &io::Error) -> Failure {
    Failure::Closed(error.to_string())
}

/// Frames handed to the kernel in one call at most.
const FRAMES_AT_ONCE: usize = 16;

/// `true` when everything is handed over.
fn write_plain(mut socket: &TcpStream, outgoing: &mut VecDeque<Outgoing>) -> io::Result<bool> {
    while !outgoing.is_empty() {
        let mut slices = [IoSlice::new(&[]); 2 * FRAMES_AT_ONCE];
        let parts = outgoing.iter().flat_map(Outgoing::rest);
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        let used = slices.len().min(2 * outgoing.len());
        match socket.write_vectored(&slices[..used]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => advance(outgoing, written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// `true` when everything is encrypted and handed over.
fn write_tls(
    mut socket: &TcpStream,
    tls: &mut Tls,
    outgoing: &mut VecDeque<Outgoing>,
) -> io::Result<bool> {
    loop {
        let mut blocked = false;
        while !blocked && tls.connection.wants_write() {
            match tls.connection.write_tls(&mut socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let Some(front) = outgoing.front() else {
            return Ok(!blocked);
        };
        if blocked {
            return Ok(false);
        }
        let [header, body] = front.rest();
        let slices = [IoSlice::new(header), IoSlice::new(body)];
        let accepted = tls.connection.writer().write_vectored(&slices)?;
        if accepted == 0 {
            // The handshake is not over and its buffer is full.
            return Ok(false);
        }
        advance(outgoing, accepted);
    }
}

fn advance(outgoing: &mut VecDeque<Outgoing>, mut written: usize) {
    while let Some(front) = outgoing.front_mut() {
        let part = written.min(FRAME_HEADER_BYTES + front.body.len() - front.sent);
        front.sent += part;
        written -= part;
        if !front.done() {
            return;
        }
        outgoing.pop_front();
    }
}

/// Sleeps until one of `streams` can be read, or written where something is pending.
pub(crate) fn poll<'a>(streams: impl IntoIterator<Item = &'a FrameStream>, time: Duration) {
    let mut fds: Vec<PollFd<'_>> = streams.into_iter().filter_map(interest).collect();
    poll_fds(&mut fds, time);
}

/// What to wait for on a stream; `None` if nothing can happen on it any more.
pub(crate) fn interest(stream: &FrameStream) -> Option<PollFd<'_>> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, stream.failure.is_none());
    flags.set(PollFlags::OUT, stream.pending());
    (!flags.is_empty()).then(|| PollFd::new(&stream.socket, flags))
}

pub(crate) fn poll_fds(fds: &mut [PollFd<'_>], time: Duration) {
    // An interrupted or failed wait is a short one: the caller looks at the streams and the clock.
    let _ = rustix::event::poll(fds, Timespec::try_from(time).ok().as_ref());
}
