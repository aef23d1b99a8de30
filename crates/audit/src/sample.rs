//! The corrupt party's views of many runs, as bytes with a layout.

use crate::recorder::{Received, Shape};
use crate::world::{Opened, OpenedShare, Secret, View};
use trefoil_mpc::Step;
use trefoil_net::{Role, Tag};
use trefoil_ring::Ring;

/// What one party received in many runs on one secret.
pub(crate) struct Sample {
    /// The messages' shapes, per run: the same in all runs of an honest protocol.
    pub(crate) shapes: Vec<Vec<Shape>>,
    /// Per run the content of all messages but explained openings, one after the other.
    pub(crate) views: Vec<Vec<u8>>,
    /// How the views of the first run are made of words.
    pub(crate) layout: Vec<Word>,
    /// Runs in which an opening did not show exactly what the protocol is for.
    pub(crate) unexplained: usize,
}

/// A word of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// First byte in the view.
    pub(crate) start: usize,
    /// Bytes, at most 8.
    pub(crate) bytes: usize,
    /// The message it is in, among all that arrived.
    pub(crate) message: usize,
    /// Its number in the message.
    pub(crate) number: usize,
    /// Whether the message is packed bits.
    pub(crate) bits: bool,
}

impl Word {
    /// Its value in a view.
    pub(crate) fn of(&self, view: &[u8]) -> u64 {
        let mut word = [0; 8];
        word[..self.bytes].copy_from_slice(&view[self.start..self.start + self.bytes]);
        u64::from_le_bytes(word)
    }
}

impl Sample {
    /// From the views of runs of a protocol over `R` that may open `ideal` and nothing else.
    pub(crate) fn new<R: Ring>(
        views: Vec<View<R>>,
        secret: &Secret<R>,
        ideal: Option<&Ideal<R>>,
    ) -> Self {
        let mut sample = Self {
            shapes: Vec::with_capacity(views.len()),
            views: Vec::with_capacity(views.len()),
            layout: Vec::new(),
            unexplained: 0,
        };
        for (run, view) in views.into_iter().enumerate() {
            let explained = ideal.map(|ideal| explained(&view.opened, &ideal(secret)));
            let (mut bytes, mut openings) = (Vec::new(), Vec::new());
            for (message, received) in view.messages.iter().enumerate() {
                if explained.is_some() && received.tag == Step::Open.tag() {
                    openings.push(received.payload.as_slice());
                    continue;
                }
                if run == 0 {
                    let packed = [Step::DealBits.tag(), Step::ReshareBits.tag()];
                    let bits = packed.contains(&received.tag);
                    let words = words::<R>(bytes.len(), received.payload.len());
                    let word = |(number, (start, bytes))| Word {
                        start,
                        bytes,
                        message,
                        number,
                        bits,
                    };
                    sample.layout.extend(words.enumerate().map(word));
                }
                bytes.extend_from_slice(&received.payload);
            }
            if let Some(explained) = &explained {
                sample.unexplained += usize::from(!explained.iter().eq(openings.iter()));
            }
            sample
                .shapes
                .push(view.messages.iter().map(Received::shape).collect());
            sample.views.push(bytes);
        }
        sample
    }

    /// Messages in a run.
    pub(crate) fn messages(&self) -> usize {
        self.shapes.first().map_or(0, Vec::len)
    }

    /// Bytes received in a run, openings included.
    pub(crate) fn bytes(&self) -> usize {
        self.shapes
            .first()
            .map_or(0, |shapes| shapes.iter().map(|s| s.bytes).sum())
    }

    /// A word's place, for people.
    pub(crate) fn place(&self, word: &Word) -> String {
        let shape = self.shapes[0][word.message];
        let from = Role::ALL[shape.from % 3];
        format!(
            "word {} of message {} ({}, from {from})",
            word.number,
            word.message,
            Step::name(Tag(shape.tag)),
        )
    }
}

/// The values that a protocol opens, from its secrets: one vector for each opening, of ring elements or of bits
/// in words of 64.
pub(crate) type Ideal<R> = dyn Fn(&Secret<R>) -> Vec<Vec<u64>> + Send + Sync;

/// The messages that make a party with these shares see `ideal`.
fn explained<R: Ring>(opened: &Opened<R>, ideal: &[Vec<u64>]) -> Vec<Vec<u8>> {
    let message = |(share, ideal): (&OpenedShare<R>, &Vec<u64>)| match share {
        OpenedShare::Elements(share) => {
            let own = share.mine().iter().zip(share.next());
            let missing = own
                .zip(ideal)
                .map(|((&a, &b), &v)| R::from_u64(v) - a - b)
                .collect::<Vec<R>>();
            bytemuck::cast_slice(&missing).to_vec()
        }
        OpenedShare::Bits(share) => {
            let own = share.mine().words().iter().zip(share.next().words());
            let missing: Vec<u64> = own.zip(ideal).map(|((a, b), v)| a ^ b ^ v).collect();
            bytemuck::cast_slice(&missing).to_vec()
        }
    };
    opened.iter().zip(ideal).map(message).collect()
}

/// Starts and lengths of the words of `len` bytes from `start` on: elements of the ring, then what is left.
fn words<R: Ring>(start: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..len)
        .step_by(R::BYTES)
        .map(move |at| (start + at, R::BYTES.min(len - at)))
}
