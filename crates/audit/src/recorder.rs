//! What a party receives, recorded at the interface that every link implements.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use trefoil_net::{Branch, LinkStats, NetError, Role, Tag, Transport};

/// One message as a party received it. No `Debug`: the payload may be (part of) a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender.
    pub from: Role,
    /// The branch that sent it.
    pub branch: Branch,
    /// Its number in the branch.
    pub number: u32,
    /// The step it belongs to.
    pub tag: Tag,
    /// Its content.
    pub payload: Vec<u8>,
}

/// What of a message must not depend on secrets: everything but its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// Index of the sender.
    pub from: usize,
    /// The branch that sent it.
    pub branch: [u8; 12],
    /// Its number in the branch.
    pub number: u32,
    /// The step it belongs to.
    pub tag: u16,
    /// Bytes.
    pub bytes: usize,
}

impl Received {
    /// Everything but the content.
    pub fn shape(&self) -> Shape {
        Shape {
            from: self.from.index(),
            branch: self.branch.0,
            number: self.number,
            tag: self.tag.0,
            bytes: self.payload.len(),
        }
    }
}

/// A frame and its sender.
type Frame = (Role, Vec<u8>);

/// The frames that a [`Recorder`] has seen, with their senders, in order of arrival.
#[derive(Clone, Default)]
pub struct Record {
    frames: Arc<Mutex<Vec<Frame>>>,
}

impl Record {
    /// The messages received so far, sorted by sender, branch and number: the same order whatever the
    /// scheduling. `Err` holds the length of a frame that does not parse.
    ///
    /// # Errors
    /// If a frame does not parse.
    pub fn messages(&self) -> Result<Vec<Received>, usize> {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (from, frame) in frames.iter() {
            let messages = trefoil_net::decode_frame(frame).ok_or(frame.len())?;
            all.extend(messages.into_iter().map(|m| Received {
                from: *from,
                branch: m.branch,
                number: m.number,
                tag: m.tag,
                payload: m.payload,
            }));
        }
        all.sort_by_key(Received::shape);
        Ok(all)
    }
}

/// A transport that notes every frame its party receives and changes nothing.
///
/// It wraps whatever a party of production uses: links in memory, TCP or TLS.
pub struct Recorder<T> {
    inner: T,
    record: Record,
}

impl<T: Transport> Recorder<T> {
    /// Record what arrives over `inner`.
    pub fn new(inner: T) -> (Self, Record) {
        let record = Record::default();
        let recorder = Self {
            inner,
            record: record.clone(),
        };
        (recorder, record)
    }
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        self.inner.send(to, body)
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let (from, body) = self.inner.receive(awaited, deadline)?;
        let mut frames = self
            .record
            .frames
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        frames.push((from, body.clone()));
        Ok((from, body))
    }

    fn drain(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.drain(deadline)
    }

    fn finish(&mut self, deadline: Instant) -> Result<(), NetError> {
        self.inner.finish(deadline)
    }

    fn stats(&self, peer: Role) -> LinkStats {
        self.inner.stats(peer)
    }
}
