//! A link on which a deviating party alters what it sends, and what it takes itself to have received.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;
use trefoil_mpc::{MessageName, PairSeeds, Step, Transcript};
use trefoil_net::{
    LinkStats, MemoryTransport, Message, NetError, Role, Transport, decode_frame, encode_frame,
};

/// What is done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A bit of every word is flipped in the sent message of this number, counted over all peers.
    Flip(u32),
    /// A number is added to words of a sent reshare message, and to the same words of the party's own copy of the sum: by adding
    /// it to what the peer's message of the same name brings.
    Shift {
        /// Which message.
        message: Reshared,
        /// The words: all, or one.
        word: Option<usize>,
        /// What is added.
        error: i64,
    },
}

/// A reshare message between the evaluators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reshared {
    branch: [u8; 12],
    number: u32,
    /// Words of 64 bits in it.
    pub(super) words: usize,
}

/// What a link leaves behind.
#[derive(Clone, Default)]
pub(super) struct Traces {
    /// What really crossed it, as a party that commits to the truth writes it down.
    pub(super) truth: Option<Rc<RefCell<Transcript>>>,
    /// The reshare messages that were sent, in order.
    pub(super) reshared: Rc<RefCell<Vec<Reshared>>>,
    /// Messages sent.
    pub(super) sent: Rc<Cell<u32>>,
}

/// The link of a party that meddles.
pub(super) struct Meddling {
    inner: MemoryTransport,
    role: Role,
    change: Option<Change>,
    traces: Traces,
}

impl Meddling {
    /// The link of `role`; what crosses it is written down under `seeds`.
    pub(super) fn new(
        inner: MemoryTransport,
        role: Role,
        change: Option<Change>,
        seeds: &PairSeeds,
    ) -> (Self, Traces) {
        let traces = Traces {
            truth: Some(Rc::new(RefCell::new(Transcript::new(role, seeds)))),
            ..Traces::default()
        };
        let meddling = Self {
            inner,
            role,
            change,
            traces: traces.clone(),
        };
        (meddling, traces)
    }

    fn note(&self, from: Role, to: Role, message: &Message) {
        let (Some(truth), Some(step)) = (&self.traces.truth, Step::of(message.tag)) else {
            return;
        };
        let name = MessageName {
            from,
            to,
            branch: message.branch.0,
            number: message.number,
        };
        truth.borrow_mut().note(name, step, &message.payload);
    }

    fn alter(&self, message: &mut Message) {
        let sent = self.traces.sent.get();
        self.traces.sent.set(sent + 1);
        if message.tag == Step::Reshare.tag() {
            self.traces.reshared.borrow_mut().push(Reshared {
                branch: message.branch.0,
                number: message.number,
                words: message.payload.len() / 8,
            });
        }
        if self.change == Some(Change::Flip(sent)) {
            for byte in message.payload.iter_mut().step_by(8) {
                *byte ^= 0x10;
            }
        }
        self.shift(message);
    }

    /// Add the error if `message` is the one: the party's own, or the peer's of the same name.
    fn shift(&self, message: &mut Message) {
        if let Some(Change::Shift {
            message: chosen,
            word,
            error,
        }) = self.change
            && (chosen.branch, chosen.number) == (message.branch.0, message.number)
        {
            shift(&mut message.payload, word, error);
        }
    }
}

/// Add to words of 64 bits.
fn shift(payload: &mut [u8], word: Option<usize>, error: i64) {
    for (index, bytes) in payload.chunks_exact_mut(8).enumerate() {
        if word.is_none_or(|word| word == index) {
            let value = u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
            bytes.copy_from_slice(&value.wrapping_add_signed(error).to_le_bytes());
        }
    }
}

impl Transport for Meddling {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let Some(mut messages) = decode_frame(&body) else {
            return self.inner.send(to, body);
        };
        for message in &mut messages {
            self.alter(message);
            self.note(self.role, to, message);
        }
        self.inner.send(to, encode_frame(&messages))
    }

    fn receive(
        &mut self,
        awaited: &[Role],
        deadline: Instant,
    ) -> Result<(Role, Vec<u8>), NetError> {
        let (from, body) = self.inner.receive(awaited, deadline)?;
        let Some(mut messages) = decode_frame(&body) else {
            return Ok((from, body));
        };
        for message in &mut messages {
            self.note(from, self.role, message);
            if from != Role::P0 {
                self.shift(message);
            }
        }
        Ok((from, encode_frame(&messages)))
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
