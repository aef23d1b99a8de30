//! A connection that two threads use: the one that works, and the one that keeps the peer informed.

use crate::stream::{FrameStream, poll_fds};
use rustix::event::{PollFd, PollFlags};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A connection shared with the thread that keeps its peer informed.
///
/// The lock is held for single looks at the socket, never while waiting.
#[derive(Clone)]
pub(crate) struct Line {
    socket: Arc<TcpStream>,
    stream: Arc<Mutex<FrameStream>>,
}

impl Line {
    pub(crate) fn new(stream: FrameStream) -> Self {
        let socket = Arc::clone(stream.socket());
        Self {
            socket,
            stream: Arc::new(Mutex::new(stream)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, FrameStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to wait for; `None` if nothing can happen any more.
    pub(crate) fn interest(&self) -> Option<PollFd<'_>> {
        let flags = self.lock().flags();
        (!flags.is_empty()).then(|| PollFd::new(&self.socket, flags))
    }

    /// As [`interest`](Self::interest), without reading.
    pub(crate) fn interest_in_sending(&self) -> Option<PollFd<'_>> {
        let flags = self.lock().flags() & PollFlags::OUT;
        (!flags.is_empty()).then(|| PollFd::new(&self.socket, flags))
    }

    /// Sleeps until this can be read, or written where something is pending.
    pub(crate) fn poll(&self, time: Duration) {
        if let Some(fd) = self.interest() {
            poll_fds(&mut [fd], time);
        } else {
            std::thread::sleep(time);
        }
    }

    /// Sleeps until the socket takes more, or breaks.
    pub(crate) fn poll_writable(&self, time: Duration) {
        poll_fds(&mut [PollFd::new(&self.socket, PollFlags::OUT)], time);
    }

    /// Wakes who waits for something to read: nothing more is received, but something may still be said.
    pub(crate) fn stop_reading(&self) {
        self.lock().deaf = true;
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(crate) fn downgrade(&self) -> Weak {
        Weak {
            socket: Arc::downgrade(&self.socket),
            stream: Arc::downgrade(&self.stream),
        }
    }
}

/// A [`Line`] that somebody else keeps open.
pub(crate) struct Weak {
    socket: std::sync::Weak<TcpStream>,
    stream: std::sync::Weak<Mutex<FrameStream>>,
}

impl Weak {
    pub(crate) fn upgrade(&self) -> Option<Line> {
        let (socket, stream) = (self.socket.upgrade()?, self.stream.upgrade()?);
        Some(Line { socket, stream })
    }
}
