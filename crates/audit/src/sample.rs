//! The corrupt party's views of many runs, as bytes with a layout.

use crate::recorder::{Received, Shape};
use crate::world::{Opened, OpenedShare, Secret, TO_CLIENT, View};
use trefoil_mpc::MessageKind;
use trefoil_net::{Role, Tag};
use trefoil_ring::Ring;

/// Runs that are compared in the search for two words that change alike.
pub(crate) const COMPARED: usize = 4;

/// What one party received in many runs on one secret.
pub(crate) struct Sample {
    /// The messages' shapes, per run: the same in all runs of an honest protocol.
    pub(crate) shapes: Vec<Vec<Shape>>,
    /// Per run the content of all messages but explained openings, one after the other.
    pub(crate) views: Vec<Vec<u8>>,
    /// How the views of the first run are made of words.
    pub(crate) layout: Vec<Word>,
    /// Per message in the views: its number among all that arrived, its first byte, its length.
    pub(crate) spans: Vec<(usize, usize, usize)>,
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
    pub(crate) fn new<R: Ring>(views: Vec<View<R>>, secret: &Secret<R>, shown: &Shown<R>) -> Self {
        let mut sample = Self {
            shapes: Vec::with_capacity(views.len()),
            views: Vec::with_capacity(views.len()),
            layout: Vec::new(),
            spans: Vec::new(),
            unexplained: 0,
        };
        for (run, view) in views.into_iter().enumerate() {
            let explained = match shown {
                Shown::Opened(ideal) => explained(&view.opened, &ideal(secret)),
                _ => Vec::new(),
            };
            let (mut bytes, mut openings) = (Vec::new(), Vec::new());
            for (message, received) in view.messages.iter().enumerate() {
                if shown.tag() == Some(received.tag) {
                    openings.push((received.from, received.payload.as_slice()));
                    continue;
                }
                if run == 0 {
                    let packed = [MessageKind::DealBits.tag(), MessageKind::ReshareBits.tag()];
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
                    let span = (message, bytes.len(), received.payload.len());
                    sample.spans.push(span);
                }
                bytes.extend_from_slice(&received.payload);
            }
            let right = match shown {
                Shown::Nothing => true,
                Shown::Opened(_) => explained
                    .iter()
                    .eq(openings.iter().map(|(_, payload)| *payload)),
                Shown::Answered(may_be) => answered(view.role, &view.opened, &openings)
                    .is_some_and(|outputs| may_be(secret, &outputs)),
            };
            sample.unexplained += usize::from(!right);
            sample
                .shapes
                .push(view.messages.iter().map(Received::shape).collect());
            sample.views.push(bytes);
        }
        sample
    }

    /// The views of the first runs.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn first(&self) -> [&Vec<u8>; COMPARED] {
        std::array::from_fn(|run| &self.views[run])
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
        let origin = self.origin(word.message);
        format!(
            "word {} of message {} ({origin})",
            word.number, word.message
        )
    }

    /// Step and sender of a message, for people.
    pub(crate) fn origin(&self, message: usize) -> String {
        let shape = self.shapes[0][message];
        let from = Role::ALL[shape.from % 3];
        if shape.tag == TO_CLIENT.0 {
            format!("to the client, from {from}")
        } else {
            format!("{}, from {from}", MessageKind::name(Tag(shape.tag)))
        }
    }
}

/// The words of two samples' views, without the padding of packed bits.
pub(crate) struct Layout {
    /// Words of whole bytes.
    pub(crate) words: Vec<Word>,
    /// Last bytes of messages of packed bits that are filled in part, and how many low bits are used.
    pub(crate) partial: Vec<(Word, usize)>,
}

impl Layout {
    /// Of samples with the same messages. A last byte is filled in part if its high bits are 0 in all runs on both
    /// secrets while its low bits are not.
    pub(crate) fn new(samples: &[Sample; 2]) -> Self {
        let all = &samples[0].layout;
        let mut layout = Self {
            words: Vec::with_capacity(all.len()),
            partial: Vec::new(),
        };
        for (i, word) in all.iter().enumerate() {
            let last = all
                .get(i + 1)
                .is_none_or(|next| next.message != word.message);
            let at = word.start + word.bytes - 1;
            let views = samples.iter().flat_map(|sample| &sample.views);
            let used = views.fold(0, |used, view| used | view[at]);
            let bits = used.count_ones() as usize;
            if !(word.bits && last && (1..8).contains(&bits) && used == u8::MAX >> (8 - bits)) {
                layout.words.push(*word);
                continue;
            }
            let byte = Word {
                start: at,
                bytes: 1,
                ..*word
            };
            layout.partial.push((byte, bits));
            if word.bytes > 1 {
                layout.words.push(Word {
                    bytes: word.bytes - 1,
                    ..*word
                });
            }
        }
        layout
    }
}

