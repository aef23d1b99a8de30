//! What a party sent and received, as one keyed hash a message, and the 32 bytes that commit to all of them.
//!
//! Given inputs, weights and the pairwise seeds, every message of all three parties is determined. So whoever knows them can
//! run all three again and compare: see `trefoil-verify`'s `replay`.

use crate::MessageKind;
use std::collections::HashSet;
use trefoil_net::Role;
use trefoil_ring::Seed;

/// Domain of the key of a link's leaves.
const LEAF_KEY: &str = "trefoil 2026 transcript: key of a link's leaves, from its pair's seed";
/// Domain of what commits to a pair's seed.
const SEED_MARK: &str = "trefoil 2026 transcript: mark of a pair's seed";
/// Domain of the root.
const ROOT: &str = "trefoil 2026 transcript: all entries";
/// Bytes of messages that wait to be hashed, so that nobody waits for the hash of a short one. Longer messages are hashed at once.
const WAITING: usize = 1 << 20;
/// Bytes of an encoded entry.
const ENTRY_BYTES: usize = 2 + 12 + 4 + 32;

/// Which message: its link and direction, branch, and number in the branch and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageName {
    /// Who sends it.
    pub from: Role,
    /// Who receives it.
    pub to: Role,
    /// Its branch.
    pub branch: [u8; 12],
    /// Its number in the branch, in this direction.
    pub number: u32,
}

/// A message's name and its leaf: a hash of name, kind and payload under a key of the link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which message.
    pub name: MessageName,
    /// Its leaf.
    pub leaf: [u8; 32],
}

/// What one party sent and received, in the order in which it did.
///
/// # Security
/// A leaf is a keyed BLAKE3 hash under a key that follows from the seed of the link's pair: to everybody else it is
/// a random string, to both ends it is the same. The root commits to all leaves and to both seeds; it tells nothing of them
/// without a seed. Binding rests on BLAKE3's collision resistance.
///
/// # Cost
/// One hash over each message at either end, and 50 bytes. Short messages are copied and hashed when there are many, or when somebody
/// asks ([`Transcript::settle`]).
#[derive(Clone)]
pub struct Transcript {
    role: Role,
    keys: [Option<[u8; 32]>; 3],
    marks: [Option<[u8; 32]>; 3],
    entries: Vec<Entry>,
    waiting: Vec<Waiting>,
    /// The payloads of those, one after the other.
    payloads: Vec<u8>,
}

/// A message that is not hashed yet.
#[derive(Clone, Copy)]
struct Waiting {
    name: MessageName,
    kind: u16,
    bytes: usize,
}

impl Transcript {
    /// An empty one of the party `role`, which shares `seeds` with its peers.
    pub fn new(role: Role, seeds: &[Option<Seed>; 3]) -> Self {
        let of = |context: &str| {
            std::array::from_fn(|peer| {
                let seed = seeds[peer].as_ref().filter(|_| peer != role.index());
                seed.map(|seed| blake3::derive_key(context, &seed.0))
            })
        };
        Self {
            role,
            keys: of(LEAF_KEY),
            marks: of(SEED_MARK),
            entries: Vec::new(),
            waiting: Vec::new(),
            payloads: Vec::new(),
        }
    }

    /// The party's role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// All messages, in the order in which the party sent and received them.
    ///
    /// # Panics
    /// If some are not hashed yet: see [`Transcript::settle`].
    pub fn entries(&self) -> &[Entry] {
        assert!(self.waiting.is_empty(), "messages wait to be hashed");
        &self.entries
    }

    /// What stands for the seed shared with `peer`: equal at both ends if their seeds are.
    pub fn mark(&self, peer: Role) -> Option<[u8; 32]> {
        self.marks[peer.index()]
    }

    /// Write a message down.
    pub fn note(&mut self, name: MessageName, kind: MessageKind, payload: &[u8]) {
        let kind = kind.tag().0;
        if payload.len() > WAITING / 4 {
            self.settle();
            self.enter(name, kind, payload);
            return;
        }
        if self.payloads.len() + payload.len() > WAITING {
            self.settle();
        }
        self.payloads.extend_from_slice(payload);
        let bytes = payload.len();
        self.waiting.push(Waiting { name, kind, bytes });
    }

    /// Hash what waits for it.
    pub fn settle(&mut self) {
        let payloads = std::mem::take(&mut self.payloads);
        let mut rest = &payloads[..];
        for Waiting { name, kind, bytes } in std::mem::take(&mut self.waiting) {
            let (payload, others) = rest.split_at(bytes);
            self.enter(name, kind, payload);
            rest = others;
        }
        self.payloads = payloads;
        self.payloads.clear();
    }

