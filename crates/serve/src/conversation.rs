//! The turns that a client and a party take, over a connection or inside one process.

use crate::ServeError;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};
use trefoil_net::{Activity, Channel};

/// One end of a conversation: whole frames, in order. A deadline is for an end that gives no sign of life: it moves
/// on whenever one comes.
pub(crate) trait Conversation: Send {
    /// Send a frame.
    fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), ServeError>;
    /// The next frame, of at most `limit` bytes.
    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError>;
    /// The same; at `end` nothing is no error.
    fn receive_before(&mut self, limit: u64, end: Instant) -> Result<Option<Vec<u8>>, ServeError>;
    /// Take in what has come, asked for or not; an error if the other end has closed.
    fn look(&mut self) -> Result<(), ServeError>;
    /// The newest frame that was taken in and not asked for yet.
    fn newest(&self) -> Option<&[u8]>;
    /// How long the other end has given no sign of life, since `start` at most.
    fn silence(&self, start: Instant) -> Duration;
}

impl Conversation for Channel {
    fn send(&mut self, body: &[u8], deadline: Instant) -> Result<(), ServeError> {
        Ok(Self::send(self, body, deadline)?)
    }

    fn receive(&mut self, limit: u64, deadline: Instant) -> Result<Vec<u8>, ServeError> {
        Ok(self.recv(limit, deadline)?)
    }

    fn receive_before(&mut self, limit: u64, end: Instant) -> Result<Option<Vec<u8>>, ServeError> {
        Ok(self.recv_before(limit, end)?)
    }

    fn look(&mut self) -> Result<(), ServeError> {
        Ok(Self::look(self)?)
    }

    fn newest(&self) -> Option<&[u8]> {
        Self::newest(self)
    }

    fn silence(&self, start: Instant) -> Duration {
        self.silent_since(start).elapsed()
    }
}

/// A conversation between two threads.
pub(crate) struct Pipe {
    peer: String,
    out: Sender<Vec<u8>>,
    into: Receiver<Vec<u8>>,
    ahead: VecDeque<Vec<u8>>,
    activity: Option<Arc<Activity>>,
}

impl Pipe {
    /// From now on it shows in `activity` while this end waits.
    pub(crate) fn show(&mut self, activity: Arc<Activity>) {
        self.activity = Some(activity);
    }

    fn wrong(&self, problem: String) -> ServeError {
        ServeError::Conversation {
            peer: self.peer.clone(),
            problem,
        }
    }
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
            ahead: VecDeque::new(),
            activity: None,
        },
        Pipe {
            peer: first.to_owned(),
            out: to_first,
            into: from_first,
            ahead: VecDeque::new(),
            activity: None,
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

    fn receive(&mut self, limit: u64, _: Instant) -> Result<Vec<u8>, ServeError> {
        // A thread that is gone has dropped its end; one that is there gives no other sign of life.
        loop {
            let end = Instant::now() + Duration::from_mins(1);
            if let Some(body) = self.receive_before(limit, end)? {
                return Ok(body);
            }
        }
    }

    fn receive_before(&mut self, limit: u64, end: Instant) -> Result<Option<Vec<u8>>, ServeError> {
        let body = if let Some(body) = self.ahead.pop_front() {
            body
        } else {
            let left = end.saturating_duration_since(Instant::now());
            if let Some(activity) = &self.activity {
                activity.wait();
            }
            let received = self.into.recv_timeout(left);
            if let Some(activity) = &self.activity {
                activity.moved();
                activity.work();
            }
            match received {
                Ok(body) => body,
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.wrong("has ended".into()));
                }
            }
        };
        if body.len() as u64 > limit {
            let bytes = body.len();
            return Err(self.wrong(format!("sent {bytes} bytes where at most {limit} are due")));
        }
        Ok(Some(body))
    }

    fn look(&mut self) -> Result<(), ServeError> {
        loop {
            match self.into.try_recv() {
                Ok(body) => self.ahead.push_back(body),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(self.wrong("has ended".into())),
            }
        }
    }

    fn newest(&self) -> Option<&[u8]> {
        self.ahead.back().map(Vec::as_slice)
    }

    fn silence(&self, _: Instant) -> Duration {
        Duration::ZERO
    }
}
