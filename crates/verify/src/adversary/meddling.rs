//! A link on which a deviating party alters what it sends, and what it takes itself to have received.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use trefoil_mpc::{MessageKind, MessageName, PairSeeds, Transcript};
use trefoil_net::{
    LinkStats, MemoryTransport, Message, NetError, Role, Transport, decode_frame, encode_frame,
};

/// What is done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A bit of every word is flipped in the sent message of this number, counted over all peers.
    Flip {
        /// Which.
        number: usize,
        /// Whether the party commits to what it should have sent.
        hides: bool,
    },
    /// A number is added to words of a sent reshare message, and to the same words of the party's own copy of the sum: by
    /// adding it to what the peer's message of the same round brings.
    Shift {
        /// Which of the reshare messages.
        number: usize,
        /// The words: all, or one.
        word: Option<usize>,
        /// What is added.
        error: i64,
    },
}

/// A reshare message between the evaluators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reshared {
    /// Words of 64 bits in it.
    pub(super) words: usize,
}

/// What a link leaves behind.
#[derive(Clone)]
pub(super) struct Traces(Arc<Mutex<Seen>>);

struct Seen {
    truth: Transcript,
    sent: Vec<Reshared>,
    received: usize,
    messages: usize,
}

impl Traces {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What really crossed the link, as a party that commits to the truth writes it down.
    pub(super) fn truth(&self) -> Transcript {
        self.seen().truth.clone()
    }

    /// The reshare messages that were sent, in order.
    pub(super) fn reshared(&self) -> Vec<Reshared> {
        self.seen().sent.clone()
    }

    /// Messages sent.
    pub(super) fn sent(&self) -> usize {
        self.seen().messages
    }
}

/// The link of a party that may meddle.
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
        let traces = Traces(Arc::new(Mutex::new(Seen {
            truth: Transcript::new(role, seeds),
            sent: Vec::new(),
            received: 0,
            messages: 0,
        })));
        let meddling = Self {
            inner,
            role,
            change,
            traces: traces.clone(),
        };
        (meddling, traces)
    }

    fn alter(&self, seen: &mut Seen, message: &mut Message) {
        let number = seen.messages;
        seen.messages += 1;
        if let Some(Change::Flip { number: chosen, .. }) = self.change
            && chosen == number
        {
            // High enough to matter in a word of 64 bits.
            let first = 3.min(message.payload.len().saturating_sub(1));
            for byte in message.payload.iter_mut().skip(first).step_by(8) {
                *byte ^= 0x10;
            }
        }
        if message.tag == MessageKind::Reshare.tag() {
            self.shift(seen.sent.len(), message);
            let words = message.payload.len() / 8;
            seen.sent.push(Reshared { words });
        }
    }

    /// Add the error if this is the round: to the party's own message, or to the peer's.
    fn shift(&self, round: usize, message: &mut Message) {
        let Some(Change::Shift {
            number,
            word,
            error,
        }) = self.change
        else {
            return;
        };
        if number != round {
            return;
        }
        for (index, bytes) in message.payload.chunks_exact_mut(8).enumerate() {
            if word.is_none_or(|word| word == index) {
                let value = u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
                bytes.copy_from_slice(&value.wrapping_add_signed(error).to_le_bytes());
            }
        }
    }
}

/// Write down what crossed the link.
fn note(truth: &mut Transcript, from: Role, to: Role, message: &Message) {
    let Some(kind) = MessageKind::of(message.tag) else {
        return;
    };
    let name = MessageName {
        from,
        to,
        branch: message.branch.0,
        number: message.number,
    };
    truth.note(name, kind, &message.payload);
    truth.settle();
}

impl Transport for Meddling {
    fn send(&mut self, to: Role, body: Vec<u8>) -> Result<(), NetError> {
        let Some(mut messages) = decode_frame(&body) else {
            return self.inner.send(to, body);
        };
        let seen = &mut *self.traces.seen();
        for message in &mut messages {
            self.alter(seen, message);
            note(&mut seen.truth, self.role, to, message);
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
        let seen = &mut *self.traces.seen();
        for message in &mut messages {
            note(&mut seen.truth, from, self.role, message);
            if message.tag == MessageKind::Reshare.tag() {
                self.shift(seen.received, message);
                seen.received += 1;
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