    fn enter(&mut self, name: MessageName, kind: u16, payload: &[u8]) {
        let peer = if name.from == self.role {
            name.to
        } else {
            name.from
        };
        if let Some(key) = &self.keys[peer.index()] {
            let leaf = leaf(key, name, kind, payload);
            self.entries.push(Entry { name, leaf });
        }
    }

    /// The commitment: a hash over all entries in the order of their names, not of time, with the role, the number of
    /// messages and the marks of both seeds. An opening shows all entries, so no tree is needed.
    ///
    /// # Panics
    /// As [`Transcript::entries`].
    pub fn root(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key(ROOT);
        hasher.update(&[u8::from(self.role)]);
        hasher.update(&(self.entries.len() as u64).to_le_bytes());
        for mark in &self.marks {
            hasher.update(&mark.unwrap_or_default());
        }
        hasher.update(&self.to_bytes());
        *hasher.finalize().as_bytes()
    }

    /// The entries as bytes in the order of their names, for whoever may open them.
    ///
    /// # Panics
    /// As [`Transcript::entries`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut sorted = self.entries().to_vec();
        sorted.sort_unstable_by_key(|entry| entry.name);
        let mut out = Vec::with_capacity(sorted.len() * ENTRY_BYTES);
        for Entry { name, leaf } in &sorted {
            out.extend_from_slice(&[u8::from(name.from), u8::from(name.to)]);
            out.extend_from_slice(&name.branch);
            out.extend_from_slice(&name.number.to_le_bytes());
            out.extend_from_slice(leaf);
        }
        out
    }

    /// The counterpart of [`Transcript::to_bytes`], with the seeds that the party revealed. `None` if the bytes are no entries
    /// of this party, or name a message twice: they may come from anyone.
    pub fn from_bytes(role: Role, seeds: &[Option<Seed>; 3], bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(ENTRY_BYTES) {
            return None;
        }
        let mut read = Self::new(role, seeds);
        let mut names = HashSet::new();
        for chunk in bytes.chunks_exact(ENTRY_BYTES) {
            let ([from, to], rest) = chunk.split_first_chunk()?;
            let (branch, rest) = rest.split_first_chunk()?;
            let (number, leaf) = rest.split_first_chunk()?;
            let name = MessageName {
                from: Role::try_from(*from).ok()?,
                to: Role::try_from(*to).ok()?,
                branch: *branch,
                number: u32::from_le_bytes(*number),
            };
            let leaf: [u8; 32] = leaf.try_into().ok()?;
            let own = (name.from == role) != (name.to == role);
            if !own || !names.insert(name) {
                return None;
            }
            read.entries.push(Entry { name, leaf });
        }
        Some(read)
    }
}

/// The leaf of a message, under a link's key.
fn leaf(key: &[u8; 32], name: MessageName, kind: u16, payload: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&[u8::from(name.from), u8::from(name.to)]);
    hasher.update(&name.branch);
    hasher.update(&name.number.to_le_bytes());
    hasher.update(&kind.to_le_bytes());
    hasher.update(payload);
    *hasher.finalize().as_bytes()
}

/// The seeds that a party shares with its peers, by their index; none at its own.
pub type PairSeeds = [Option<Seed>; 3];

/// What one batch of a session runs under: an id and pairwise seeds of its own.
///
/// # Security
/// All follow from the session's seeds by a one-way function: to reveal those of one batch tells nothing of the session's and of
/// other batches'.
pub struct BatchKeys {
    /// The id, from which the names of its branches follow.
    pub id: [u8; 16],
    /// The seeds shared with each peer.
    pub seeds: PairSeeds,
}