/// What a protocol shows on purpose.
pub(crate) enum Shown<R> {
    /// Nothing.
    Nothing,
    /// Values opened to parties.
    Opened(Box<Ideal<R>>),
    /// Answers to a client.
    Answered(Box<Outputs<R>>),
}

impl<R> Shown<R> {
    /// The tag of the messages that show it.
    fn tag(&self) -> Option<Tag> {
        match self {
            Self::Nothing => None,
            Self::Opened(_) => Some(MessageKind::Open.tag()),
            Self::Answered(_) => Some(TO_CLIENT),
        }
    }
}

/// The values that a protocol opens, from its secrets: one vector for each opening, of ring elements or of bits
/// in words of 64.
pub(crate) type Ideal<R> = dyn Fn(&Secret<R>) -> Vec<Vec<u64>> + Send + Sync;

/// Whether a protocol may answer a client with these outputs, from its secrets. More than one answer is right where results
/// are rounded.
pub(crate) type Outputs<R> = dyn Fn(&Secret<R>, &[Vec<R>]) -> bool + Send + Sync;

/// What one party sent, message by message.
type Messages<'a> = &'a [&'a [u8]];

/// The outputs that a client is shown who conspires with a party of these shares, from what the party's two peers sent it;
/// `None` if that is more, less or other than their shares of the outputs.
///
/// The party knows the components `a` and `b` of an output. Its next one sends `b` and the missing one, the previous one the
/// missing one and `a`.
fn answered<R: Ring>(role: Role, own: &Opened<R>, sent: &[(Role, &[u8])]) -> Option<Vec<Vec<R>>> {
    let from = |peer: Role| -> Vec<&[u8]> {
        let of = sent.iter().filter(|(from, _)| *from == peer);
        of.map(|(_, payload)| *payload).collect()
    };
    let (next, previous) = (from(role.next()), from(role.prev()));
    if next.len() != 2 * own.len() || previous.len() != 2 * own.len() {
        return None;
    }
    let answers = next.chunks_exact(2).zip(previous.chunks_exact(2));
    let output = |(share, (next, previous)): (&OpenedShare<R>, (Messages<'_>, Messages<'_>))| {
        let OpenedShare::Elements(share) = share else {
            return None;
        };
        let [a, b] = trefoil_mpc::answer(share);
        let bytes = |component| bytemuck::cast_slice::<R, u8>(component);
        let expected = [bytes(b), next[1], next[1], bytes(a)];
        if ![next, previous].concat().iter().eq(&expected) || next[1].len() != bytes(a).len() {
            return None;
        }
        let missing: Vec<R> = bytemuck::pod_collect_to_vec(next[1]);
        let own = a.iter().zip(b).map(|(&a, &b)| a + b);
        Some(own.zip(missing).map(|(own, c)| own + c).collect())
    };
    own.iter().zip(answers).map(output).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use trefoil_mpc::Share;
    use trefoil_ring::Z64;

    /// What party 0 sees of an answer 12 = 3 + 4 + 5 when it conspires with the client.
    #[test]
    fn an_answer_is_the_output_and_its_copies_agree() {
        let of = |v| vec![Z64::from_u64(v)];
        let own = vec![OpenedShare::Elements(Share::new(&[1], of(3), of(4)))];
        let outputs = |sent: &[(Role, u64)]| {
            let sent: Vec<(Role, [u8; 8])> = sent
                .iter()
                .map(|(role, v)| (*role, v.to_le_bytes()))
                .collect();
            let sent: Vec<(Role, &[u8])> = sent.iter().map(|(role, v)| (*role, &v[..])).collect();
            answered::<Z64>(Role::P0, &own, &sent)
        };
        let right = [(Role::P1, 4), (Role::P1, 5), (Role::P2, 5), (Role::P2, 3)];
        assert!(outputs(&right) == Some(vec![of(12)]));
        for changed in 0..4 {
            let mut wrong = right;
            wrong[changed].1 += 1;
            assert!(outputs(&wrong).is_none(), "{changed}");
        }
        assert!(outputs(&right[..3]).is_none() && outputs(&[]).is_none());
        assert!(outputs(&[&right[..], &right[..2]].concat()).is_none());
    }
}
