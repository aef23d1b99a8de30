//! Between the socket and the frames: bytes in the clear, or through TLS.

use crate::ending::Failure;
use crate::header::FRAME_HEADER_BYTES;
use rustix::buffer::spare_capacity;
use rustls::Connection;
use std::collections::VecDeque;
use std::io::{self, BufRead, ErrorKind, IoSlice, Write};
use std::net::TcpStream;

/// Read at once from the socket, unless a large body can be read in place.
pub(crate) const READ_BYTES: usize = 64 << 10;

/// Memory given to an announced body before any of it has come; doubled as it fills.
const FIRST_BODY_BYTES: usize = 256 << 10;

/// Plaintext that TLS encrypts ahead of the socket: little, so that the peer decrypts meanwhile.
const TLS_AHEAD_BYTES: usize = 32 << 10;

/// A TLS connection and what it has not decrypted yet.
pub(crate) struct Tls {
    pub(crate) connection: Connection,
    /// Ciphertext from `taken` on.
    raw: Vec<u8>,
    taken: usize,
}

/// A frame on its way out.
pub(crate) struct Outgoing {
    header: [u8; FRAME_HEADER_BYTES],
    body: Vec<u8>,
    /// Bytes of header and body already handed over.
    sent: usize,
}

impl Outgoing {
    pub(crate) fn new(header: u32, body: Vec<u8>) -> Self {
        Self {
            header: header.to_le_bytes(),
            body,
            sent: 0,
        }
    }

    fn rest(&self) -> [&[u8]; 2] {
        let header = self.sent.min(FRAME_HEADER_BYTES);
        [&self.header[header..], &self.body[self.sent - header..]]
    }

    fn done(&self) -> bool {
        self.sent == FRAME_HEADER_BYTES + self.body.len()
    }
}

/// Frames on their way out, in order.
#[derive(Default)]
pub(crate) struct Queue {
    frames: VecDeque<Outgoing>,
    bytes: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, frame: Outgoing) {
        self.bytes += (FRAME_HEADER_BYTES + frame.body.len()) as u64;
        self.frames.push_back(frame);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes not yet handed over.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written as u64);
        while let Some(front) = self.frames.front_mut() {
            let part = written.min(FRAME_HEADER_BYTES + front.body.len() - front.sent);
            front.sent += part;
            written -= part;
            if !front.done() {
                return;
            }
            self.frames.pop_front();
        }
    }
}

/// A body that has not come completely.
pub(crate) struct Partial {
    pub(crate) body: Vec<u8>,
    pub(crate) expected: usize,
}

impl Partial {
    pub(crate) fn new(expected: usize) -> Self {
        Self {
            body: Vec::with_capacity(expected.min(FIRST_BODY_BYTES)),
            expected,
        }
    }

    pub(crate) fn missing(&self) -> usize {
        self.expected - self.body.len()
    }

    /// Makes room for `more` bytes or as much as has come, never for all that was announced.
    pub(crate) fn reserve(&mut self, more: usize) {
        if self.body.capacity() - self.body.len() < more {
            let room = more.max(self.body.len()).min(self.missing());
            self.body.reserve_exact(room);
        }
    }

    /// Reads into the body; what belongs to later frames goes to `overflow`.
    pub(crate) fn fill(
        &mut self,
        socket: &TcpStream,
        overflow: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        self.reserve(READ_BYTES.min(self.missing()));
        let filled = read_spare(socket, &mut self.body)?;
        // An allocator may have given more room than was asked for.
        overflow.extend(self.body.drain(self.expected.min(self.body.len())..));
        Ok(filled)
    }
}

impl Tls {
    pub(crate) fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(Some(TLS_AHEAD_BYTES));
        Self {
            connection,
            raw: Vec::new(),
            taken: 0,
        }
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.raw.capacity()
    }

    /// Decrypts at most one record, into the body if it belongs there.
    pub(crate) fn fill(
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
                        taken = taken.min(partial.missing());
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
pub(crate) fn fill(socket: &TcpStream, buffer: &mut Vec<u8>) -> Result<bool, Failure> {
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
pub(crate) fn write_plain(mut socket: &TcpStream, outgoing: &mut Queue) -> io::Result<bool> {
    while !outgoing.is_empty() {
        let mut slices = [IoSlice::new(&[]); 2 * FRAMES_AT_ONCE];
        let parts = outgoing.frames.iter().flat_map(Outgoing::rest);
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        let used = slices.len().min(2 * outgoing.frames.len());
        match socket.write_vectored(&slices[..used]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => outgoing.advance(written),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// `true` when everything is encrypted and handed over.
pub(crate) fn write_tls(
    mut socket: &TcpStream,
    tls: &mut Tls,
    outgoing: &mut Queue,
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
        let Some(front) = outgoing.frames.front() else {
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
        outgoing.advance(accepted);
    }
}