impl BatchKeys {
    /// Those of batch `number` of `session`, from the session's pairwise `seeds`.
    pub fn of(session: &[u8; 16], number: u32, seeds: &PairSeeds) -> Self {
        let derive = |context: &str, secret: &[u8]| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(session);
            hasher.update(&number.to_le_bytes());
            hasher.update(secret);
            let mut out = [0; 16];
            hasher.finalize_xof().fill(&mut out);
            out
        };
        let seed = |seed: &Option<Seed>| {
            let seed = seed.as_ref()?;
            Some(Seed(derive("trefoil 2026 batch: a pair's seed", &seed.0)))
        };
        Self {
            id: derive("trefoil 2026 batch: id", &[]),
            seeds: std::array::from_fn(|peer| seed(&seeds[peer])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(byte: u8) -> [Option<Seed>; 3] {
        [Some(Seed([byte; 16])), None, Some(Seed([byte + 1; 16]))]
    }

    fn name(number: u32) -> MessageName {
        MessageName {
            from: Role::P1,
            to: Role::P2,
            branch: [7; 12],
            number,
        }
    }

    fn transcript(order: &[u32]) -> Transcript {
        let mut transcript = Transcript::new(Role::P1, &seeds(1));
        for &number in order {
            transcript.note(name(number), MessageKind::Reshare, &number.to_le_bytes());
        }
        transcript.settle();
        transcript
    }

    #[test]
    fn the_root_does_not_depend_on_the_order_of_time_but_on_everything_else() {
        let root = transcript(&[0, 1, 2, 3, 4]).root();
        assert_eq!(transcript(&[3, 1, 4, 0, 2]).root(), root);
        assert_ne!(transcript(&[0, 1, 2, 3]).root(), root);
        let mut other_step = transcript(&[0, 1, 2, 3]);
        other_step.note(name(4), MessageKind::Deal, &4_u32.to_le_bytes());
        let mut other_payload = transcript(&[0, 1, 2, 3]);
        other_payload.note(name(4), MessageKind::Reshare, &5_u32.to_le_bytes());
        let mut back = transcript(&[0, 1, 2, 3]);
        let turned = MessageName {
            from: Role::P2,
            to: Role::P1,
            ..name(4)
        };
        back.note(turned, MessageKind::Reshare, &4_u32.to_le_bytes());
        for noted in [&mut other_step, &mut other_payload, &mut back] {
            noted.settle();
        }
        let mut other_seed = Transcript::new(Role::P1, &seeds(2));
        other_seed.entries = transcript(&[0, 1, 2, 3, 4]).entries;
        for other in [other_step, other_payload, back, other_seed] {
            assert_ne!(other.root(), root);
        }
    }

    #[test]
    fn both_ends_have_the_same_leaf_and_an_opening_brings_the_root_back() {
        let shared = Some(Seed([2; 16]));
        let mut other = Transcript::new(Role::P2, &[Some(Seed([9; 16])), shared, None]);
        let own = transcript(&[0, 1, 2]);
        for number in 0..3_u32 {
            other.note(name(number), MessageKind::Reshare, &number.to_le_bytes());
        }
        other.settle();
        assert!(own.entries() == other.entries());
        assert_eq!(own.mark(Role::P2), other.mark(Role::P1));
        let bytes = own.to_bytes();
        let read = Transcript::from_bytes(Role::P1, &seeds(1), &bytes).unwrap();
        assert_eq!(read.root(), own.root());
        assert!(Transcript::from_bytes(Role::P1, &seeds(1), &bytes[1..]).is_none());
        assert!(Transcript::from_bytes(Role::P0, &seeds(1), &bytes).is_none());
        let twice = [&bytes[..], &bytes[..ENTRY_BYTES]].concat();
        assert!(Transcript::from_bytes(Role::P1, &seeds(1), &twice).is_none());
        let mut nobody = bytes;
        nobody[0] = 3;
        assert!(Transcript::from_bytes(Role::P1, &seeds(1), &nobody).is_none());
    }

    #[test]
    fn long_messages_and_many_are_hashed_on_the_way_and_alike() {
        let long = vec![3; WAITING / 2];
        let short = vec![4; WAITING / 5];
        let mut waiting = Transcript::new(Role::P1, &seeds(1));
        let mut at_once = Transcript::new(Role::P1, &seeds(1));
        for (number, payload) in [(0, &long), (1, &short), (2, &short)] {
            waiting.note(name(number), MessageKind::Reshare, payload);
            at_once.enter(name(number), MessageKind::Reshare.tag().0, payload);
        }
        assert_eq!((waiting.entries.len(), waiting.waiting.len()), (1, 2));
        for number in 3..9 {
            waiting.note(name(number), MessageKind::Reshare, &short);
            at_once.enter(name(number), MessageKind::Reshare.tag().0, &short);
        }
        assert!(waiting.payloads.len() <= WAITING && waiting.entries.len() > 1);
        waiting.settle();
        assert_eq!(waiting.root(), at_once.root());
    }

    #[test]
    fn batches_have_ids_and_seeds_of_their_own() {
        let session = [5; 16];
        let [first, again, second] =
            [0, 0, 1].map(|number| BatchKeys::of(&session, number, &seeds(1)));
        let bytes = |keys: &BatchKeys| keys.seeds.each_ref().map(|seed| seed.as_ref().map(|s| s.0));
        assert_eq!((first.id, bytes(&first)), (again.id, bytes(&again)));
        let elsewhere = BatchKeys::of(&[6; 16], 0, &seeds(1));
        for other in [second, elsewhere] {
            assert_ne!(first.id, other.id);
            for peer in [0, 2] {
                assert_ne!(bytes(&first)[peer], bytes(&other)[peer]);
            }
        }
        assert!(bytes(&first)[1].is_none());
    }
}
